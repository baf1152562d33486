"""Rolling summaries, and when the next one is due.

A summary covers everything of its session up to `up_to_position`. It must not outlive what it was made from: whoever
deletes or rewrites a message calls `forget_covering`, whoever deletes a session `hide_of_session`.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Integer, Row, bindparam, func, insert, select, update

from memcairn.domain.events import Event
from memcairn.domain.jobs import JobStatus, NewJob, Task
from memcairn.domain.summaries import Summary
from memcairn.store import jobs
from memcairn.store.batches import chunks
from memcairn.store.index.pools import pack_vector
from memcairn.store.paging import behind
from memcairn.store.prepared import Prepared
from memcairn.store.schema import events, summaries
from memcairn.store.schema import jobs as job_rows

_COLUMNS = [summaries.c[name] for name in Summary.__slots__]
_LIVE = summaries.c.deleted_at.is_(None)
_BLANKS = " \t\n\r\x0b\x0c"
# Built once: they run with nearly every message, and putting them together takes longer than running them.
_SAID_AFTER = (
    select(events.c.event_id)
    .where(
        events.c.org_id == bindparam("of_org"),
        events.c.session_id == bindparam("of_session"),
        events.c.position > bindparam("after"),
        events.c.deleted_at.is_(None),
        func.trim(events.c.content, _BLANKS) != "",
    )
    .order_by(events.c.position.desc())
)
_NEWEST_SAID_AFTER = Prepared(_SAID_AFTER.limit(bindparam("count", type_=Integer)))
# By the key alone: offered the org and the status too, SQLite would rather look through the org's whole queue.
_WITH_KEYS = select(job_rows.c.org_id, job_rows.c.serial_key, job_rows.c.task, job_rows.c.status).where(
    job_rows.c.serial_key.in_(bindparam("serial_keys", expanding=True))
)
_WITH_KEY = Prepared(
    select(job_rows.c.org_id, job_rows.c.serial_key, job_rows.c.task, job_rows.c.status).where(
        job_rows.c.serial_key == bindparam("serial_key")
    )
)
_REACHED = (
    select(summaries.c.session_id, func.max(summaries.c.up_to_position))
    .where(
        summaries.c.org_id == bindparam("of_org"),
        summaries.c.session_id.in_(bindparam("session_ids", expanding=True)),
        _LIVE,
    )
    .group_by(summaries.c.session_id)
)
_REACHED_BY_ONE = Prepared(
    select(func.max(summaries.c.up_to_position).label("reached")).where(
        summaries.c.org_id == bindparam("of_org"), summaries.c.session_id == bindparam("of_session"), _LIVE
    )
)


@dataclass(frozen=True, slots=True)
class Mark:
    """The last summary of a page: the next one starts behind it."""

    up_to_position: int
    summary_id: str


def due(connection: Connection, org_id: str, added: Iterable[Event], *, window: int) -> list[NewJob]:
    """The summaries that events just stored have made due: enqueue the jobs in the same transaction.

    One for each session with at least `window` live events, blank ones not counted, behind its latest summary, unless
    one waits already. Costs nothing for sessions shorter than the window, and one query for all others that have not
    come that far.
    """
    last: dict[str, int] = {}
    for event in added:
        last[event.session_id] = max(last.get(event.session_id, 0), event.position)
    long_enough = [session_id for session_id, position in last.items() if position >= window]
    reached = _reached(connection, org_id, long_enough)
    candidates = [each for each in long_enough if last[each] - reached.get(each, 0) >= window]
    waiting = _waiting(connection, org_id, candidates)
    return [
        job_for(org_id, session_id)
        for session_id in candidates
        if session_id not in waiting
        and len(said_after(connection, org_id, session_id, after=reached.get(session_id, 0), limit=window)) == window
    ]


def job_for(org_id: str, session_id: str) -> NewJob:
    return NewJob(org_id, Task.SUMMARISE, f"{org_id}:summary:{session_id}", {"session_id": session_id})


def said_after(
    connection: Connection, org_id: str, session_id: str, *, after: int, limit: int | None = None
) -> list[str]:
    """Ids of the live events behind position `after` that are not blank: the newest `limit`, oldest first."""
    bound = {"of_org": org_id, "of_session": session_id, "after": after}
    if limit is None:
        return list(connection.execute(_SAID_AFTER, bound).scalars())[::-1]
    return [row.event_id for row in _NEWEST_SAID_AFTER.rows(connection, bound | {"count": limit})][::-1]


def add(
    connection: Connection, summary: Summary, *, vector: NDArray[np.float32] | None, model: str | None = None
) -> None:
    """Keep a summary; `vector` has unit length and was made by `model`, None: it is found by its words alone."""
    row = {name: getattr(summary, name) for name in Summary.__slots__}
    row |= {"metadata": dict(summary.metadata), "vector": None, "model": None}
    if vector is not None:
        row |= {"vector": pack_vector(vector), "model": model}
    connection.execute(insert(summaries), row)


def latest(connection: Connection, org_id: str, session_id: str) -> Summary | None:
    """The live summary of the session that reaches furthest."""
    found = page(connection, org_id, session_id, after=None, limit=1)
    return found[0] if found else None


def page(connection: Connection, org_id: str, session_id: str, *, after: Mark | None, limit: int) -> list[Summary]:
    """Live summaries, the one that reaches furthest first, at most `limit` of them behind `after`."""
    statement = select(*_COLUMNS).where(summaries.c.org_id == org_id, summaries.c.session_id == session_id, _LIVE)
    order = (summaries.c.up_to_position, summaries.c.summary_id)
    if after is not None:
        statement = statement.where(behind(order, (after.up_to_position, after.summary_id), descending=True))
    statement = statement.order_by(*(column.desc() for column in order)).limit(limit)
    return [_summary(row) for row in connection.execute(statement)]


def forget_covering(
    connection: Connection, org_id: str, session_id: str, positions: Collection[int], now: datetime
) -> int:
    """Hide every summary that may hold words of the events at `positions`, and queue a new one in their place.

    Call it in the transaction that deletes these events or changes what they say, after that change. Returns how many
    summaries went; summaries that end before the first of the positions stay.
    """
    if not positions:
        return 0
    gone = _hide(connection, org_id, session_id, reaching=min(positions), now=now)
    if gone and not _waiting(connection, org_id, [session_id]):
        jobs.enqueue(connection, [job_for(org_id, session_id)], now)
    return gone


def hide_of_session(connection: Connection, org_id: str, session_id: str, now: datetime) -> int:
    """Hide every summary of a session that is being deleted; returns how many there were."""
    return _hide(connection, org_id, session_id, reaching=0, now=now)


def _hide(connection: Connection, org_id: str, session_id: str, *, reaching: int, now: datetime) -> int:
    statement = update(summaries).where(
        summaries.c.org_id == org_id,
        summaries.c.session_id == session_id,
        summaries.c.up_to_position >= reaching,
        _LIVE,
    )
    return connection.execute(statement.values(deleted_at=now)).rowcount


def _reached(connection: Connection, org_id: str, session_ids: Sequence[str]) -> dict[str, int]:
    """How far the summaries of each session reach; those without any are left out."""
    if len(session_ids) == 1:
        reached = _REACHED_BY_ONE.first(connection, {"of_org": org_id, "of_session": session_ids[0]}).reached
        return {} if reached is None else {session_ids[0]: reached}
    found: dict[str, int] = {}
    for chunk in chunks(session_ids):
        bound = {"of_org": org_id, "session_ids": list(chunk)}
        found |= {row[0]: row[1] for row in connection.execute(_REACHED, bound)}
    return found


def _waiting(connection: Connection, org_id: str, session_ids: Sequence[str]) -> set[str]:
    """The sessions with a summary queued; one under way has read its events already and does not count."""
    by_key = {job_for(org_id, session_id).serial_key: session_id for session_id in session_ids}
    found: set[str] = set()
    for chunk in chunks(list(by_key)):
        for row in _jobs_with(connection, chunk):
            if (row.org_id, row.task, row.status) == (org_id, Task.SUMMARISE.value, JobStatus.QUEUED.value):
                found.add(by_key[row.serial_key])
    return found


def _jobs_with(connection: Connection, serial_keys: Sequence[str]) -> Iterable[Any]:
    if len(serial_keys) == 1:
        return _WITH_KEY.rows(connection, {"serial_key": serial_keys[0]})
    return connection.execute(_WITH_KEYS, {"serial_keys": list(serial_keys)})


def _summary(row: Row[*tuple[object, ...]]) -> Summary:
    return Summary(**row._mapping)
