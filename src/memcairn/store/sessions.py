"""Sessions: one conversation each, made by hand or by the first event that names them."""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, exists, or_, select, update

from memcairn.domain.conversations import Session
from memcairn.domain.filters import Filter
from memcairn.domain.ids import new_id
from memcairn.store import counters, filters
from memcairn.store.batches import chunks
from memcairn.store.dialect import upsert, upsert_on
from memcairn.store.prepared import Prepared
from memcairn.store.schema import events, sessions, summaries

_COLUMNS = [column for column in sessions.c if column.name != "last_position"]
_NAMES = [column.name for column in _COLUMNS]
_CREATED = ("org_id", "session_id", "session_uuid", "number", "last_position", "created_at", "updated_at")
_LIVE = sessions.c.deleted_at.is_(None)
# Built once: they run with nearly every request, and putting them together takes longer than running them.
_THIS = and_(sessions.c.org_id == bindparam("of_org"), sessions.c.session_id == bindparam("of_session"))
_ANY_ONE = select(*_COLUMNS).where(_THIS)
_LIVE_ONE = _ANY_ONE.where(_LIVE)
_GET = Prepared(_LIVE_ONE)
_MOVE = (
    update(sessions)
    .where(_THIS)
    .values(last_position=sessions.c.last_position + bindparam("adding"), updated_at=bindparam("now"), deleted_at=None)
)
_ADVANCE = Prepared(_MOVE.returning(sessions.c.last_position, sessions.c.user_id))


@dataclass(frozen=True, slots=True)
class Opened:
    """A session ready to take messages: whose it is, and the first of the positions that were reserved."""

    user_id: str | None
    position: int


def reserve(connection: Connection, org_id: str, adding: Mapping[str, int], now: datetime) -> dict[str, int]:
    """Make or revive many sessions and reserve that many positions in each; returns the first of each.

    As many statements for a thousand sessions as for one.
    """
    # Sorted, so that two transactions that touch the same sessions lock them in the same order.
    counts = dict(sorted(adding.items()))
    known = _known(connection, org_id, list(counts))
    _create(connection, org_id, [session_id for session_id in counts if session_id not in known], now)
    moved = [
        {"of_org": org_id, "of_session": session_id, "adding": count, "now": now}
        for session_id, count in counts.items()
    ]
    if moved:
        connection.execute(_MOVE, moved)
    last = _known(connection, org_id, list(counts))
    return {session_id: last[session_id] - count + 1 for session_id, count in counts.items()}


def opened(connection: Connection, org_id: str, session_id: str, *, adding: int, now: datetime) -> Opened:
    """Make or revive the session and reserve `adding` positions in it."""
    row = _advance(connection, org_id, session_id, adding=adding, now=now)
    if row is None:
        _create(connection, org_id, [session_id], now)
        row = _advance(connection, org_id, session_id, adding=adding, now=now)
    assert row is not None, "a session that was just made must be there"  # noqa: S101 -- our own invariant
    return Opened(row.user_id, row.last_position - adding + 1)


def add(connection: Connection, session: Session) -> bool:
    """Insert a session under the number it carries, see `next_number`; False when the id is taken."""
    row = {name: getattr(session, name) for name in Session.__slots__}
    metadata = None if session.metadata is None else dict(session.metadata)
    statement = upsert(connection, sessions).values(row | {"metadata": metadata, "last_position": 0})
    statement = statement.on_conflict_do_nothing(index_elements=["org_id", "session_id"])
    return connection.execute(statement.returning(sessions.c.session_id)).first() is not None


def next_number(connection: Connection, org_id: str) -> int:
    return counters.take(connection, org_id, "sessions")


def get(
    connection: Connection, org_id: str, session_id: str, *, deleted: bool = False, locked: bool = False
) -> Session | None:
    """The live session of that id; with `deleted`, a deleted one too. `locked` keeps it still until the commit."""
    bound = {"of_org": org_id, "of_session": session_id}
    if not deleted and not locked:
        row = _GET.first(connection, bound)
    else:
        statement = _ANY_ONE if deleted else _LIVE_ONE
        row = connection.execute(statement.with_for_update() if locked else statement, bound).one_or_none()
    return None if row is None else _session(row)


def change(connection: Connection, org_id: str, session_id: str, values: Mapping[str, Any]) -> None:
    statement = update(sessions).where(sessions.c.org_id == org_id, sessions.c.session_id == session_id)
    connection.execute(statement.values(dict(values)))


def page(
    connection: Connection,
    org_id: str,
    *,
    after_number: int,
    limit: int | None,
    user_id: str | None = None,
    metadata: Filter | None = None,
) -> list[Session]:
    """Live sessions by ascending number, at most `limit` of them behind `after_number`."""
    statement = select(*_COLUMNS).where(sessions.c.org_id == org_id, sessions.c.number > after_number, _LIVE)
    if user_id is not None:
        statement = statement.where(sessions.c.user_id == user_id)
    if metadata is not None:
        statement = statement.where(filters.condition(connection, sessions.c.metadata, metadata))
    statement = statement.order_by(sessions.c.number).limit(limit)
    return [_session(row) for row in connection.execute(statement)]


def ids_of_user(connection: Connection, org_id: str, user_id: str, *, limit: int) -> list[str]:
    """Every session of a user, deleted ones included."""
    statement = select(sessions.c.session_id).where(sessions.c.org_id == org_id, sessions.c.user_id == user_id)
    return list(connection.execute(statement.order_by(sessions.c.number).limit(limit)).scalars())


def hide_of_user(connection: Connection, org_id: str, user_id: str, now: datetime) -> None:
    """Hide every session of a user with its summaries, in one go."""
    mine = select(sessions.c.session_id).where(sessions.c.org_id == org_id, sessions.c.user_id == user_id)
    of_them = update(summaries).where(
        summaries.c.org_id == org_id, summaries.c.session_id.in_(mine), summaries.c.deleted_at.is_(None)
    )
    connection.execute(of_them.values(deleted_at=now))
    statement = update(sessions).where(sessions.c.org_id == org_id, sessions.c.user_id == user_id, _LIVE)
    connection.execute(statement.values(deleted_at=now, updated_at=now))


def deleted_until(connection: Connection, org_id: str, moment: datetime, *, limit: int) -> list[str]:
    """Sessions deleted at `moment` or before of which no event is left."""
    statement = (
        select(sessions.c.session_id)
        .where(sessions.c.org_id == org_id, sessions.c.deleted_at <= moment, ~_has_events())
        .limit(limit)
    )
    return list(connection.execute(statement).scalars())


def empty_among(connection: Connection, org_id: str, session_ids: Sequence[str], *, user_id: str) -> list[str]:
    """Those without a single event, live or deleted, that belong to this user or to nobody."""
    found: list[str] = []
    for chunk in chunks(session_ids):
        statement = select(sessions.c.session_id).where(
            sessions.c.org_id == org_id,
            sessions.c.session_id.in_(chunk),
            or_(sessions.c.user_id == user_id, sessions.c.user_id.is_(None)),
            ~_has_events(),
        )
        found += connection.execute(statement).scalars()
    return found


def erase(connection: Connection, org_id: str, session_ids: Sequence[str]) -> dict[str, int]:
    """Remove sessions without events for good, with their summaries; returns how many rows of each table."""
    counts = {"sessions": 0, "summaries": 0}
    for chunk in chunks(session_ids):
        of_sessions = delete(summaries).where(summaries.c.org_id == org_id, summaries.c.session_id.in_(chunk))
        counts["summaries"] += connection.execute(of_sessions).rowcount
        statement = delete(sessions).where(sessions.c.org_id == org_id, sessions.c.session_id.in_(chunk))
        counts["sessions"] += connection.execute(statement).rowcount
    return counts


def _has_events() -> ColumnElement[bool]:
    return exists().where(events.c.org_id == sessions.c.org_id, events.c.session_id == sessions.c.session_id)


def _advance(connection: Connection, org_id: str, session_id: str, *, adding: int, now: datetime) -> Any | None:
    bound = {"of_org": org_id, "of_session": session_id, "adding": adding, "now": now}
    return _ADVANCE.first(connection, bound)


def _known(connection: Connection, org_id: str, session_ids: Sequence[str]) -> dict[str, int]:
    """The last position of each session that is there, deleted ones included."""
    found: dict[str, int] = {}
    for chunk in chunks(session_ids):
        statement = select(sessions.c.session_id, sessions.c.last_position)
        statement = statement.where(sessions.c.org_id == org_id, sessions.c.session_id.in_(chunk))
        found |= {row.session_id: row.last_position for row in connection.execute(statement)}
    return found


def _create(connection: Connection, org_id: str, session_ids: Sequence[str], now: datetime) -> None:
    """Insert sessions nobody has described; one that another transaction made first stays as it is."""
    if not session_ids:
        return
    first = counters.take(connection, org_id, "sessions", count=len(session_ids))
    rows = [
        {
            "org_id": org_id,
            "session_id": session_id,
            "session_uuid": new_id(),
            "number": number,
            "last_position": 0,
            "created_at": now,
            "updated_at": now,
        }
        for number, session_id in enumerate(session_ids, start=first)
    ]
    _creating(connection.dialect.name).run(connection, rows)


@functools.cache
def _creating(dialect: str) -> Prepared:
    statement = upsert_on(dialect, sessions).on_conflict_do_nothing(index_elements=["org_id", "session_id"])
    return Prepared(statement, columns=_CREATED, plain=False)


def _session(row: Iterable[Any]) -> Session:
    return Session(**dict(zip(_NAMES, row, strict=True)))
