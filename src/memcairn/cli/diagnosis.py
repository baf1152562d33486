"""What is the matter with this installation, and what to do about it: the work behind `doctor` and `migrate`."""

import asyncio
import os
import platform
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import SecretStr
from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError

from memcairn import __version__
from memcairn.assembly import is_open_to_others, open_database
from memcairn.cli.listening import bound_socket
from memcairn.domain.clock import SystemClock
from memcairn.domain.errors import DomainError, Unavailable
from memcairn.domain.jobs import JobStatus
from memcairn.provision import make_embedder
from memcairn.settings import PREFIX, Settings, load
from memcairn.store import jobs, keys, orgs, postgres_schema, vectors
from memcairn.store.migrate import current_revision, head_revision
from memcairn.store.migrate import migrate as migrate_connection

OPEN_TO_OTHERS = "Other users of this machine can read {path}. Run `chmod 600` on it, or `chmod 700` on its folder."

CARELESS = (
    "The Postgres server is set to {settings}: when it or its machine dies, what was acknowledged may be lost. Turn it "
    "on."
)

LOW_DISK_BYTES = 500 * 2**20

State = Literal["ok", "note", "failed"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. A `note` works and could be better; `says` ends with what to do unless all is well."""

    name: str
    state: State
    says: str


@dataclass(frozen=True, slots=True)
class SettingShown:
    """A setting with its value (secrets masked) and where it comes from."""

    name: str
    value: str
    origin: str
    about: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    checks: Sequence[Check]
    settings: Sequence[SettingShown]

    @property
    def failed(self) -> bool:
        return any(check.state == "failed" for check in self.checks)

    def as_json(self) -> dict[str, Any]:
        return {
            "ok": not self.failed,
            "checks": [asdict(check) for check in self.checks],
            "settings": [asdict(setting) for setting in self.settings],
        }


@dataclass(frozen=True, slots=True)
class Migrated:
    database: str
    revision: str | None
    applied: Sequence[str]


def migrate_database(data_dir: Path | None) -> Migrated:
    """Apply missing revisions; Conflict if the database is newer than this program."""
    settings = load({"data_dir": data_dir})

    async def run() -> list[str]:
        db = open_database(settings)
        try:
            return await db.write(migrate_connection)
        finally:
            await db.close()

    applied = asyncio.run(run())
    return Migrated(settings.database_name, head_revision(), applied)


def diagnose(data_dir: Path | None) -> Diagnosis:
    """Look at everything and change nothing: a database that is not there yet is not made."""
    checks = [Check("program", "ok", f"memcairn {__version__}, Python {platform.python_version()}")]
    try:
        settings = load({"data_dir": data_dir})
    except DomainError as error:
        checks.append(Check("settings", "failed", error.message))
        return Diagnosis(checks, _defaults())
    checks.append(Check("settings", "ok", "every MEMCAIRN_ variable is known"))
    unusable: frozenset[str] = frozenset()
    for name, look in _CHECKS.items():
        if name in unusable:
            continue
        checks.append(_guarded(name, look, settings))
        if name == "database" and checks[-1].state == "failed":
            unusable = _INSIDE_DATABASE
    return Diagnosis(checks, _shown(settings, data_dir))


def _guarded(name: str, check: Callable[[Settings], Check], settings: Settings) -> Check:
    try:
        return check(settings)
    except DomainError as error:
        return Check(name, "failed", error.message)
    except OSError as error:
        return Check(name, "failed", f"{error.strerror}: {error.filename}")
    except DatabaseError as error:
        return Check(name, "failed", f"the database says: {error.orig}. Restore a backup.")


def _folder(settings: Settings) -> Check:
    if settings.postgres_url is not None:
        return Check("folder", "ok", "not needed: the data is in Postgres")
    folder = settings.sqlite_path.parent
    if not folder.exists():
        return Check("folder", "note", f"{folder} does not exist yet; `memcairn serve` makes it.")
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        return Check("folder", "failed", f"{folder} cannot be written to. Change its permissions or use --data-dir.")
    free = shutil.disk_usage(folder).free
    if free < LOW_DISK_BYTES:
        return Check("folder", "failed", f"{folder} has {free // 2**20} MiB left. Free some space.")
    return Check("folder", "ok", f"{folder} is writable, {free / 2**30:.1f} GiB free")


def _privacy(settings: Settings) -> Check:
    if settings.postgres_url is not None:
        return Check("privacy", "ok", "not looked at: the data is in Postgres")
    path = settings.sqlite_path
    if is_open_to_others(path):
        return Check("privacy", "note", OPEN_TO_OTHERS.format(path=path))
    return Check("privacy", "ok", f"no other user of this machine can read {path}")


def _database(settings: Settings) -> Check:
    name = settings.database_name
    if settings.postgres_url is None and not settings.sqlite_path.exists():
        return Check("database", "note", f"{name} does not exist yet; `memcairn serve` makes it.")
    revision, head = asyncio.run(_read(settings, current_revision)), head_revision()
    if settings.postgres_url is None:
        about = f"{settings.sqlite_path.stat().st_size / 2**20:.1f} MiB"
    else:
        about = asyncio.run(_read(settings, postgres_schema.described))
        if revision is None:
            return Check("database", "note", f"{name}, {about}, is empty; `memcairn serve` makes the tables.")
    if revision == head:
        return Check("database", "ok", f"{name}, {about}, revision {revision}")
    return Check(
        "database",
        "failed",
        f"{name} is at revision {revision}, this program works with {head}. If the program is older, upgrade it; else "
        "run `memcairn migrate`.",
    )


def _durability(settings: Settings) -> Check:
    if settings.postgres_url is None:
        return Check("durability", "ok", "every commit is synced before it is answered")
    careless = asyncio.run(_read(settings, postgres_schema.careless))
    if careless:
        return Check("durability", "note", CARELESS.format(settings=", ".join(careless)))
    return Check("durability", "ok", "the server syncs every commit before it is answered")


def _access(settings: Settings) -> Check:
    if not _is_there(settings):
        return Check("access", "note", "there are no keys yet; `memcairn serve` makes one and shows it once.")
    usable, org_count = asyncio.run(_read(settings, _count_access))
    if usable == 0:
        return Check("access", "note", "no key is usable; `memcairn keys create --org ID` makes one.")
    return Check("access", "ok", f"{usable} usable keys, {org_count} orgs")


def _work(settings: Settings) -> Check:
    if not _is_there(settings):
        return Check("jobs", "ok", "nothing is waiting")
    counts = asyncio.run(_read(settings, jobs.count_by_status))
    waiting = counts[JobStatus.QUEUED] + counts[JobStatus.RUNNING]
    if counts[JobStatus.DEAD]:
        return Check(
            "jobs",
            "failed",
            f"{counts[JobStatus.DEAD]} jobs are dead, {waiting} waiting. `GET /v1/jobs?status=dead` says why, "
            "`POST /v1/jobs/ID/retry` tries again.",
        )
    return Check("jobs", "ok", f"{waiting} waiting, none dead")


def _port(settings: Settings) -> Check:
    try:
        bound_socket(settings.host, settings.port).close()
    except Unavailable:
        return Check("port", "note", f"{settings.host}:{settings.port} is in use, perhaps by a server that runs.")
    return Check("port", "ok", f"{settings.host}:{settings.port} is free")


def _embedder(settings: Settings) -> Check:
    embedder = make_embedder(settings)
    says = f"{embedder.model}, {embedder.dimensions} dimensions"
    if _is_there(settings):
        current, waiting = asyncio.run(_read(settings, _count_vectors, embedder.model))
        if waiting:
            says += (
                f"; {waiting} of {current + waiting} vectors are of another model and wait for `memcairn serve` or "
                "`memcairn reembed`"
            )
            return Check("embedder", "note", says)
    return Check("embedder", "ok", says)


def _llm(_settings: Settings) -> Check:
    return Check("llm", "note", "there is none: memories are made by rules, which hear less than a model would.")


_CHECKS: Mapping[str, Callable[[Settings], Check]] = {
    "folder": _folder,
    "privacy": _privacy,
    "database": _database,
    "durability": _durability,
    "access": _access,
    "jobs": _work,
    "port": _port,
    "embedder": _embedder,
    "llm": _llm,
}

_INSIDE_DATABASE = frozenset({"durability", "access", "jobs"})
"""Checks that would only repeat what is the matter with the database."""


def _is_there(settings: Settings) -> bool:
    if settings.postgres_url is not None:
        return asyncio.run(_read(settings, current_revision)) is not None
    return settings.sqlite_path.exists()


def _count_access(connection: Connection) -> tuple[int, int]:
    return keys.count_usable(connection, SystemClock().now()), len(orgs.every(connection))


def _count_vectors(connection: Connection, model: str) -> tuple[int, int]:
    """How many vectors of memories are of this model, and how many of another."""
    counted = [vectors.counts(connection, org.org_id) for org in orgs.every(connection)]
    current = sum(each.get(model, 0) for each in counted)
    return current, sum(sum(each.values()) - each.get(None, 0) for each in counted) - current


async def _read(settings: Settings, fn: Callable[..., Any], *arguments: object) -> Any:
    db = open_database(settings)
    try:
        return await db.read(fn, *arguments)
    finally:
        await db.close()


def _shown(settings: Settings, data_dir: Path | None) -> list[SettingShown]:
    from_command_line = set() if data_dir is None else {"data_dir", "database_url"}
    rows = []
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        if name in from_command_line:
            origin = "command line"
        elif name in settings.model_fields_set:
            origin = "environment"
        else:
            origin = "default"
        rows.append(SettingShown(_variable(name), _value(value), origin, field.description or ""))
    return rows


def _defaults() -> list[SettingShown]:
    """The settings there are, for when those of the environment cannot be read."""
    return [
        SettingShown(_variable(name), _value(field.default), "default", field.description or "")
        for name, field in Settings.model_fields.items()
    ]


def _variable(name: str) -> str:
    alias = Settings.model_fields[name].validation_alias
    return alias if isinstance(alias, str) else PREFIX + name.upper()


def _value(value: object) -> str:
    if value is None:
        return "-"
    return "(set, hidden)" if isinstance(value, SecretStr) else str(value)
