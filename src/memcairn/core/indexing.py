"""From a memory to its index entries: segments, terms, traits and vectors."""

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from memcairn.core.deps import Deps
from memcairn.core.trusting import trait_of
from memcairn.domain.candidates import MESSAGE
from memcairn.domain.errors import Unavailable
from memcairn.domain.jobs import NewJob, Task
from memcairn.domain.memories import Memory, MemoryStatus
from memcairn.domain.pool import Trait
from memcairn.store import jobs
from memcairn.store.index.analysis import analyse, segments, traits_of
from memcairn.store.index.base import IndexEntry

PATIENCE_SECONDS = 10.0
"""How long a request that changes a memory waits for its vectors."""

MEMORIES_PER_JOB = 50

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a text as the index holds it; no vector if the embedder knows no word of it.

    `missing` says that it should have one, and the embedder failed.
    """

    terms: Sequence[str]
    traits: Trait
    vector: NDArray[np.float32] | None
    missing: bool = False


Prepared = Sequence[Segment]
"""A text read for the index, piece by piece."""


async def prepare(deps: Deps, texts: Sequence[str]) -> list[Prepared]:
    """Cut, analyse and embed texts; no connection is held meanwhile.

    Somebody waits for this: an embedder that takes longer than PATIENCE_SECONDS is given up, and its vectors follow.
    """
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await asyncio.to_thread(prepare_now, deps, texts)
    except TimeoutError:
        log.warning("the embedder takes too long; texts are found by words until it has done them")
        return [[_segment(deps, piece, None) for piece in segments(text)] for text in texts]


def prepare_now(deps: Deps, texts: Sequence[str], *, needs_vectors: bool = False) -> list[Prepared]:
    """The same, blocking, however long it takes; without vectors while the embedder cannot be asked.

    With `needs_vectors` that is Unavailable instead.
    """
    cut = [segments(text) for text in texts]
    pieces = [piece for its in cut for piece in its]
    try:
        vectors: Iterator[NDArray[np.float32] | None] = iter(deps.embedder.embed(pieces))
    except Unavailable as error:
        if needs_vectors:
            raise
        log.warning("texts are found by words until the embedder is back", extra={"code": error.code})
        vectors = iter([None] * len(pieces))
    return [[_segment(deps, piece, next(vectors)) for piece in its] for its in cut]


def embed_later(connection: Connection, deps: Deps, org_id: str, prepared: Mapping[str, Prepared]) -> None:
    """Queue what of these memories' texts the embedder failed; to be called with the write that indexes them."""
    ids = [memory_id for memory_id, its in prepared.items() if any(segment.missing for segment in its)]
    work = [
        NewJob(org_id, Task.EMBED_MEMORIES, f"{org_id}:vectors", {"memory_ids": ids[start : start + MEMORIES_PER_JOB]})
        for start in range(0, len(ids), MEMORIES_PER_JOB)
    ]
    jobs.enqueue(connection, work, deps.clock.now())


def words_only(text: str) -> Prepared:
    """The same without vectors: for a text that has to be found before it can be embedded."""
    return [Segment(analyse(piece), traits_of(piece), None) for piece in segments(text)]


def entries(memory: Memory, prepared: Prepared, *, by_assistant: bool = False) -> list[IndexEntry]:
    """What the index keeps of a memory."""
    extra = trait_of(memory.trust)
    if memory.type != MESSAGE:
        extra |= Trait.TYPED
    if memory.valid_to is not None:
        extra |= Trait.OUTDATED
    if by_assistant:
        extra |= Trait.BY_ASSISTANT
    return [
        IndexEntry(
            memory_id=memory.memory_id,
            segment=number,
            scope_key=memory.scope.key,
            session_id=memory.session_id,
            position=memory.position,
            source=memory.source_event_ids[0] if memory.source_event_ids else memory.memory_id,
            speaker=memory.speaker,
            kind=memory.kind.value,
            type=memory.type,
            traits=int(segment.traits | extra),
            occurred_at=int(memory.observed_at.timestamp()),
            terms=segment.terms,
            vector=segment.vector,
        )
        for number, segment in enumerate(prepared)
    ]


def reindex(
    connection: Connection, deps: Deps, memory: Memory, prepared: Prepared, *, by_assistant: bool = False
) -> None:
    """Replace what the index holds of a memory; one that is not active is only taken out."""
    deps.index.remove(connection, memory.org_id, [memory.memory_id])
    if memory.status is MemoryStatus.ACTIVE:
        new = entries(memory, prepared, by_assistant=by_assistant)
        deps.index.put(connection, memory.org_id, new, model=deps.embedder.model)
        embed_later(connection, deps, memory.org_id, {memory.memory_id: prepared})


def _segment(deps: Deps, piece: str, vector: NDArray[np.float32] | None) -> Segment:
    usable = vector is not None and bool(vector.any())
    missing = not usable and deps.embedder.covers_all and bool(piece.strip())
    return Segment(analyse(piece), traits_of(piece), vector if usable else None, missing)
