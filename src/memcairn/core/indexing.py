"""From a memory to its index entries: segments, terms, traits and vectors."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from memcairn.core.deps import Deps
from memcairn.core.trusting import trait_of
from memcairn.domain.candidates import MESSAGE
from memcairn.domain.memories import Memory, MemoryStatus
from memcairn.domain.pool import Trait
from memcairn.store.index.analysis import analyse, segments, traits_of
from memcairn.store.index.base import IndexEntry


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a text as the index holds it; no vector if the embedder knows no word of it."""

    terms: Sequence[str]
    traits: Trait
    vector: NDArray[np.float32] | None


Prepared = Sequence[Segment]
"""A text read for the index, piece by piece."""


async def prepare(deps: Deps, texts: Sequence[str]) -> list[Prepared]:
    """Cut, analyse and embed texts; no connection is held meanwhile."""
    return await asyncio.to_thread(prepare_now, deps, texts)


def prepare_now(deps: Deps, texts: Sequence[str]) -> list[Prepared]:
    """The same, blocking."""
    cut = [segments(text) for text in texts]
    vectors = iter(deps.embedder.embed([piece for pieces in cut for piece in pieces]))
    return [[_segment(piece, next(vectors)) for piece in pieces] for pieces in cut]


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


def _segment(piece: str, vector: NDArray[np.float32]) -> Segment:
    return Segment(analyse(piece), traits_of(piece), vector if vector.any() else None)
