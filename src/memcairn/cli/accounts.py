"""Orgs and keys on the database of the settings: the work behind `memcairn orgs` and `memcairn keys`."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection

from memcairn.assembly import opened
from memcairn.core import keys as core_keys
from memcairn.core.deps import Deps
from memcairn.core.keys import MadeKey
from memcairn.core.orgs import own_quotas, set_quotas
from memcairn.domain.clock import SystemClock
from memcairn.domain.errors import Invalid, NotFound
from memcairn.domain.keys import ApiKey, KeyScope
from memcairn.domain.trust import Trust, trust_named
from memcairn.domain.usage import Dimension
from memcairn.settings import load
from memcairn.store import keys as key_rows
from memcairn.store import orgs as org_rows
from memcairn.store.orgs import Org

T = TypeVar("T")

_SPAN = re.compile(r"(\d{1,5})([hdw])")
_NUMBER = re.compile(r"\d{1,18}")
_HOURS = {"h": 1, "d": 24, "w": 24 * 7}


def create_org(data_dir: Path | None, org_id: str, *, name: str | None) -> MadeKey:
    return _on_database(data_dir, lambda deps: core_keys.create_org(deps, org_id, name=name))


def all_orgs(data_dir: Path | None) -> list[Org]:
    return _on_database(data_dir, lambda deps: deps.db.read(org_rows.every))


def org_quotas(data_dir: Path | None, org_id: str, *, changes: Sequence[str], clear: bool) -> Mapping[str, int]:
    """The org's own quotas after `changes` such as `api_calls=1000`; with `clear` these are all it has."""
    wanted = dict(map(_quota, changes))

    async def change(deps: Deps) -> Mapping[str, int]:
        kept = {} if clear else {Dimension(name): limit for name, limit in (await own_quotas(deps, org_id)).items()}
        if clear or wanted:
            await set_quotas(deps, org_id, kept | wanted)
        return await own_quotas(deps, org_id)

    return _on_database(data_dir, change)


def create_key(
    data_dir: Path | None, org_id: str, *, name: str, scopes: Sequence[str], expires: str | None, trust: str
) -> MadeKey:
    """Invalid for a scope, an expiry or a trust that cannot be read; NotFound when there is no such org."""
    chosen, trusted = _scopes(scopes), trust_of(trust)
    expires_at = None if expires is None else expiry(expires, SystemClock().now())
    return _on_database(
        data_dir,
        lambda deps: core_keys.create_key(deps, org_id, name=name, scopes=chosen, expires_at=expires_at, trust=trusted),
    )


def all_keys(data_dir: Path | None, org_id: str | None) -> list[ApiKey]:
    """The keys of one org, or of every org in turn."""

    def read(connection: Connection) -> list[ApiKey]:
        chosen = org_rows.every(connection) if org_id is None else [org_rows.require(connection, org_id)]
        return [key for org in chosen for key in key_rows.list_of(connection, org.org_id)]

    return _on_database(data_dir, lambda deps: deps.db.read(read))


def revoke_key(data_dir: Path | None, key_id: str) -> str:
    """The org whose key was ended."""

    async def revoke(deps: Deps) -> str:
        key = await deps.db.read(key_rows.find, key_id)
        if key is None:
            raise NotFound(
                f"There is no key {key_id!r}. `memcairn keys list` shows the ids of those there are.",
                code="key_not_found",
            )
        await core_keys.revoke_key(deps, key.org_id, key_id)
        return key.org_id

    return _on_database(data_dir, revoke)


def state_of(key: ApiKey) -> str:
    """`active`, `expired` or `revoked`."""
    if key.usable_at(SystemClock().now()):
        return "active"
    return "expired" if key.revoked_at is None else "revoked"


def expiry(text: str, now: datetime) -> datetime:
    """The moment `12h`, `30d`, `8w` or an ISO date means; a date without a zone is UTC."""
    span = _SPAN.fullmatch(text.strip())
    if span is not None:
        return now + timedelta(hours=int(span[1]) * _HOURS[span[2]])
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Invalid(
            f"The expiry {text!r} cannot be read. Write a span such as 12h, 30d or 8w, or an ISO date such as "
            "2030-01-31.",
            code="invalid_expiry",
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _quota(text: str) -> tuple[Dimension, int]:
    name, _, limit = text.partition("=")
    known = [dimension.value for dimension in Dimension]
    if name.strip() not in known or not _NUMBER.fullmatch(limit.strip()):
        raise Invalid(
            f"The quota {text!r} cannot be read. Write DIMENSION=NUMBER with one of {', '.join(known)}.",
            code="invalid_quota",
        )
    return Dimension(name.strip()), int(limit)


def trust_of(label: str) -> Trust:
    """Invalid for a word that is no level of trust."""
    try:
        return trust_named(label)
    except KeyError:
        known = ", ".join(each.label for each in Trust)
        raise Invalid(f"{label[:40]!r} is no level of trust. Choose one of {known}.", code="invalid_trust") from None


def _scopes(names: Sequence[str]) -> frozenset[KeyScope]:
    known = [scope.value for scope in KeyScope]
    for name in names:
        if name not in known:
            raise Invalid(f"There is no scope {name!r}. Use {', '.join(known)}.", code="unknown_scope")
    return frozenset(KeyScope(name) for name in names)


def _on_database(data_dir: Path | None, work: Callable[[Deps], Awaitable[T]]) -> T:
    async def run() -> T:
        async with opened(load({"data_dir": data_dir}), embeds=False) as deps:
            return await work(deps)

    return asyncio.run(run())
