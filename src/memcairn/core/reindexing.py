"""Making the index what the memories say it must be: found out page by page, mended in small transactions.

The index is derived. Whatever was lost of it, or lies in it by mistake, is put right while searches and writes go on.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from memcairn.core.deps import Deps
from memcairn.core.indexing import Prepared, Segment, entries, prepare_now, words_only
from memcairn.core.ingest import work_for
from memcairn.domain.candidates import MESSAGE
from memcairn.domain.events import EventKind
from memcairn.domain.memories import Memory, MemoryStatus
from memcairn.domain.pool import Trait
from memcairn.store import events, jobs, memories, tally_check
from memcairn.store.index import inspection
from memcairn.store.index.analysis import term_ids
from memcairn.store.index.base import IndexEntry
from memcairn.store.index.inspection import Held, Words
from memcairn.store.index.wide import scope_token

MEMORIES_AT_ONCE = 100
"""Looked at in one snapshot, and mended in one transaction: about 30 ms of it."""
PAUSE_SECONDS = 0.005

OF_THE_TEXT = (Trait.QUESTION | Trait.HAS_TIME | Trait.HAS_NUMBER | Trait.HAS_LIST | Trait.SHORT | Trait.STANDING) | (
    Trait.PERSONAL | Trait.REMARK
)
"""Traits that follow from the text alone; the others are changed by what happens to a memory."""

Vectors = Mapping[tuple[str, int], NDArray[np.float32]]
"""Unit vectors by memory and segment."""


@dataclass(frozen=True, slots=True)
class Due:
    """A memory the index must hold, with what its rows depend on besides itself."""

    memory: Memory
    by_assistant: bool
    outdated: bool

    def entries(self, prepared: Prepared) -> list[IndexEntry]:
        made = entries(self.memory, prepared, by_assistant=self.by_assistant)
        if not self.outdated:
            return made
        return [replace(entry, traits=entry.traits | int(Trait.OUTDATED)) for entry in made]


@dataclass(frozen=True, slots=True)
class Reindexed:
    """`checked` memories; of them `mended` were missing in the index, or lay in it with something else than they say.

    `removed` had rows and should have none, `stray_words` are rows of words that belonged to nothing, `recounted`
    scopes and tallies had a wrong size. `queued` events waited without a job.
    """

    checked: int = 0
    mended: int = 0
    removed: int = 0
    stray_words: int = 0
    recounted: int = 0
    queued: int = 0

    def __add__(self, other: "Reindexed") -> "Reindexed":
        return Reindexed(*(getattr(self, name) + getattr(other, name) for name in Reindexed.__slots__))


async def mend_word_index(deps: Deps) -> bool:
    """Repair the word index of the whole database if it is torn; False when there was nothing to do.

    What it lost of the words is put again by `reindex_org`.
    """
    return await deps.db.write(inspection.mend_word_index)


async def reindex_org(
    deps: Deps,
    org_id: str,
    *,
    everything: bool = False,
    on_progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Reindexed:
    """Mend the index of one org; with `everything` each memory is analysed, embedded and put anew.

    Searches and writes go on: a memory that changes meanwhile is left to whoever changed it. It can be interrupted and
    repeated at any time.
    """
    done = await put_missing(deps, org_id, everything=everything, on_progress=on_progress)
    return done + await _remove_what_is_left(deps, org_id)


async def put_missing(
    deps: Deps,
    org_id: str,
    *,
    everything: bool = False,
    on_progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Reindexed:
    """Put what the index lacks of an org, or holds in another form; what it holds besides stays."""
    total = await deps.db.read(inspection.memory_count, org_id)
    done = Reindexed()
    after = ""
    while ids := await deps.db.read(inspection.memory_ids, org_id, after=after, limit=MEMORIES_AT_ONCE):
        after = ids[-1]
        wrong = await deps.db.read(due if everything else _wrong, org_id, ids)
        done += Reindexed(checked=len(ids), mended=await put_all(deps, org_id, wrong))
        on_progress(done.checked, total)
        await asyncio.sleep(PAUSE_SECONDS)
    return done


def due(connection: Connection, org_id: str, memory_ids: Sequence[str]) -> list[Due]:
    """Which of these memories the index must hold: the live and active ones."""
    active = [
        memory for memory in memories.by_ids(connection, org_id, memory_ids) if memory.status is MemoryStatus.ACTIVE
    ]
    firsts = [memory.source_event_ids[0] for memory in active if memory.source_event_ids]
    by_assistant = {
        event.event_id
        for event in events.by_ids(connection, org_id, firsts)
        if event.kind is EventKind.ASSISTANT_MESSAGE
    }
    outdated = _outdated_events(connection, org_id, [each for each in active if each.type == MESSAGE])
    return [
        Due(
            memory,
            by_assistant=not by_assistant.isdisjoint(memory.source_event_ids[:1]),
            outdated=memory.type == MESSAGE and not outdated.isdisjoint(memory.source_event_ids),
        )
        for memory in active
    ]


def differs(due: Due, held: Sequence[Held]) -> bool:
    """Whether the rows of a memory are other ones than its text asks for; vectors are not compared."""
    wanted = due.entries(words_only(due.memory.text))
    if [entry.segment for entry in wanted] != [row.segment for row in held]:
        return True
    return any(_row_differs(entry, row) for entry, row in zip(wanted, held, strict=True))


async def put_all(deps: Deps, org_id: str, wanted: Sequence[Due], vectors: Vectors | None = None) -> int:
    """Put memories into the index in place of what it holds of them; returns how many were still as they were read.

    `vectors` are taken where a text needs no others: those must be of the embedder's model.
    """
    if not wanted:
        return 0
    prepared = await asyncio.to_thread(_prepared, deps, wanted, vectors or {})

    read = {each.memory.memory_id: (each.memory.text, text) for each, text in zip(wanted, prepared, strict=True)}

    def write(connection: Connection) -> int:
        # As they are now: others may have changed, recalled or deleted them while their texts were embedded.
        still = [
            each for each in due(connection, org_id, list(read)) if each.memory.text == read[each.memory.memory_id][0]
        ]
        deps.index.remove(connection, org_id, [each.memory.memory_id for each in still])
        rows = [entry for each in still for entry in each.entries(read[each.memory.memory_id][1])]
        deps.index.put(connection, org_id, rows, model=deps.embedder.model)
        return len(still)

    return await deps.db.write(write)


def _wrong(connection: Connection, org_id: str, memory_ids: Sequence[str]) -> list[Due]:
    held = inspection.held(connection, org_id, memory_ids)
    return [each for each in due(connection, org_id, memory_ids) if differs(each, held.get(each.memory.memory_id, []))]


def _row_differs(entry: IndexEntry, row: Held) -> bool:
    mask = int(OF_THE_TEXT)
    words = Words(scope_token(entry.scope_key), " ".join(entry.terms))
    return (
        row.scope_key != entry.scope_key
        or row.terms != term_ids(entry.terms).astype("<u4").tobytes()
        or row.traits & mask != entry.traits & mask
        or (row.words is not None and row.words != words)
    )


def _outdated_events(connection: Connection, org_id: str, verbatim: Sequence[Memory]) -> set[str]:
    """The events of these memories from which a memory was read that is superseded by now."""
    sources = [event_id for memory in verbatim for event_id in memory.source_event_ids]
    beside = memories.by_ids(connection, org_id, memories.ids_by_sources(connection, org_id, sources))
    return {
        event_id
        for memory in beside
        if memory.status is MemoryStatus.SUPERSEDED
        for event_id in memory.source_event_ids
    }


def _prepared(deps: Deps, wanted: Sequence[Due], vectors: Vectors) -> list[Prepared]:
    """Each text cut and analysed, with the vectors that are known; only texts that lack one are embedded."""
    known = [_with_vectors(each.memory, vectors) for each in wanted]
    missing = [n for n, prepared in enumerate(known) if prepared is None]
    embedded = iter(prepare_now(deps, [wanted[n].memory.text for n in missing]))
    return [next(embedded) if prepared is None else prepared for prepared in known]


def _with_vectors(memory: Memory, vectors: Vectors) -> Prepared | None:
    pieces = words_only(memory.text)
    if not vectors or any((memory.memory_id, number) not in vectors for number in range(len(pieces))):
        return None
    return [
        Segment(piece.terms, piece.traits, vectors[memory.memory_id, number]) for number, piece in enumerate(pieces)
    ]


async def _remove_what_is_left(deps: Deps, org_id: str) -> Reindexed:
    removed = stray = 0

    def remove_strays(connection: Connection) -> int:
        ids = inspection.strays(connection, org_id, limit=MEMORIES_AT_ONCE)
        deps.index.remove(connection, org_id, ids)
        return len(ids)

    while count := await deps.db.write(remove_strays):
        removed += count
        await asyncio.sleep(PAUSE_SECONDS)
    while count := await deps.db.write(inspection.remove_stray_words, org_id, limit=MEMORIES_AT_ONCE):
        stray += count
        await asyncio.sleep(PAUSE_SECONDS)
    recounted = await deps.db.write(inspection.recount, org_id)
    if await deps.db.read(tally_check.wrong, org_id):
        recounted += await deps.db.write(tally_check.recount, org_id)
    queued = await deps.db.write(_queue_forgotten, deps, org_id)
    return Reindexed(removed=removed, stray_words=stray, recounted=recounted, queued=queued)


def forgotten_events(connection: Connection, org_id: str) -> list[str]:
    """The live events that wait to be processed although no job is about them."""
    waiting = events.pending_ids(connection, org_id)
    return sorted(waiting - jobs.events_named(connection, org_id)) if waiting else []


def _queue_forgotten(connection: Connection, deps: Deps, org_id: str) -> int:
    found = events.by_ids(connection, org_id, forgotten_events(connection, org_id))
    jobs.enqueue(connection, list(work_for(org_id, found)), deps.clock.now())
    return len(found)
