"""Removing rows for good: what is old enough to go, and what must not outlive it."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, delete, select, update

from memcairn.domain.jobs import Task
from memcairn.store import events, locks, memories, sessions, wiping
from memcairn.store.batches import chunks
from memcairn.store.idempotency import KEEP_FOR
from memcairn.store.paging import behind
from memcairn.store.schema import documents, idempotency, jobs, memory_history, memory_sources, summaries
from memcairn.store.schema import events as event_rows
from memcairn.store.schema import memories as memory_rows
from memcairn.store.schema import sessions as session_rows

ANSWERS_PER_PAGE = 500
JOBS_PER_PAGE = 200


@dataclass(frozen=True, slots=True)
class Removed:
    """Rows removed per table, and the ids by which a kept answer to a request may still name them."""

    counts: Mapping[str, int]
    ids: frozenset[str] = frozenset()

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class AnswerKey:
    """The place of a kept answer."""

    key_id: str
    idempotency_key: str


def remove_some(connection: Connection, org_id: str, deleted_until: datetime, *, limit: int) -> Removed:
    """Remove up to `limit` rows of each kind that were deleted at `deleted_until` or before; nothing: all are gone.

    Events that are held stay, and their sessions with them.
    """
    locks.reworking(connection, org_id)
    counts: Counter[str] = Counter()
    old_memories = _ids(connection, org_id, deleted_until, memory_rows.c.memory_id, limit)
    counts.update(erase_memories(connection, org_id, old_memories))
    old_events = events.deleted_until(connection, org_id, deleted_until, limit=limit)
    counts.update(erase_events(connection, org_id, old_events))
    for table, key in ((summaries, summaries.c.summary_id), (documents, documents.c.document_uuid)):
        ids = _ids(connection, org_id, deleted_until, key, limit)
        counts[table.name] += connection.execute(delete(table).where(table.c.org_id == org_id, key.in_(ids))).rowcount
    old_sessions: list[str] = []
    if not old_events:
        old_sessions = sessions.deleted_until(connection, org_id, deleted_until, limit=limit)
        counts.update(sessions.erase(connection, org_id, old_sessions))
    removed = Removed({table: count for table, count in counts.items() if count}, frozenset(old_events + old_sessions))
    if removed.total:
        wiping.owe(connection)
    return removed


def erase_memories(connection: Connection, org_id: str, memory_ids: Sequence[str]) -> dict[str, int]:
    """Remove memories for good with their history and links; the index must not hold them any more."""
    counts = {"memories": 0, "memory_history": 0, "memory_sources": 0}
    for chunk in chunks(memory_ids):
        for table in (memory_history, memory_sources):
            mine = (table.c.org_id == org_id, table.c.memory_id.in_(chunk))
            counts[table.name] += connection.execute(delete(table).where(*mine)).rowcount
        counts["memories"] += memories.erase(connection, org_id, chunk)
    return counts


def erase_events(connection: Connection, org_id: str, event_ids: Sequence[str]) -> dict[str, int]:
    """Remove events for good with their links to memories."""
    counts = {"events": 0, "memory_sources": 0}
    for chunk in chunks(event_ids):
        links = delete(memory_sources).where(memory_sources.c.org_id == org_id, memory_sources.c.event_id.in_(chunk))
        counts["memory_sources"] += connection.execute(links).rowcount
        counts["events"] += events.erase(connection, org_id, chunk)
    return counts


def deleted_resting_on(connection: Connection, org_id: str, event_ids: Sequence[str]) -> list[str]:
    """The deleted memories that rested on any of these events."""
    found: dict[str, None] = {}
    for chunk in chunks(event_ids):
        statement = (
            select(memory_sources.c.memory_id)
            .join(
                memory_rows,
                and_(
                    memory_rows.c.org_id == memory_sources.c.org_id,
                    memory_rows.c.memory_id == memory_sources.c.memory_id,
                ),
            )
            .where(memory_sources.c.org_id == org_id, memory_sources.c.event_id.in_(chunk))
            .where(memory_rows.c.deleted_at.is_not(None))
        )
        found |= dict.fromkeys(connection.execute(statement).scalars())
    return list(found)


def deleted_among(connection: Connection, org_id: str, memory_ids: Sequence[str]) -> list[str]:
    """Those of these memories that are deleted."""
    found: list[str] = []
    for chunk in chunks(memory_ids):
        statement = select(memory_rows.c.memory_id).where(
            memory_rows.c.org_id == org_id, memory_rows.c.memory_id.in_(chunk), memory_rows.c.deleted_at.is_not(None)
        )
        found += connection.execute(statement).scalars()
    return found


def memories_of_scope(connection: Connection, org_id: str, scope_key: str, *, limit: int) -> list[str]:
    """Memories of a scope in whatever state, deleted ones included."""
    statement = select(memory_rows.c.memory_id).where(
        memory_rows.c.org_id == org_id, memory_rows.c.scope_key == scope_key
    )
    return list(connection.execute(statement.limit(limit)).scalars())


def erase_hidden_summaries(connection: Connection, org_id: str, session_ids: Collection[str]) -> int:
    """Remove for good the deleted summaries of these sessions."""
    count = 0
    for chunk in chunks(list(session_ids)):
        statement = delete(summaries).where(
            summaries.c.org_id == org_id, summaries.c.session_id.in_(chunk), summaries.c.deleted_at.is_not(None)
        )
        count += connection.execute(statement).rowcount
    return count


def clear_jobs(connection: Connection, org_id: str, *, after: str) -> tuple[int, str | None]:
    """Take what no longer exists out of a page of jobs; returns how many went whole, and where the next page starts.

    A job that is left without anything to do is removed, whoever has it: a worker that does will find it lost.
    """
    statement = select(jobs.c.job_id, jobs.c.task, jobs.c.payload).where(jobs.c.org_id == org_id, jobs.c.job_id > after)
    rows = connection.execute(statement.order_by(jobs.c.job_id).limit(JOBS_PER_PAGE)).all()
    named = {row.job_id: _named_by(row.task, row.payload) for row in rows}
    present = _present(connection, org_id, [each for its in named.values() for each in its])
    removed = 0
    for row in rows:
        its = named[row.job_id]
        left = [each for each in its if each in present]
        mine = (jobs.c.org_id == org_id, jobs.c.job_id == row.job_id)
        if its and not left:
            removed += connection.execute(delete(jobs).where(*mine)).rowcount
        elif len(left) < len(its):
            # What a failure said may hold words of what is gone.
            payload = {**row.payload, "event_ids": left}
            connection.execute(update(jobs).where(*mine).values(payload=payload, error=None))
    return removed, rows[-1].job_id if len(rows) == JOBS_PER_PAGE else None


def jobs_about_live(connection: Connection, org_id: str, found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of jobs without the events and sessions that are deleted, and without the jobs that are about nothing else.

    What a failed one said is taken out of those that lose something: it may hold words of what is deleted.
    """
    named = [_named_by(row["task"], row["payload"]) for row in found]
    live = _present(connection, org_id, [each for its in named for each in its], deleted=False)
    kept = []
    for row, its in zip(found, named, strict=True):
        left = [each for each in its if each in live]
        if its and len(left) < len(its):
            row = {**row, "payload": {**row["payload"], "event_ids": left}, "error": None}
        if left or not its:
            kept.append(row)
    return kept


def answers_naming(
    connection: Connection, org_id: str, gone: Collection[str], *, after: AnswerKey | None
) -> tuple[list[AnswerKey], AnswerKey | None]:
    """The kept answers of a page that name one of the ids, and where the next page starts."""
    place = (idempotency.c.key_id, idempotency.c.idempotency_key)
    statement = select(*place, idempotency.c.body).where(idempotency.c.org_id == org_id)
    if after is not None:
        statement = statement.where(behind(place, (after.key_id, after.idempotency_key)))
    rows = connection.execute(statement.order_by(*place).limit(ANSWERS_PER_PAGE)).all()
    naming = [AnswerKey(row[0], row[1]) for row in rows if any(text in gone for text in _texts(row.body))]
    return naming, AnswerKey(rows[-1][0], rows[-1][1]) if len(rows) == ANSWERS_PER_PAGE else None


def remove_answers(connection: Connection, org_id: str, answers: Sequence[AnswerKey], now: datetime) -> int:
    """Remove these kept answers, and those that have expired."""
    expired = delete(idempotency).where(idempotency.c.org_id == org_id, idempotency.c.created_at <= now - KEEP_FOR)
    count = connection.execute(expired).rowcount
    for answer in answers:
        statement = delete(idempotency).where(
            idempotency.c.org_id == org_id,
            idempotency.c.key_id == answer.key_id,
            idempotency.c.idempotency_key == answer.idempotency_key,
        )
        count += connection.execute(statement).rowcount
    return count


def _ids(connection: Connection, org_id: str, deleted_until: datetime, key: Any, limit: int) -> list[str]:
    table = key.table
    statement = select(key).where(table.c.org_id == org_id, table.c.deleted_at <= deleted_until).limit(limit)
    return list(connection.execute(statement).scalars())


def _named_by(task: str, payload: Mapping[str, Any]) -> list[str]:
    """The events or the session a job is about; none for tasks about other things."""
    if task == Task.PROCESS_EVENTS.value:
        return list(payload["event_ids"])
    return [payload["session_id"]] if task == Task.SUMMARISE.value else []


def _present(connection: Connection, org_id: str, ids: Sequence[str], *, deleted: bool = True) -> set[str]:
    """Which of these are ids of events or sessions that exist, `deleted` ones included or not."""
    found: set[str] = set()
    for chunk in chunks(list(dict.fromkeys(ids))):
        for table, key in ((event_rows, event_rows.c.event_id), (session_rows, session_rows.c.session_id)):
            statement = select(key).where(table.c.org_id == org_id, key.in_(chunk))
            if not deleted:
                statement = statement.where(table.c.deleted_at.is_(None))
            found.update(connection.execute(statement).scalars())
    return found


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield key
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
