"""Looking for damage: everything that is stored twice, or follows from something else, is compared.

What stands in one place only and follows from nothing, such as the metadata of a session, has nothing to be compared
with: a changed letter in it is seen when it cannot be read any more, and otherwise not.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from sqlalchemy import Connection, Table, and_, exists, select
from sqlalchemy.exc import DatabaseError

from memcairn.core.deps import Deps
from memcairn.core.indexing import prepare_now
from memcairn.core.ingest import digest_of
from memcairn.core.reindexing import differs, due, forgotten_events
from memcairn.domain.events import Event, NewEvent
from memcairn.store import events, orgs, rows, tally_check
from memcairn.store.index import inspection
from memcairn.store.index.inspection import Held
from memcairn.store.index.pools import pack_vector, unpack_vector
from memcairn.store.schema import events as event_rows
from memcairn.store.schema import memories, memory_sources

ROWS_AT_ONCE = 500
EXAMPLES = 3
REPEATABLE_MODELS = ("static", "fake")
"""Beginnings of the names of embedders that give the same bytes for the same text on every machine."""

RESTORE = "Restore a backup, or the rows from one."
REINDEX = "`memcairn reindex` mends it while the server serves."

OnProgress = Callable[[str, int, int], None]


@dataclass(slots=True)
class Finding:
    """One kind of thing looked at: how many were, and which of them are not as they must be."""

    name: str
    what: str
    way_out: str
    checked: int = 0
    wrong: int = 0
    examples: list[str] = field(default_factory=list)

    def note(self, example: str, count: int = 1) -> None:
        self.wrong += count
        if len(self.examples) < EXAMPLES:
            self.examples.append(example)


async def examine(deps: Deps, on_progress: OnProgress = lambda _name, _done, _all: None) -> AsyncIterator[Finding]:
    """Compare everything of every org, one kind after the other; nothing is changed, and others may write meanwhile.

    Takes about a minute for 100,000 memories, most of it embedding them again.
    """
    for look, name, what, way_out in _LOOKS:
        finding = Finding(name, what, way_out)
        try:
            await look(deps, finding, on_progress)
        except DatabaseError as error:
            finding.note(f"the database says: {error.orig}")
        except (ValueError, TypeError, KeyError) as error:
            finding.note(f"a row cannot be read: {error}")
        yield finding


async def _rows_readable(deps: Deps, finding: Finding, on_progress: OnProgress) -> None:
    for table in rows.moved_tables():
        total = await deps.db.read(rows.count, table)
        after: Sequence[object] | None = None
        while (seen := await deps.db.read(_read_page, table, after, finding)) is not None:
            after = seen
            on_progress(f"rows of {table.name}", finding.checked, total)


def _read_page(
    connection: Connection, table: Table, after: Sequence[object] | None, finding: Finding
) -> Sequence[object] | None:
    """Read a page of a table; the key it ends with, None behind the last row."""
    try:
        found = rows.page(connection, table, after=after, limit=ROWS_AT_ONCE)
    except (ValueError, TypeError, DatabaseError) as error:
        # Somewhere in these rows is one that cannot be read: its neighbours still are, one by one.
        return _read_one_by_one(connection, table, after, finding, error)
    finding.checked += len(found)
    return rows.key_of(table, found[-1]) if found else None


def _read_one_by_one(
    connection: Connection, table: Table, after: Sequence[object] | None, finding: Finding, error: Exception
) -> Sequence[object] | None:
    keys = rows.keys(connection, table, after=after, limit=ROWS_AT_ONCE)
    for key in keys:
        finding.checked += 1
        try:
            rows.at(connection, table, key)
        except (ValueError, TypeError, DatabaseError) as reason:
            finding.note(f"{table.name} {key}: {reason}")
    if not keys:
        finding.note(f"{table.name}: {error}")
        return None
    return keys[-1]


async def _words_of_events(deps: Deps, finding: Finding, on_progress: OnProgress) -> None:
    for org_id in await _org_ids(deps):
        after = ""
        while ids := await deps.db.read(events.ids_after, org_id, after=after, limit=ROWS_AT_ONCE):
            after = ids[-1]
            await deps.db.read(_compare_words, org_id, ids, finding)
            on_progress(finding.name, finding.checked, 0)


def _compare_words(connection: Connection, org_id: str, event_ids: Sequence[str], finding: Finding) -> None:
    digests = events.digests_by_id(connection, org_id, event_ids)
    for event in events.by_ids(connection, org_id, event_ids, deleted=True):
        finding.checked += 1
        if digests[event.event_id] not in (digest_of(_said(event, timed=True)), digest_of(_said(event, timed=False))):
            finding.note(f"event {event.event_id} of {org_id}")


def _said(event: Event, *, timed: bool) -> NewEvent:
    said_at = event.occurred_at if timed else None
    return NewEvent(event.actor_id, event.session_id, event.kind, event.content, name=event.name, occurred_at=said_at)


async def _sources(deps: Deps, finding: Finding, on_progress: OnProgress) -> None:
    for org_id in await _org_ids(deps):
        finding.checked += await deps.db.read(inspection.memory_count, org_id)
        for example in await deps.db.read(_loose_sources, org_id):
            finding.note(example)


def _loose_sources(connection: Connection, org_id: str) -> list[str]:
    """Links whose memory or event is not there."""
    links = memory_sources.c
    memory = exists().where(and_(memories.c.org_id == links.org_id, memories.c.memory_id == links.memory_id))
    event = exists().where(and_(event_rows.c.org_id == links.org_id, event_rows.c.event_id == links.event_id))
    statement = select(links.memory_id, links.event_id).where(links.org_id == org_id, ~(memory & event))
    return [f"memory {row.memory_id} rests on event {row.event_id}" for row in connection.execute(statement)]


async def _word_index(deps: Deps, finding: Finding, on_progress: OnProgress) -> None:
    finding.checked = 1
    fault = await deps.db.write(inspection.word_index_fault)
    if fault is not None:
        finding.note(fault)


async def _index(deps: Deps, finding: Finding, on_progress: OnProgress) -> None:
    for org_id in await _org_ids(deps):
        after = ""
        while ids := await deps.db.read(inspection.memory_ids, org_id, after=after, limit=ROWS_AT_ONCE):
            after = ids[-1]
            await deps.db.read(_compare_index, org_id, ids, finding)
            on_progress(finding.name, finding.checked, 0)
        for memory_id in await deps.db.read(inspection.strays, org_id, limit=ROWS_AT_ONCE):
            finding.note(f"rows of {memory_id} of {org_id}, which should have none")
        stray = await deps.db.read(inspection.stray_words, org_id, limit=ROWS_AT_ONCE)
        if stray:
            finding.note(f"words of no row of {org_id}", len(stray))
        for scope_key in await deps.db.read(inspection.miscounted, org_id):
            finding.note(f"the size of {scope_key} of {org_id}")


def _compare_index(connection: Connection, org_id: str, memory_ids: Sequence[str], finding: Finding) -> None:
    held = inspection.held(connection, org_id, memory_ids)
    for each in due(connection, org_id, memory_ids):
        finding.checked += 1
        if differs(each, held.get(each.memory.memory_id, [])):
            finding.note(f"memory {each.memory.memory_id} of {org_id}")


async def _vectors(deps: Deps, finding: Finding, on_progress: OnProgress) -> None:
    for org_id in await _org_ids(deps):
        after = ""
        while ids := await deps.db.read(inspection.memory_ids, org_id, after=after, limit=ROWS_AT_ONCE):
            after = ids[-1]
            found = await deps.db.read(_texts_and_rows, org_id, ids)
            wrong = await asyncio.to_thread(_wrong_vectors, deps, found)
            finding.checked += len(found)
            for memory_id in wrong:
                finding.note(f"memory {memory_id} of {org_id}")
            on_progress(finding.name, finding.checked, 0)


def _texts_and_rows(
    connection: Connection, org_id: str, memory_ids: Sequence[str]
) -> list[tuple[str, str, Sequence[Held]]]:
    held = inspection.held(connection, org_id, memory_ids)
    found = due(connection, org_id, memory_ids)
    return [(each.memory.memory_id, each.memory.text, held.get(each.memory.memory_id, [])) for each in found]


def _wrong_vectors(deps: Deps, found: Sequence[tuple[str, str, Sequence[Held]]]) -> list[str]:
    model = deps.embedder.model
    repeatable = model.startswith(REPEATABLE_MODELS)
    again = prepare_now(deps, [text for _, text, _ in found]) if repeatable else [()] * len(found)
    wrong = []
    for (memory_id, _, held), prepared in zip(found, again, strict=True):
        same = True
        for row in held:
            if row.vector is None:
                continue
            expected = prepared[row.segment].vector if row.model == model and row.segment < len(prepared) else None
            same &= _is_unit(row.vector) if expected is None else row.vector == pack_vector(expected)
        if not same:
            wrong.append(memory_id)
    return wrong


def _is_unit(packed: bytes) -> bool:
    # Half precision moves the length of a unit vector by less than 0.001 per number, most of it in both directions.
    return len(packed) % 2 == 0 and abs(float(np.linalg.norm(unpack_vector(packed))) - 1.0) < 0.02


async def _tallies(deps: Deps, finding: Finding, on_progress: OnProgress) -> None:
    for org_id in await _org_ids(deps):
        finding.checked += 1
        on_progress(finding.name, finding.checked, 0)
        for example in await deps.db.read(tally_check.wrong, org_id):
            finding.note(f"that of {example} of {org_id}")


async def _work(deps: Deps, finding: Finding, on_progress: OnProgress) -> None:
    for org_id in await _org_ids(deps):
        finding.checked += 1
        for event_id in await deps.db.read(forgotten_events, org_id):
            finding.note(f"event {event_id} of {org_id}")


async def _org_ids(deps: Deps) -> list[str]:
    return [org.org_id for org in await deps.db.read(orgs.every)]


_LOOKS = (
    (_rows_readable, "rows", "rows cannot be read", RESTORE),
    (_words_of_events, "events", "events do not say what they said when they were accepted", RESTORE),
    (_sources, "sources", "memories rest on events that are not there", RESTORE),
    (_word_index, "words", "the word index is torn", REINDEX),
    (_index, "index", "rows of the index are missing, too many or not what the memories say", REINDEX),
    (_vectors, "vectors", "vectors are not what the texts give", "`memcairn reindex --all` makes them anew."),
    (_tallies, "tallies", "tallies are not what counting gives", REINDEX),
    (_work, "work", "events wait and no job is about them", REINDEX),
)
