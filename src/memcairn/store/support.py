"""Where memories may rise to, and what supports those that have risen."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, or_, select, update

from memcairn.domain.claims import PRIVATE, marked_private
from memcairn.domain.events import ANONYMOUS, EventKind
from memcairn.domain.jobs import JobStatus, NewJob, Task
from memcairn.domain.memories import MemoryStatus
from memcairn.domain.scopes import Level, Scope
from memcairn.store import jobs
from memcairn.store import memories as memories_store
from memcairn.store.batches import chunks
from memcairn.store.dialect import upsert
from memcairn.store.schema import events, memories, memory_groups, memory_history, memory_sources, memory_support, users
from memcairn.store.schema import jobs as job_rows

DELETED_BY_HAND = "deleted"
"""The change in the history of a memory that somebody has deleted, itself and not what it was read from."""

Terms = NDArray[np.uint32]

_SUPPORT_COLUMNS = ("memory_id", "supporting_memory_id", "actor_id", "agreement", "worded", "created_at")


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A memory under a scope; `terms` is None when its statements have not been read for it yet."""

    scope_key: str
    memory_id: str
    terms: Terms | None


@dataclass(frozen=True, slots=True)
class SupportRow:
    """One memory behind another. `actor_id` is None for a role's or a team's memory; `worded`: the words are its.

    `observed_at` is that of the supporting memory.
    """

    memory_id: str
    supporting_memory_id: str
    actor_id: str | None
    agreement: float
    worded: bool
    created_at: datetime
    observed_at: datetime


@dataclass(frozen=True, slots=True)
class Risen:
    """A memory that has risen to a scope; `deleted`: by hand, for what is withdrawn leaves the scope."""

    memory_id: str
    text: str
    status: MemoryStatus
    deleted: bool


@dataclass(frozen=True, slots=True)
class Carried:
    """What the live events of a memory say about where it may rise to."""

    scope_keys: frozenset[str] = frozenset()
    private: bool = False


def groups_of(role_id: str | None, team_id: str | None) -> list[str]:
    """The scope keys of the role and the team an event carries."""
    keys = [] if role_id is None else [Scope(Level.ROLE, role_id=role_id).key]
    return keys if team_id is None else [*keys, Scope(Level.TEAM, team_id=team_id).key]


def enter(connection: Connection, org_id: str, places: Iterable[tuple[str, str]]) -> int:
    """Put memories under scopes, as (scope key, memory id), to be read; returns how many were not there before."""
    rows = [
        {"org_id": org_id, "scope_key": scope_key, "memory_id": memory_id, "terms": None}
        for scope_key, memory_id in dict.fromkeys(places)
    ]
    count = 0
    for chunk in chunks(rows):
        statement = upsert(connection, memory_groups).values(list(chunk)).on_conflict_do_nothing()
        count += len(connection.execute(statement.returning(memory_groups.c.memory_id)).all())
    return count


def read_again(connection: Connection, org_id: str, memory_ids: Sequence[str], *, scope_key: str | None = None) -> int:
    """Have these memories read again, under one scope or all of theirs; returns in how many places that is."""
    count = 0
    for chunk in chunks(memory_ids):
        mine = [memory_groups.c.org_id == org_id, memory_groups.c.memory_id.in_(chunk)]
        if scope_key is not None:
            mine.append(memory_groups.c.scope_key == scope_key)
        count += connection.execute(update(memory_groups).where(*mine).values(terms=None)).rowcount
    return count


def leave(connection: Connection, org_id: str, memory_id: str, scope_keys: Collection[str] | None = None) -> None:
    """Take a memory from under these scopes, or from under all."""
    statement = delete(memory_groups).where(memory_groups.c.org_id == org_id, memory_groups.c.memory_id == memory_id)
    if scope_keys is not None:
        statement = statement.where(memory_groups.c.scope_key.in_(list(scope_keys)))
    connection.execute(statement)


def note_read(connection: Connection, org_id: str, scope_key: str, terms: Mapping[str, Terms]) -> None:
    """Keep the terms of what was read; memories that have left the scope meanwhile are passed over."""
    for memory_id, its in terms.items():
        mine = (memory_groups.c.org_id == org_id, memory_groups.c.scope_key == scope_key)
        values = {"terms": np.unique(its).astype("<u4").tobytes()}
        connection.execute(update(memory_groups).where(*mine, memory_groups.c.memory_id == memory_id).values(values))


def unread(connection: Connection, org_id: str, *, limit: int) -> list[GroupRow]:
    """Places whose memory was not read for them yet, one scope after the other."""
    statement = select(memory_groups.c.scope_key, memory_groups.c.memory_id).where(
        memory_groups.c.org_id == org_id, memory_groups.c.terms.is_(None)
    )
    rows = connection.execute(statement.order_by(memory_groups.c.scope_key, memory_groups.c.memory_id).limit(limit))
    return [GroupRow(row.scope_key, row.memory_id, None) for row in rows]


def under(connection: Connection, org_id: str, scope_key: str) -> list[GroupRow]:
    """Everything that was read under a scope and states something, by id: what rises may depend on the order."""
    statement = select(memory_groups.c.memory_id, memory_groups.c.terms).where(
        memory_groups.c.org_id == org_id, memory_groups.c.scope_key == scope_key, func.length(memory_groups.c.terms) > 0
    )
    return [
        GroupRow(scope_key, row.memory_id, np.frombuffer(row.terms, dtype="<u4"))
        for row in connection.execute(statement.order_by(memory_groups.c.memory_id))
    ]


def places(connection: Connection, org_id: str, memory_ids: Sequence[str]) -> dict[str, set[str]]:
    """Memory to the scope keys it may rise to; what has risen is under its own scope besides."""
    found: dict[str, set[str]] = {}
    for chunk in chunks(memory_ids):
        statement = (
            select(memory_groups.c.memory_id, memory_groups.c.scope_key)
            .join(memories, _same_memory())
            .where(memory_groups.c.org_id == org_id, memory_groups.c.memory_id.in_(chunk))
            .where(memories.c.scope_key != memory_groups.c.scope_key)
        )
        for row in connection.execute(statement):
            found.setdefault(row.memory_id, set()).add(row.scope_key)
    return found


def risen(connection: Connection, org_id: str, scope_key: str) -> list[Risen]:
    """The memories that have risen to a scope, whatever became of them since."""
    columns = (memories.c.memory_id, memories.c.text, memories.c.status, memories.c.deleted_at)
    statement = (
        select(*columns)
        .join(memory_groups, _same_memory())
        .where(memory_groups.c.org_id == org_id, memory_groups.c.scope_key == scope_key)
        .where(memories.c.scope_key == scope_key)
    )
    return [
        Risen(row.memory_id, row.text, MemoryStatus(row.status), row.deleted_at is not None)
        for row in connection.execute(statement.order_by(memories.c.memory_id))
    ]


def add(connection: Connection, org_id: str, rows: Sequence[SupportRow]) -> None:
    values = [{"org_id": org_id} | {name: getattr(row, name) for name in _SUPPORT_COLUMNS} for row in rows]
    if values:
        connection.execute(insert(memory_support), values)


def of(connection: Connection, org_id: str, memory_ids: Sequence[str]) -> dict[str, list[SupportRow]]:
    """What supports each of these, oldest first; those without support are left out."""
    return _support(connection, org_id, memory_support.c.memory_id, memory_ids)


def affected_by(connection: Connection, org_id: str, memory_ids: Sequence[str]) -> dict[str, list[SupportRow]]:
    """Risen memory to those of its supports that are among `memory_ids`."""
    found: dict[str, list[SupportRow]] = {}
    for rows in _support(connection, org_id, memory_support.c.supporting_memory_id, memory_ids).values():
        for row in rows:
            found.setdefault(row.memory_id, []).append(row)
    return found


def drop(connection: Connection, org_id: str, memory_id: str, supporting: Collection[str]) -> None:
    """Take these away from what supports a memory."""
    mine = (memory_support.c.org_id == org_id, memory_support.c.memory_id == memory_id)
    for chunk in chunks(list(supporting)):
        connection.execute(delete(memory_support).where(*mine, memory_support.c.supporting_memory_id.in_(chunk)))


def mark_worded(connection: Connection, org_id: str, memory_id: str, supporting_memory_id: str) -> None:
    """Note whose words a memory has."""
    mine = (memory_support.c.org_id == org_id, memory_support.c.memory_id == memory_id)
    worded = memory_support.c.supporting_memory_id == supporting_memory_id
    connection.execute(update(memory_support).where(*mine).values(worded=worded))


def carried(connection: Connection, org_id: str, memory_ids: Sequence[str]) -> dict[str, Carried]:
    """What the live events of each memory carry. Only what people said counts, and nothing of an anonymous actor."""
    found: dict[str, Carried] = {}
    for chunk in chunks(memory_ids):
        statement = (
            select(memory_sources.c.memory_id, events.c.kind, events.c.role_id, events.c.team_id, events.c.metadata)
            .join(
                events,
                and_(events.c.org_id == memory_sources.c.org_id, events.c.event_id == memory_sources.c.event_id),
            )
            .where(memory_sources.c.org_id == org_id, memory_sources.c.memory_id.in_(chunk))
            .where(events.c.deleted_at.is_(None), ~events.c.actor_id.startswith(ANONYMOUS, autoescape=True))
        )
        for row in connection.execute(statement):
            before = found.get(row.memory_id, Carried())
            keys = groups_of(row.role_id, row.team_id) if row.kind == EventKind.USER_MESSAGE.value else []
            private = before.private or row.metadata.get(PRIVATE) is True
            found[row.memory_id] = Carried(before.scope_keys | set(keys), private)
    return found


def held_back(connection: Connection, org_id: str, memory_ids: Sequence[str]) -> set[str]:
    """Those whose live event also gave a memory that was superseded, marked private or deleted by hand since.

    What somebody said is in the message and in what was read out of it: taking back one of them takes back the words.
    """
    said_in = memories_store.source_ids(connection, org_id, memory_ids)
    read_from = _read_from(connection, org_id, list({event_id for its in said_in.values() for event_id in its}))
    return {
        memory_id
        for memory_id, event_ids in said_in.items()
        if any(read_from.get(event_id, frozenset()) - {memory_id} for event_id in event_ids)
    }


def _read_from(connection: Connection, org_id: str, event_ids: Sequence[str]) -> dict[str, frozenset[str]]:
    """Event to the memories read from it that say it no more."""
    found: dict[str, frozenset[str]] = {}
    columns = (memories.c.memory_id, memories.c.status, memories.c.tags, memories.c.metadata, memories.c.deleted_at)
    for chunk in chunks(event_ids):
        statement = (
            select(memory_sources.c.event_id, *columns)
            .join(
                memories,
                and_(memories.c.org_id == memory_sources.c.org_id, memories.c.memory_id == memory_sources.c.memory_id),
            )
            .where(memory_sources.c.org_id == org_id, memory_sources.c.event_id.in_(chunk))
        )
        rows = connection.execute(statement).all()
        by_hand = _deleted_by_hand(connection, org_id, [row.memory_id for row in rows if row.deleted_at is not None])
        for row in rows:
            closed = row.status == MemoryStatus.SUPERSEDED.value or marked_private(row.tags, row.metadata)
            if closed if row.deleted_at is None else row.memory_id in by_hand:
                found[row.event_id] = found.get(row.event_id, frozenset()) | {row.memory_id}
    return found


def _deleted_by_hand(connection: Connection, org_id: str, memory_ids: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for chunk in chunks(list(dict.fromkeys(memory_ids))):
        statement = select(memory_history.c.memory_id).where(
            memory_history.c.org_id == org_id,
            memory_history.c.memory_id.in_(chunk),
            memory_history.c.change == DELETED_BY_HAND,
        )
        found.update(connection.execute(statement).scalars())
    return found


def names_among(connection: Connection, org_id: str, scope_key: str, words: Collection[str]) -> set[str]:
    """Names of people that may stand among these words: of users called so, and of who spoke under a scope."""
    if not words:
        return set()
    found: set[str] = set()
    for chunk in chunks(sorted(words)):
        statement = select(users.c.first_name, users.c.last_name).where(
            users.c.org_id == org_id, or_(users.c.first_name.in_(chunk), users.c.last_name.in_(chunk))
        )
        found.update(name for row in connection.execute(statement) for name in row if name)
    speakers = (
        select(memories.c.speaker)
        .join(memory_groups, _same_memory())
        .where(memory_groups.c.org_id == org_id, memory_groups.c.scope_key == scope_key)
        .where(memories.c.speaker.is_not(None))
    )
    found.update(connection.execute(speakers.distinct()).scalars())
    return found


def job_for(org_id: str) -> NewJob:
    return NewJob(org_id, Task.PROMOTE, f"{org_id}:promotion", {})


def request(connection: Connection, org_id: str, now: datetime) -> None:
    """Have what is unread read soon, unless a job that will do it waits already."""
    waiting = select(job_rows.c.job_id).where(
        job_rows.c.org_id == org_id,
        job_rows.c.serial_key == job_for(org_id).serial_key,
        job_rows.c.task == Task.PROMOTE.value,
        job_rows.c.status == JobStatus.QUEUED.value,
    )
    if connection.execute(waiting.limit(1)).first() is None:
        jobs.enqueue(connection, [job_for(org_id)], now)


def _same_memory() -> ColumnElement[bool]:
    return and_(memories.c.org_id == memory_groups.c.org_id, memories.c.memory_id == memory_groups.c.memory_id)


def _support(
    connection: Connection, org_id: str, column: ColumnElement[str], ids: Sequence[str]
) -> dict[str, list[SupportRow]]:
    found: dict[str, list[SupportRow]] = {}
    columns = [memory_support.c[name] for name in _SUPPORT_COLUMNS]
    same = and_(
        memories.c.org_id == memory_support.c.org_id, memories.c.memory_id == memory_support.c.supporting_memory_id
    )
    for chunk in chunks(ids):
        statement = (
            select(*columns, memories.c.observed_at)
            .join(memories, same)
            .where(memory_support.c.org_id == org_id, column.in_(chunk))
            .order_by(memory_support.c.created_at, memory_support.c.supporting_memory_id, memory_support.c.memory_id)
        )
        for row in connection.execute(statement):
            found.setdefault(getattr(row, str(column.key)), []).append(SupportRow(**row._mapping))
    return found
