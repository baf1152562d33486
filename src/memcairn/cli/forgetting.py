"""Forgetting a source on the database of the settings: the work behind `memcairn forget`."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from memcairn.assembly import opened
from memcairn.cli.accounts import trust_of
from memcairn.core.forgetting import Receipt, SourceFilter, forget_source
from memcairn.domain.errors import Invalid
from memcairn.domain.keys import ALL_SCOPES, Principal
from memcairn.domain.trust import Channel
from memcairn.settings import load
from memcairn.store import orgs


@dataclass(frozen=True, slots=True)
class Source:
    """A source as a command line names it."""

    key_id: str | None
    channel: str | None
    session_id: str | None
    actor_id: str | None
    max_trust: str | None
    since: str | None
    before: str | None


def forget_in(data_dir: Path | None, org_id: str, source: Source, *, dry_run: bool) -> Receipt:
    """NotFound when there is no such org; Invalid for a word that cannot be read, or when no source is named."""
    where = SourceFilter(
        key_id=source.key_id,
        channel=None if source.channel is None else _channel(source.channel),
        session_id=source.session_id,
        actor_id=source.actor_id,
        max_trust=None if source.max_trust is None else trust_of(source.max_trust),
        received_after=None if source.since is None else _moment(source.since),
        received_before=None if source.before is None else _moment(source.before),
    )
    operator = Principal(org_id, "operator", ALL_SCOPES)

    async def run() -> Receipt:
        async with opened(load({"data_dir": data_dir})) as deps:
            await deps.db.read(orgs.require, org_id)
            return await forget_source(deps, operator, where, dry_run=dry_run)

    return asyncio.run(run())


def _channel(name: str) -> Channel:
    try:
        return Channel(name)
    except ValueError:
        known = ", ".join(Channel)
        raise Invalid(f"{name[:40]!r} is no door. Choose one of {known}.", code="invalid_channel") from None


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(
            f"The date {text[:40]!r} cannot be read. Write one such as 2026-05-01 or 2026-05-01T12:00.",
            code="invalid_date",
        ) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
