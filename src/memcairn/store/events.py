"""The event log."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Row,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from memcairn.domain.events import Event, EventKind, EventStatus
from memcairn.domain.filters import Filter
from memcairn.domain.trust import Channel, Trust
from memcairn.store import filters
from memcairn.store.batches import chunks
from memcairn.store.paging import behind
from memcairn.store.prepared import Prepared
from memcairn.store.schema import IS_PENDING, events

_FIELDS = attrgetter(*Event.__slots__)
_COLUMNS = [column for column in events.c if column.name not in {"digest", "held"}]
_NAMES = [column.name for column in _COLUMNS]
_ORDER = (events.c.created_at, events.c.position, events.c.event_id)
_LIVE = events.c.deleted_at.is_(None)
_INSERT = Prepared(insert(events))
_OF_SESSION = select(*_COLUMNS).where(
    events.c.org_id == bindparam("of_org"), events.c.session_id == bindparam("of_session"), _LIVE
)
_LAST = Prepared(_OF_SESSION.order_by(events.c.position.desc()).limit(bindparam("count", type_=Integer)))
_NEWEST = (events.c.created_at.desc(), events.c.event_id.desc())
_PENDING = select(*_COLUMNS).where(events.c.org_id == bindparam("of_org"), _LIVE, IS_PENDING)
_NEWEST_PENDING = Prepared(_PENDING.order_by(*_NEWEST).limit(bindparam("count", type_=Integer)))
_NEWEST_PENDING_OF_ACTOR = Prepared(
    _PENDING.where(events.c.actor_id == bindparam("of_actor"))
    .order_by(*_NEWEST)
    .limit(bindparam("count", type_=Integer))
)
_BEHIND = _OF_SESSION.where(events.c.position > bindparam("after")).order_by(events.c.position)

_SAID = select(
    events.c.event_id, events.c.content, events.c.kind, events.c.role, events.c.name, events.c.occurred_at
).where(events.c.org_id == bindparam("of_org"), events.c.event_id.in_(bindparam("these", expanding=True)), _LIVE)
"""What memories are derived from."""
_SAYING = Prepared(_SAID, many="these")
_SAYING_AND_PENDING = Prepared(_SAID.where(IS_PENDING), many="these")
_MARK = (
    update(events)
    .where(events.c.org_id == bindparam("of_org"), events.c.event_id.in_(bindparam("these", expanding=True)))
    .values(status=bindparam("marked"), error=bindparam("reason"), updated_at=bindparam("now"))
)


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events a list holds; None means any."""

    session_id: str | None = None
    actor_id: str | None = None
    kind: str | None = None
    status: str | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """The last event of a page: the next one starts behind it."""

    created_at: datetime
    position: int
    event_id: str


def add(connection: Connection, new_events: Sequence[Event], digests: Sequence[bytes]) -> None:
    rows = []
    for event, digest in zip(new_events, digests, strict=True):
        row = dict(zip(Event.__slots__, _FIELDS(event), strict=True))
        row["kind"], row["status"], row["metadata"] = event.kind.value, event.status.value, dict(event.metadata)
        row["channel"], row["trust"] = event.channel and event.channel.value, int(event.trust)
        row["digest"], row["held"] = digest, False
        rows.append(row)
    _INSERT.run(connection, rows)


def by_ids(connection: Connection, org_id: str, event_ids: Sequence[str], *, deleted: bool = False) -> list[Event]:
    """The live events among `event_ids` (with `deleted`, all of them), in the order asked for."""
    found: dict[str, Event] = {}
    for chunk in chunks(event_ids):
        statement = select(*_COLUMNS).where(events.c.org_id == org_id, events.c.event_id.in_(chunk))
        rows = connection.execute(statement if deleted else statement.where(_LIVE))
        found |= {event.event_id: event for event in map(_event, rows)}
    return [found[event_id] for event_id in dict.fromkeys(event_ids) if event_id in found]


def ids_after(connection: Connection, org_id: str, *, after: str, limit: int) -> list[str]:
    """A page of the org's events in whatever state, in the order of their ids."""
    statement = select(events.c.event_id).where(events.c.org_id == org_id, events.c.event_id > after)
    return list(connection.execute(statement.order_by(events.c.event_id).limit(limit)).scalars())


def pending_ids(connection: Connection, org_id: str) -> set[str]:
    """The live events that are not processed yet."""
    statement = select(events.c.event_id).where(events.c.org_id == org_id, _LIVE)
    return set(connection.execute(statement.where(events.c.status == EventStatus.PENDING.value)).scalars())


def digests_by_id(connection: Connection, org_id: str, event_ids: Sequence[str]) -> dict[str, bytes]:
    """The content digest of each id that is taken, deleted events included."""
    found: dict[str, bytes] = {}
    for chunk in chunks(event_ids):
        statement = select(events.c.event_id, events.c.digest).where(
            events.c.org_id == org_id, events.c.event_id.in_(chunk)
        )
        found |= {row.event_id: row.digest for row in connection.execute(statement)}
    return found


def ids_by_digest(connection: Connection, org_id: str, digests: Sequence[bytes], since: datetime) -> dict[bytes, str]:
    """The first live event of each digest that was accepted after `since`."""
    rows: list[Row[bytes, datetime, str]] = []
    for chunk in chunks(digests):
        # Not ordered here: SQLite would then go through everything accepted since, instead of looking up the digests.
        statement = select(events.c.digest, events.c.created_at, events.c.event_id).where(
            events.c.org_id == org_id, events.c.digest.in_(chunk), events.c.created_at > since, _LIVE
        )
        rows += connection.execute(statement).all()
    newest_first = sorted(rows, key=lambda row: (row.created_at, row.event_id), reverse=True)
    return {row.digest: row.event_id for row in newest_first}


def states(connection: Connection, org_id: str, event_ids: Sequence[str]) -> dict[str, tuple[EventStatus, str | None]]:
    """Status and error of each live event."""
    found: dict[str, tuple[EventStatus, str | None]] = {}
    for chunk in chunks(event_ids):
        statement = select(events.c.event_id, events.c.status, events.c.error).where(
            events.c.org_id == org_id, events.c.event_id.in_(chunk), _LIVE
        )
        found |= {row.event_id: (EventStatus(row.status), row.error) for row in connection.execute(statement)}
    return found


def unchanged(connection: Connection, org_id: str, read_before: Sequence[Event]) -> set[str]:
    """Those that are still live and pending and say what they said when they were read."""
    said = {event.event_id: _said(event) for event in read_before}
    return {
        row.event_id
        for row in _saying(connection, org_id, said, _SAYING_AND_PENDING)
        if tuple(row)[1:] == said[row.event_id]
    }


def all_unchanged(connection: Connection, org_id: str, read_before: Sequence[Event]) -> bool:
    """Whether each of them is still live and says what it said when it was read."""
    said = {event.event_id: _said(event) for event in read_before}
    now = {row.event_id: tuple(row)[1:] for row in _saying(connection, org_id, said, _SAYING)}
    return now == said


def _saying(connection: Connection, org_id: str, event_ids: Iterable[str], asked: Prepared) -> Iterator[Any]:
    """The rows of `asked` for each of these events."""
    for chunk in chunks(list(event_ids)):
        yield from asked.rows(connection, {"of_org": org_id, "these": chunk})


def in_session(
    connection: Connection,
    org_id: str,
    session_id: str,
    event_id: str,
    *,
    deleted: bool = False,
    locked: bool = False,
) -> Event | None:
    """The live event of that id in that session; with `deleted`, a deleted one too. `locked` keeps it still."""
    statement = select(*_COLUMNS).where(events.c.org_id == org_id, events.c.event_id == event_id)
    statement = statement.where(events.c.session_id == session_id)
    if not deleted:
        statement = statement.where(_LIVE)
    if locked:
        statement = statement.with_for_update()
    row = connection.execute(statement).one_or_none()
    return None if row is None else _event(row)


def last_in_session(connection: Connection, org_id: str, session_id: str, count: int) -> list[Event]:
    """The newest live events of a session, oldest first."""
    bound = {"of_org": org_id, "of_session": session_id, "count": count}
    return [_event(row) for row in _LAST.rows(connection, bound)][::-1]


def page_of_session(
    connection: Connection,
    org_id: str,
    session_id: str,
    *,
    after_position: int = 0,
    skip: int = 0,
    limit: int | None,
) -> list[Event]:
    """Live events of a session by position: behind `after_position`, or without the first `skip`."""
    bound = {"of_org": org_id, "of_session": session_id, "after": after_position}
    statement = _BEHIND if limit is None else _BEHIND.limit(limit)
    return [_event(row) for row in connection.execute(statement.offset(skip) if skip else statement, bound)]


def count_in_session(connection: Connection, org_id: str, session_id: str) -> int:
    statement = select(func.count()).where(events.c.org_id == org_id, events.c.session_id == session_id, _LIVE)
    return connection.execute(statement).scalar_one()


def ids_in_session(connection: Connection, org_id: str, session_id: str) -> list[str]:
    """The live events of a session, by position."""
    statement = select(events.c.event_id).where(events.c.org_id == org_id, events.c.session_id == session_id, _LIVE)
    return list(connection.execute(statement.order_by(events.c.position)).scalars())


def change(connection: Connection, org_id: str, event_id: str, values: Mapping[str, Any]) -> None:
    """Set columns of one event, live or deleted."""
    statement = update(events).where(events.c.org_id == org_id, events.c.event_id == event_id)
    connection.execute(statement.values(dict(values)))


def page(connection: Connection, org_id: str, where: EventFilter, *, after: Mark | None, limit: int) -> list[Event]:
    """Live events, oldest first, at most `limit` of them behind `after`; those of one request by session position."""
    statement = select(*_COLUMNS).where(events.c.org_id == org_id, _LIVE, *_conditions(where))
    if after is not None:
        statement = statement.where(behind(_ORDER, (after.created_at, after.position, after.event_id)))
    statement = statement.order_by(*_ORDER).limit(limit)
    return [_event(row) for row in connection.execute(statement)]


def count(connection: Connection, org_id: str, where: EventFilter) -> int:
    statement = select(func.count()).where(events.c.org_id == org_id, _LIVE, *_conditions(where))
    return connection.execute(statement).scalar_one()


def page_by_time(
    connection: Connection, org_id: str, where: EventFilter, *, newest_first: bool, skip: int, limit: int
) -> list[Event]:
    """Live events by the time they were said, without the first `skip`."""
    order: Sequence[ColumnElement[Any]] = (events.c.occurred_at, events.c.created_at, events.c.position)
    order = [*order, events.c.event_id]
    # Ids first: sorting whole rows would carry every text through the sort.
    some = select(events.c.event_id).where(events.c.org_id == org_id, _LIVE, *_conditions(where))
    some = some.order_by(*(column.desc() if newest_first else column for column in order)).limit(limit).offset(skip)
    return by_ids(connection, org_id, list(connection.execute(some).scalars()))


def pending(
    connection: Connection,
    org_id: str,
    *,
    where: EventFilter,
    words: Collection[str],
    limit: int,
    metadata: Filter | None = None,
) -> list[Event]:
    """The newest live events not processed yet that contain one of `words` (any, if there are none)."""
    if not words and metadata is None and where in (EventFilter(), EventFilter(actor_id=where.actor_id)):
        newest = _NEWEST_PENDING if where.actor_id is None else _NEWEST_PENDING_OF_ACTOR
        bound = {"of_org": org_id, "of_actor": where.actor_id, "count": limit}
        return [_event(row) for row in newest.rows(connection, bound)]
    statement = select(*_COLUMNS).where(events.c.org_id == org_id, _LIVE, *_conditions(where), IS_PENDING)
    if metadata is not None:
        statement = statement.where(filters.condition(connection, events.c.metadata, metadata))
    if words:
        statement = statement.where(or_(*(events.c.content.icontains(word, autoescape=True) for word in words)))
    return [_event(row) for row in connection.execute(statement.order_by(*_NEWEST).limit(limit))]


def mark(
    connection: Connection,
    org_id: str,
    event_ids: Iterable[str],
    status: EventStatus,
    *,
    now: datetime,
    error: str | None = None,
) -> None:
    for chunk in chunks(list(event_ids)):
        bound = {"of_org": org_id, "these": chunk, "marked": status.value, "reason": error, "now": now}
        connection.execute(_MARK, bound)


def mark_deleted(connection: Connection, org_id: str, event_ids: Sequence[str], now: datetime) -> int:
    """Hide live events from every read; returns how many there were."""
    count = 0
    for chunk in chunks(event_ids):
        statement = update(events).where(events.c.org_id == org_id, events.c.event_id.in_(chunk), _LIVE)
        count += connection.execute(statement.values(deleted_at=now, updated_at=now)).rowcount
    return count


def to_erase_of(
    connection: Connection, org_id: str, *, actor_id: str, session_ids: Sequence[str], limit: int
) -> list[str]:
    """Events of an actor, and all events of some sessions, live and deleted ones alike, the oldest first.

    What was said before goes before what corrected it: the other way round it would hold again until its turn comes.
    """
    mine = or_(events.c.actor_id == actor_id, events.c.session_id.in_(session_ids))
    statement = select(events.c.event_id).where(events.c.org_id == org_id, mine)
    return list(connection.execute(statement.order_by(*_ORDER).limit(limit)).scalars())


def hide_some_of(
    connection: Connection, org_id: str, *, actor_id: str, session_ids: Sequence[str], now: datetime, limit: int
) -> int:
    """Hide live events of an actor, and of some sessions, held or not; returns how many there were."""
    mine = or_(events.c.actor_id == actor_id, events.c.session_id.in_(session_ids))
    some = select(events.c.event_id).where(events.c.org_id == org_id, mine, _LIVE).limit(limit)
    statement = update(events).where(events.c.org_id == org_id, events.c.event_id.in_(some))
    return connection.execute(statement.values(deleted_at=now, updated_at=now)).rowcount


def deleted_until(connection: Connection, org_id: str, moment: datetime, *, limit: int) -> list[str]:
    """Events deleted at `moment` or before that nobody holds back."""
    statement = select(events.c.event_id).where(
        events.c.org_id == org_id, events.c.deleted_at <= moment, events.c.held.is_(False)
    )
    return list(connection.execute(statement.limit(limit)).scalars())


def erase(connection: Connection, org_id: str, event_ids: Sequence[str]) -> int:
    """Remove rows for good, with their links to memories; returns how many events there were."""
    count = 0
    for chunk in chunks(event_ids):
        statement = delete(events).where(events.c.org_id == org_id, events.c.event_id.in_(chunk))
        count += connection.execute(statement).rowcount
    return count


def _said(event: Event) -> tuple[object, ...]:
    return event.content, event.kind.value, event.role, event.name, event.occurred_at


def _conditions(where: EventFilter) -> list[ColumnElement[bool]]:
    wanted: Mapping[str, str | None] = {
        "session_id": where.session_id,
        "actor_id": where.actor_id,
        "kind": where.kind,
        "status": where.status,
    }
    return [events.c[name] == value for name, value in wanted.items() if value is not None]


def _event(row: Row[*tuple[object, ...]] | tuple[object, ...]) -> Event:
    values: dict[str, Any] = dict(zip(_NAMES, row, strict=True))
    values["kind"] = EventKind(values["kind"])
    values["status"] = EventStatus(values["status"])
    values["channel"] = None if values["channel"] is None else Channel(str(values["channel"]))
    values["trust"] = Trust(values["trust"])
    return Event(**values)
