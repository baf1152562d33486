"""Where a search lost a memory: everything that keeps it from the hits, and where it would stand otherwise."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection

from memcairn.core.deps import Deps
from memcairn.core.indexing import entries, prepare
from memcairn.core.search import Candidates, SearchQuery, look, mask_of, rank_query_of
from memcairn.domain.errors import NotFound
from memcairn.domain.explanation import Explanation
from memcairn.domain.keys import KeyScope, Principal
from memcairn.domain.memories import DECAYED_BELOW, Memory, MemoryStatus
from memcairn.domain.pool import Pool
from memcairn.domain.ranking import Standing, standing
from memcairn.domain.scopes import EVERYTHING
from memcairn.store import filtered_memories, memories
from memcairn.store.index.analysis import term_ids
from memcairn.store.index.pools import RowFeatures, merged, pack_vector, pool_of


class Stage(StrEnum):
    """Where a search can lose a memory, in the order it would."""

    DELETED = "deleted"
    OUT_OF_SCOPE = "out_of_scope"
    NOT_ACTIVE = "not_active"
    DECAYED = "decayed"
    FILTERED = "filtered"
    NOT_A_CANDIDATE = "not_a_candidate"
    COLLAPSED = "collapsed"
    BELOW_THRESHOLD = "below_threshold"
    BEYOND_LIMIT = "beyond_limit"
    CHANGED_MEANWHILE = "changed_meanwhile"


@dataclass(frozen=True, slots=True)
class Loss:
    """One thing that keeps a memory from the hits: where, by which field of the query, and a sentence about it."""

    stage: Stage
    detail: str
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a memory stands, or would stand if nothing but its rank decided.

    `number` counts hits from 1, and is None for a memory that another hit stands for.
    """

    number: int | None
    score: float
    similarity: float
    explanation: Explanation


@dataclass(frozen=True, slots=True)
class Why:
    """`found` says whether the search shows the memory, `losses` is empty then; `place` is None for a deleted one.

    `shown_by` is the id of the hit that stands for it: a memory, or the event of a text not processed yet.
    """

    memory_id: str
    found: bool
    losses: Sequence[Loss]
    place: Place | None
    shown_by: str | None


async def why(deps: Deps, principal: Principal, query: SearchQuery, memory_id: str) -> Why:
    """What became of `memory_id` in the search `query`; nothing is recalled by asking.

    NotFound (`memory_not_found`) if the org holds no such memory, not even a deleted one. It counts as a search query.
    """
    principal.require(KeyScope.READ)
    memory = await deps.db.read(_known, principal.org_id, memory_id)
    if memory is None:
        gone = Loss(Stage.DELETED, "It was deleted; what it said is in no read and no search.")
        return Why(memory_id, found=False, losses=[gone], place=None, shown_by=None)
    looked = await look(deps, principal, query)
    pool, was_candidate = await _pool_with(deps, memory, looked.candidates)
    stands, explanation = await asyncio.to_thread(_standing, deps, query, pool, looked.candidates, memory_id=memory_id)
    at = next((at for at, hit in enumerate(looked.hits, 1) if hit.memory and hit.memory.memory_id == memory_id), None)
    place = Place(stands.place, stands.hit.score, stands.hit.similarity, explanation)
    if at is not None:
        place = replace(place, number=at, score=looked.hits[at - 1].score)
        return Why(memory_id, found=True, losses=[], place=place, shown_by=None)
    passes = await deps.db.read(_passes_metadata, query, memory)
    losses = [*_ended(memory, query, deps.clock.now()), *_filtered(memory, query, passes_metadata=passes)]
    if not was_candidate and not losses:
        losses.append(_NOT_INDEXED if looked.candidates.found.frequencies is None else _NO_CANDIDATE)
    shown_by = None if stands.shown_by is None else pool.memory_ids[stands.shown_by]
    losses += _lost_in_ranking(place, query, shown_by)
    return Why(memory_id, found=False, losses=losses or [_CHANGED], place=place, shown_by=shown_by)


_NO_CANDIDATE = Loss(
    Stage.NOT_A_CANDIDATE,
    "Too much is visible to rank it whole, and neither its words nor its meaning were among the nearest. "
    "A narrower scope or filter, or more of its words in the query, would make it one.",
)
_NOT_INDEXED = Loss(Stage.NOT_A_CANDIDATE, "The index does not hold it yet.")
_CHANGED = Loss(Stage.CHANGED_MEANWHILE, "It changed while this was looked into. Ask again.")


def _known(connection: Connection, org_id: str, memory_id: str) -> Memory | None:
    """The live memory, or None for a deleted one."""
    found = memories.by_ids(connection, org_id, [memory_id])
    if not found and not memories.is_deleted(connection, org_id, memory_id):
        raise NotFound(f"There is no memory {memory_id!r}.", code="memory_not_found")
    return found[0] if found else None


def _passes_metadata(connection: Connection, query: SearchQuery, memory: Memory) -> bool:
    if query.filter is None:
        return True
    return memory.memory_id in filtered_memories.ids(connection, memory.org_id, [memory.scope.key], query.filter)


async def _pool_with(deps: Deps, memory: Memory, candidates: Candidates) -> tuple[Pool, bool]:
    """The rows that were ranked, with those of `memory` among them, and whether they were there already."""
    pool = candidates.pool
    if memory.memory_id in pool.memory_ids:
        return pool, True
    [prepared] = await prepare(deps, [memory.text])
    rows = [
        RowFeatures(
            memory_id=each.memory_id,
            segment=each.segment,
            session_id=each.session_id,
            position=each.position,
            source=each.source,
            speaker=each.speaker,
            kind=each.kind,
            type=each.type,
            traits=each.traits,
            occurred_at=each.occurred_at,
            terms=term_ids(each.terms).astype("<u4").tobytes(),
            vector=None if each.vector is None else pack_vector(each.vector),
            model=deps.embedder.model,
        )
        for each in entries(memory, prepared)
    ]
    added = pool_of(rows, model=deps.embedder.model, dimensions=deps.embedder.dimensions)
    return merged([pool, added]), False


def _standing(
    deps: Deps, query: SearchQuery, pool: Pool, candidates: Candidates, *, memory_id: str
) -> tuple[Standing, Explanation]:
    rank_query, words = rank_query_of(deps, query, pool, candidates)
    mask = mask_of(pool, query, candidates)
    stands = standing(pool, rank_query, deps.weights, memory_id, mask=mask, varied=query.diverse)
    if stands is None or stands.hit.explanation is None:
        raise LookupError(f"{memory_id} is in the pool and has no place in it")
    return stands, stands.hit.explanation.told(words)


def _ended(memory: Memory, query: SearchQuery, now: datetime) -> Iterator[Loss]:
    """What keeps a memory from every search of this scope."""
    if EVERYTHING not in query.scope_keys and memory.scope.key not in query.scope_keys:
        yield Loss(
            Stage.OUT_OF_SCOPE,
            f"It belongs to {memory.scope.key}; the search sees {', '.join(query.scope_keys)}.",
            "actor_id" if memory.scope.actor_id is not None else f"{memory.scope.level.value}_ids",
        )
    if memory.status is not MemoryStatus.ACTIVE:
        yield Loss(Stage.NOT_ACTIVE, f"It is {memory.status.value}; only active memories are found. Its history stays.")
    strength = memory.strength_at(now)
    if strength < DECAYED_BELOW:
        yield Loss(
            Stage.DECAYED,
            f"Its strength is {strength:.3f} after disuse, and below {DECAYED_BELOW} memories leave search. Pin it.",
        )


def _filtered(memory: Memory, query: SearchQuery, *, passes_metadata: bool) -> Iterator[Loss]:
    """What the filters of this query keep out."""
    said, session = memory.observed_at, memory.session_id
    after, before = query.occurred_after, query.occurred_before
    tests = {
        "session_id": (query.session_id in (None, session) or session is None, f"its session is {session!r}"),
        "exclude_session_id": (
            query.exclude_session_id is None or session != query.exclude_session_id,
            f"its session is {session!r}",
        ),
        "kinds": (query.kinds is None or memory.kind in query.kinds, f"its kind is {memory.kind.value!r}"),
        "types": (query.types is None or memory.type in query.types, f"its type is {memory.type!r}"),
        "occurred_after": (after is None or _seconds(said) >= after.timestamp(), f"it is of {said.isoformat()}"),
        "occurred_before": (before is None or _seconds(said) < before.timestamp(), f"it is of {said.isoformat()}"),
        "min_trust": (query.min_trust is None or memory.trust >= query.min_trust, f"its trust is {memory.trust.label}"),
        "metadata": (passes_metadata, "neither its metadata nor that of an event it rests on fulfils the filter"),
    }
    for field, (passes, what_it_is) in tests.items():
        if not passes:
            yield Loss(Stage.FILTERED, f"`{field}` leaves it out: {what_it_is}.", field)


def _seconds(moment: datetime) -> int:
    """As the index keeps it."""
    return int(moment.timestamp())


def _lost_in_ranking(place: Place, query: SearchQuery, shown_by: str | None) -> Iterator[Loss]:
    if place.number is None:
        yield Loss(Stage.COLLAPSED, f"The hit {shown_by} says the same, of the same source or in the same words.")
    if place.score < query.threshold:
        yield Loss(
            Stage.BELOW_THRESHOLD, f"Its score is {place.score:.4f}; the threshold is {query.threshold}.", "threshold"
        )
    if place.number is not None and place.number > query.limit:
        yield Loss(Stage.BEYOND_LIMIT, f"It would be hit number {place.number}; the limit is {query.limit}.", "limit")
