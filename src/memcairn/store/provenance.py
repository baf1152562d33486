"""Where memories came from: the live events under each, the keys and doors of those, and what that makes them worth."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, bindparam, func, select, update

from memcairn.domain.trust import Channel, Origin, Trust
from memcairn.store.batches import chunks
from memcairn.store.paging import behind
from memcairn.store.prepared import Prepared
from memcairn.store.schema import events, memories, memory_sources

_ORDER = (events.c.created_at, events.c.position, events.c.event_id)
_SAME_EVENT = and_(events.c.org_id == memory_sources.c.org_id, events.c.event_id == memory_sources.c.event_id)

_SOURCES = Prepared(
    select(memory_sources.c.memory_id, memory_sources.c.event_id, events.c.key_id, events.c.channel)
    .join(events, _SAME_EVENT)
    .where(memory_sources.c.org_id == bindparam("of_org"))
    .where(memory_sources.c.memory_id.in_(bindparam("these", expanding=True)))
    .where(events.c.deleted_at.is_(None))
    .order_by(memory_sources.c.memory_id, memory_sources.c.ordinal, memory_sources.c.event_id),
    many="these",
)


@dataclass(frozen=True, slots=True)
class Source:
    """A live event under a memory; no origin for one that is older than the record of it."""

    event_id: str
    origin: Origin | None


@dataclass(frozen=True, slots=True)
class SourceFilter:
    """Which events came from a source; None means any. `received_*` is when the server took them, not when it was said.

    `max_trust`: trusted no more than that.
    """

    key_id: str | None = None
    channel: Channel | None = None
    session_id: str | None = None
    actor_id: str | None = None
    max_trust: Trust | None = None
    received_after: datetime | None = None
    received_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """An event in the order events were received in."""

    created_at: datetime
    position: int
    event_id: str


def came_from(
    connection: Connection, org_id: str, where: SourceFilter, *, after: Place | None, limit: int
) -> list[Place]:
    """Live events of a source behind `after`, in the order they were received."""
    statement = select(*_ORDER).where(events.c.org_id == org_id, events.c.deleted_at.is_(None), *_conditions(where))
    if after is not None:
        statement = statement.where(behind(_ORDER, (after.created_at, after.position, after.event_id)))
    rows = connection.execute(statement.order_by(*_ORDER).limit(limit))
    return [Place(row.created_at, row.position, row.event_id) for row in rows]


def sources(connection: Connection, org_id: str, memory_ids: Sequence[str]) -> dict[str, list[Source]]:
    """The live events each memory rests on, in the order they were heard; those without any are left out."""
    found: dict[str, list[Source]] = {}
    for chunk in chunks(memory_ids):
        for row in _SOURCES.rows(connection, {"of_org": org_id, "these": chunk}):
            known = row.key_id is not None and row.channel is not None
            origin = Origin(row.key_id, Channel(row.channel)) if known else None
            found.setdefault(row.memory_id, []).append(Source(row.event_id, origin))
    return found


def lowest(connection: Connection, org_id: str, memory_ids: Sequence[str]) -> dict[str, Trust]:
    """The lowest trust among the live events under each memory; those without any are left out."""
    found: dict[str, Trust] = {}
    for chunk in chunks(memory_ids):
        statement = (
            select(memory_sources.c.memory_id, func.min(events.c.trust).label("trust"))
            .join(events, _SAME_EVENT)
            .where(memory_sources.c.org_id == org_id, memory_sources.c.memory_id.in_(chunk))
            .where(events.c.deleted_at.is_(None))
            .group_by(memory_sources.c.memory_id)
        )
        found |= {row.memory_id: Trust(row.trust) for row in connection.execute(statement)}
    return found


def held_at(connection: Connection, org_id: str, memory_ids: Sequence[str]) -> dict[str, Trust]:
    """The trust each live memory is held at."""
    found: dict[str, Trust] = {}
    for chunk in chunks(memory_ids):
        statement = select(memories.c.memory_id, memories.c.trust).where(
            memories.c.org_id == org_id, memories.c.memory_id.in_(chunk), memories.c.deleted_at.is_(None)
        )
        found |= {row.memory_id: Trust(row.trust) for row in connection.execute(statement)}
    return found


def hold_at(connection: Connection, org_id: str, memory_ids: Sequence[str], trust: Trust) -> None:
    for chunk in chunks(memory_ids):
        mine = (memories.c.org_id == org_id, memories.c.memory_id.in_(chunk))
        connection.execute(update(memories).where(*mine).values(trust=int(trust)))


def lowest_in_session(connection: Connection, org_id: str, session_id: str, *, up_to: int) -> Trust | None:
    """The lowest trust among the live events of a session up to a position; None if there are none."""
    statement = select(func.min(events.c.trust)).where(
        events.c.org_id == org_id,
        events.c.session_id == session_id,
        events.c.position <= up_to,
        events.c.deleted_at.is_(None),
    )
    found = connection.execute(statement).scalar_one()
    return None if found is None else Trust(found)


def _conditions(where: SourceFilter) -> list[ColumnElement[bool]]:
    names = ("key_id", "channel", "session_id", "actor_id")
    conditions: list[ColumnElement[bool]] = [
        events.c[name] == getattr(where, name) for name in names if getattr(where, name) is not None
    ]
    if where.max_trust is not None:
        conditions.append(events.c.trust <= int(where.max_trust))
    if where.received_after is not None:
        conditions.append(events.c.created_at >= where.received_after)
    if where.received_before is not None:
        conditions.append(events.c.created_at < where.received_before)
    return conditions
