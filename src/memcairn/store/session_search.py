"""What a search in one conversation looks at: its messages or summaries, with their vectors."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Row, and_, select

from memcairn.domain.candidates import MESSAGE
from memcairn.domain.filters import Filter
from memcairn.domain.summaries import Summary
from memcairn.store import filters
from memcairn.store.batches import chunks
from memcairn.store.index.pools import vectors_of
from memcairn.store.schema import events, index_rows, memories, memory_sources, summaries


@dataclass(frozen=True, slots=True)
class Bounds:
    """Which rows of a session are looked at: those that fulfil `where`, created from `start` to `end`, inclusive."""

    where: Filter | None = None
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Vectors:
    """Ids, newest first, and a vector for each; an id with a long text has several rows in a row."""

    ids: Sequence[str]
    rows: NDArray[np.float32]


def message_ids(
    connection: Connection, org_id: str, session_id: str, bounds: Bounds, *, limit: int | None = None
) -> list[str]:
    """Live messages within `bounds`, the newest first."""
    statement = select(events.c.event_id).where(*_messages(connection, org_id, session_id, bounds))
    return list(connection.execute(statement.order_by(events.c.position.desc()).limit(limit)).scalars())


def message_vectors(
    connection: Connection, org_id: str, session_id: str, bounds: Bounds, *, model: str, dimensions: int
) -> Vectors:
    """The vectors of `model` that the memories of the messages' own words have in the index."""
    # Joined in one statement, or with the model in it, SQLite would begin with every row the org has.
    ids = message_ids(connection, org_id, session_id, bounds)
    resting_on = _memories_on(connection, org_id, ids)
    of_memories = rows_of_messages(connection, org_id, list(resting_on))
    place = {event_id: number for number, event_id in enumerate(ids)}
    rows = [
        (place[event_id], row.segment, event_id, row)
        for row in of_memories
        if row.model == model
        for event_id in resting_on[row.memory_id]
    ]
    rows.sort(key=lambda each: (each[0], each[3].memory_id, each[1]))
    return Vectors(
        [event_id for _, _, event_id, _ in rows],
        vectors_of([row for *_, row in rows], model=model, dimensions=dimensions),
    )


def message_texts(connection: Connection, org_id: str, ids: Sequence[str]) -> dict[str, str]:
    """What each of these messages says, in the order asked for."""
    found: dict[str, str] = {}
    for chunk in chunks(ids):
        statement = select(events.c.event_id, events.c.content).where(
            events.c.org_id == org_id, events.c.event_id.in_(chunk)
        )
        found |= {row.event_id: row.content for row in connection.execute(statement)}
    return {event_id: found[event_id] for event_id in ids if event_id in found}


def summary_ids(
    connection: Connection, org_id: str, session_id: str, bounds: Bounds, *, limit: int | None = None
) -> list[str]:
    """Live summaries within `bounds`, the newest first."""
    statement = select(summaries.c.summary_id).where(*_summaries(connection, org_id, session_id, bounds))
    return list(connection.execute(statement.order_by(*_NEWEST_SUMMARY).limit(limit)).scalars())


def summary_vectors(
    connection: Connection, org_id: str, session_id: str, bounds: Bounds, *, model: str, dimensions: int
) -> Vectors:
    statement = (
        select(summaries.c.summary_id, summaries.c.vector, summaries.c.model)
        .where(*_summaries(connection, org_id, session_id, bounds))
        .where(summaries.c.vector.is_not(None), summaries.c.model == model)
        .order_by(*_NEWEST_SUMMARY)
    )
    rows = connection.execute(statement).all()
    return Vectors([row.summary_id for row in rows], vectors_of(rows, model=model, dimensions=dimensions))


def summary_texts(connection: Connection, org_id: str, ids: Sequence[str]) -> dict[str, str]:
    return {summary.summary_id: summary.content for summary in summaries_by_id(connection, org_id, ids)}


def summaries_by_id(connection: Connection, org_id: str, summary_ids: Sequence[str]) -> list[Summary]:
    """The live summaries among `summary_ids`, in the order asked for."""
    found: dict[str, Summary] = {}
    for chunk in chunks(summary_ids):
        statement = select(*(summaries.c[name] for name in Summary.__slots__)).where(
            summaries.c.org_id == org_id, summaries.c.summary_id.in_(chunk), summaries.c.deleted_at.is_(None)
        )
        found |= {row.summary_id: Summary(**row._mapping) for row in connection.execute(statement)}
    return [found[each] for each in summary_ids if each in found]


_NEWEST_SUMMARY = (summaries.c.up_to_position.desc(), summaries.c.summary_id.desc())


def _memories_on(connection: Connection, org_id: str, event_ids: Sequence[str]) -> dict[str, list[str]]:
    """The memories that rest on these events, and for each the events."""
    found: dict[str, list[str]] = {}
    for chunk in chunks(event_ids):
        statement = select(memory_sources.c.memory_id, memory_sources.c.event_id).where(
            memory_sources.c.org_id == org_id, memory_sources.c.event_id.in_(chunk)
        )
        for row in connection.execute(statement):
            found.setdefault(row.memory_id, []).append(row.event_id)
    return found


def rows_of_messages(connection: Connection, org_id: str, memory_ids: Sequence[str]) -> list[Row[*tuple[Any, ...]]]:
    """The index rows that have a vector of those memories that hold the words of a message."""
    same = and_(index_rows.c.org_id == memories.c.org_id, index_rows.c.memory_id == memories.c.memory_id)
    columns = (memories.c.memory_id, index_rows.c.segment, index_rows.c.vector, index_rows.c.model)
    found: list[Row[*tuple[Any, ...]]] = []
    for chunk in chunks(memory_ids):
        statement = (
            select(*columns)
            .select_from(memories.join(index_rows, same))
            .where(memories.c.org_id == org_id, memories.c.memory_id.in_(chunk), memories.c.deleted_at.is_(None))
            .where(memories.c.type == MESSAGE, index_rows.c.vector.is_not(None))
        )
        found += connection.execute(statement).all()
    return found


def _messages(connection: Connection, org_id: str, session_id: str, bounds: Bounds) -> tuple[ColumnElement[bool], ...]:
    mine = (events.c.org_id == org_id, events.c.session_id == session_id, events.c.deleted_at.is_(None))
    return (*mine, *_within(connection, events.c.created_at, events.c.metadata, bounds))


def _summaries(connection: Connection, org_id: str, session_id: str, bounds: Bounds) -> tuple[ColumnElement[bool], ...]:
    mine = (summaries.c.org_id == org_id, summaries.c.session_id == session_id, summaries.c.deleted_at.is_(None))
    return (*mine, *_within(connection, summaries.c.created_at, summaries.c.metadata, bounds))


def _within(
    connection: Connection, created_at: ColumnElement[datetime], metadata: ColumnElement[Any], bounds: Bounds
) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if bounds.start is not None:
        conditions.append(created_at >= bounds.start)
    if bounds.end is not None:
        conditions.append(created_at <= bounds.end)
    if bounds.where is not None:
        conditions.append(filters.condition(connection, metadata, bounds.where))
    return conditions
