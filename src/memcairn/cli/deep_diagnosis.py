"""Reading every row of the database of the settings: the work behind `memcairn doctor --deep`."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

from memcairn.assembly import opened
from memcairn.cli.diagnosis import Check, Diagnosis, diagnose
from memcairn.cli.progress import progress
from memcairn.core.examining import RESTORE, Finding, examine
from memcairn.domain.errors import DomainError
from memcairn.settings import Settings, load
from memcairn.store.backup import faults_of

_SHOWN = 3


def diagnose_deep(data_dir: Path | None) -> Diagnosis:
    """What `diagnose` finds, and behind it, where there is a database, what comparing everything in it finds."""
    diagnosis = diagnose(data_dir)
    states = {check.name: check.state for check in diagnosis.checks}
    if states.get("database") == "note" or "database" not in states:
        return diagnosis
    settings = load({"data_dir": data_dir})
    checks = [*diagnosis.checks, *_storage(settings)]
    if states["database"] == "ok":
        try:
            checks += asyncio.run(_examined(settings))
        except DomainError as error:
            checks.append(Check("deep", "failed", error.message))
    return Diagnosis(checks, diagnosis.settings)


def _storage(settings: Settings) -> list[Check]:
    """What SQLite itself finds in its file."""
    if settings.url is not None and settings.url.startswith("postgres"):
        return [Check("storage", "note", "Postgres looks after its own files: `pg_amcheck` checks them.")]
    with contextlib.closing(sqlite3.connect(settings.sqlite_path)) as connection:
        faults = faults_of(connection)
    if not faults:
        return [Check("storage", "ok", "pages, b-trees, constraints and references are in order")]
    more = f", and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
    return [Check("storage", "failed", f"{'; '.join(faults[:_SHOWN])}{more}. {RESTORE}")]


async def _examined(settings: Settings) -> list[Check]:
    async with opened(settings) as deps:
        checks = []
        with contextlib.ExitStack() as bars:
            shown: list[tuple[str, Callable[[int, int], None]]] = []

            def tell(part: str, done: int, total: int) -> None:
                if not shown or shown[-1][0] != part:
                    bars.close()
                    shown[:] = [(part, bars.enter_context(progress(part)))]
                shown[-1][1](done, total)

            async for finding in examine(deps, tell):
                checks.append(_check(finding))
        return checks


def _check(finding: Finding) -> Check:
    if not finding.wrong:
        return Check(finding.name, "ok", f"{finding.checked} compared")
    named = "; ".join(finding.examples)
    return Check(finding.name, "failed", f"{finding.wrong} {finding.what}: {named}. {finding.way_out}")
