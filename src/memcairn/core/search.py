"""Finding the right few lines: candidates from the index, one ranking, and a last check of who may see them."""

import asyncio
import math
import time
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Concatenate, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from memcairn.core.deps import Deps
from memcairn.core.kin import kin_of
from memcairn.core.pending import Pending, is_any_pending, load_pending
from memcairn.core.questions import question_vector
from memcairn.core.recall import Recalls
from memcairn.core.reranking import reranked
from memcairn.core.trusting import required
from memcairn.domain.errors import Invalid
from memcairn.domain.events import Event
from memcairn.domain.explanation import Explanation
from memcairn.domain.filters import Filter
from memcairn.domain.keys import KeyScope, Principal
from memcairn.domain.lexical import Frequencies
from memcairn.domain.memories import DECAYED_BELOW, Memory, MemoryStatus
from memcairn.domain.pool import Pool, Trait
from memcairn.domain.query import understand
from memcairn.domain.ranking import Ranked, RankQuery, rank
from memcairn.domain.scopes import EVERYTHING, visible_scope_keys
from memcairn.domain.trust import Trust
from memcairn.domain.usage import Dimension
from memcairn.store import events, filtered_memories, memories
from memcairn.store.database import Snapshot
from memcairn.store.index.analysis import QueryTerm, analyse_query, term_ids
from memcairn.store.index.base import Bounds, Found, IndexQuery
from memcairn.store.index.pools import merged

P = ParamSpec("P")
T = TypeVar("T")

MAX_LOOKS = 4
"""A hit refused by the last check leaves a gap, and may have stood for another one, of the same words or the same
event: then the rest is ranked again, at most this often altogether."""

BRIEF_ROWS = 8_000
BRIEF_HITS = 20
BRIEF_CHARS = 500
"""A search of no more than this takes some 3 ms, nearly all of it with the interpreter in its hands: on a thread it
would take that from the others as well, and up to a millisecond more (`docs/decisions/0027`)."""

SPARE_HITS = 10
"""Ranked beyond the limit from the second look on: where some were refused, more may be."""


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What to look for, and where; see `wire.search.SearchRequest`."""

    text: str
    limit: int = 10
    threshold: float = 0.0
    actor_id: str | None = None
    session_id: str | None = None
    exclude_session_id: str | None = None
    role_ids: Sequence[str] = ()
    team_ids: Sequence[str] = ()
    kinds: Sequence[str] | None = None
    types: Sequence[str] | None = None
    occurred_after: datetime | None = None
    occurred_before: datetime | None = None
    asked_at: datetime | None = None
    filter: Filter | None = None
    min_trust: Trust | None = None
    include_source_events: bool = False
    include_pending: bool = True
    """Whether raw text that is not processed yet may be a hit."""
    diverse: bool = True
    """Whether texts alike stand back and near ties are spread; without, the order is that of the plain sums."""
    explain: bool = False

    @property
    def scope_keys(self) -> tuple[str, ...]:
        return visible_scope_keys(self.actor_id, self.role_ids, self.team_ids)


@dataclass(frozen=True, slots=True)
class Hit:
    """One result: a memory, or the event of raw text that is not processed yet (`memory` is None then)."""

    score: float
    similarity: float
    memory: Memory | None
    event: Event | None
    source_events: Sequence[Event] | None
    explanation: Explanation | None


@dataclass(frozen=True, slots=True)
class Candidates:
    """What will be ranked; `allowed` are the memories a filter on metadata left, pending ones it has left already;
    `refused` are the memories and events an earlier look turned out to be not for showing."""

    asked: IndexQuery
    found: Found
    pending: Pending | None
    allowed: Set[str] | None
    refused: Set[str] = frozenset()

    @property
    def pool(self) -> Pool:
        return self.found.pool if self.pending is None else merged([self.found.pool, self.pending.pool])


@dataclass(frozen=True, slots=True)
class Look:
    """A finished search: its hits, best first, and what they were chosen from."""

    hits: Sequence[Hit]
    candidates: Candidates


async def search(deps: Deps, recalls: Recalls, principal: Principal, query: SearchQuery) -> list[Hit]:
    """The best hits for `query` among what its scope may see, best first.

    Recall is noted for every memory returned. Any string is a legal query; one without a searchable word is ranked by
    meaning and by what else is known.
    """
    started = time.perf_counter()
    hits = list((await look(deps, principal, query)).hits)
    recalls.note(principal.org_id, [hit.memory.memory_id for hit in hits if hit.memory is not None])
    deps.metrics.searched(time.perf_counter() - started, hits=len(hits))
    return hits


async def look(deps: Deps, principal: Principal, query: SearchQuery) -> Look:
    """The same, and nothing is recalled by it; it counts as a search query."""
    principal.require(KeyScope.READ)
    if query.session_id is not None and query.exclude_session_id is not None:
        raise Invalid(
            "`session_id` and `exclude_session_id` cannot be combined. Send one of them.",
            pointer="/exclude_session_id",
            code="session_filters_exclude_each_other",
        )
    deps.meter.charge(principal, Dimension.SEARCH_QUERIES, 1, deps.clock.now())
    if deps.embedder.at_hand and deps.reranking is None:
        here = deps.db.here() if _is_brief(query) else None
        found = None if here is None else _looked_at_hand(here, deps, principal.org_id, query)
        return await deps.db.reads(_looked, deps, principal.org_id, query) if found is None else found
    index_query = await asyncio.to_thread(_index_query, deps, query)
    candidates = await deps.db.read(_candidates, deps, principal.org_id, query, index_query)
    hits: list[Hit] = []
    for _ in range(MAX_LOOKS):
        ranked, pool = await asyncio.to_thread(_rank, deps, query, candidates)
        ranked = await reranked(deps, principal.org_id, query.text, ranked, pool)
        hits, refused = await deps.db.read(_hydrate, deps.clock.now(), principal.org_id, query, ranked, pool)
        if not refused:
            break
        candidates = replace(candidates, refused=candidates.refused | refused)
    return Look(hits, candidates)


def _is_brief(query: SearchQuery) -> bool:
    return len(query.text) <= BRIEF_CHARS and query.limit <= BRIEF_HITS and query.filter is None and not query.explain


def _looked_at_hand(snapshot: Snapshot, deps: Deps, org_id: str, query: SearchQuery) -> Look | None:
    """The same on the thread of the caller, if everything it needs is in memory; None if it is not."""
    return snapshot(_looked_in_one, deps, org_id, query)


def _looked_in_one(connection: Connection, deps: Deps, org_id: str, query: SearchQuery) -> Look | None:
    # Its vector is asked for when it is known whose side the question is to be taken from: not twice.
    asked = IndexQuery(analyse_query(query.text), [], deps.embedder.model, deps.embedder.dimensions)
    candidates = _candidates_at_hand(connection, deps, org_id, query, asked)
    if candidates is None:
        return None
    return _looked_among(candidates, _of(connection), deps, org_id, query)


def _of(connection: Connection) -> Snapshot:
    """The one snapshot that is taken already."""

    def snapshot(fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return fn(connection, *args, **kwargs)

    return snapshot


def _looked(snapshot: Snapshot, deps: Deps, org_id: str, query: SearchQuery) -> Look:
    """The same without anything to wait for, so on one thread: each change to another costs about 0.1 ms."""
    candidates = snapshot(_candidates, deps, org_id, query, _index_query(deps, query))
    return _looked_among(candidates, snapshot, deps, org_id, query)


def _looked_among(candidates: Candidates, snapshot: Snapshot, deps: Deps, org_id: str, query: SearchQuery) -> Look:
    hits: list[Hit] = []
    for _ in range(MAX_LOOKS):
        ranked, pool = _rank(deps, query, candidates)
        hits, refused = snapshot(_hydrate, deps.clock.now(), org_id, query, ranked, pool)
        if not refused:
            break
        candidates = replace(candidates, refused=candidates.refused | refused)
    return Look(hits, candidates)


def _index_query(deps: Deps, query: SearchQuery) -> IndexQuery:
    vector = question_vector(deps, query.text)
    return IndexQuery(
        analyse_query(query.text), [] if vector is None else [vector], deps.embedder.model, deps.embedder.dimensions
    )


def _candidates(
    connection: Connection, deps: Deps, org_id: str, query: SearchQuery, index_query: IndexQuery
) -> Candidates:
    where, allowed = query.filter, None
    if where is not None:
        allowed = filtered_memories.ids(connection, org_id, query.scope_keys, where)
    found = deps.index.find(
        connection,
        org_id,
        query.scope_keys,
        replace(index_query, allowed=allowed, traits=required(query.min_trust), bounds=_bounds(query)),
    )
    pending = None
    if query.include_pending:
        pending = load_pending(
            connection, org_id, query.actor_id, index_query.terms, dimensions=deps.embedder.dimensions, metadata=where
        )
    return Candidates(index_query, found, pending, allowed)


def _candidates_at_hand(
    connection: Connection, deps: Deps, org_id: str, query: SearchQuery, index_query: IndexQuery
) -> Candidates | None:
    """The same if they are in memory, and no raw text is to be read and laid beside them."""
    found = deps.index.at_hand(connection, org_id, query.scope_keys, index_query, most_rows=BRIEF_ROWS)
    if found is None or (query.include_pending and is_any_pending(connection, org_id, query.actor_id)):
        return None
    return Candidates(index_query, found, None, None)


def _bounds(query: SearchQuery) -> Bounds:
    """What `mask_of` asks of rows, for an index that takes candidates: chosen without it, too few might be left."""
    since, before = query.occurred_after, query.occurred_before
    return Bounds(
        kinds=query.kinds,
        types=query.types,
        session_id=query.session_id,
        exclude_session_id=query.exclude_session_id,
        since=None if since is None else math.ceil(since.timestamp()),
        before=None if before is None else math.ceil(before.timestamp()),
    )


def _rank(deps: Deps, query: SearchQuery, candidates: Candidates) -> tuple[list[Ranked], Pool]:
    pool = candidates.pool
    rank_query, words = rank_query_of(deps, query, pool, candidates)
    ranked = rank(
        pool,
        rank_query,
        deps.weights,
        limit=max(
            query.limit + (SPARE_HITS if candidates.refused else 0),
            0 if deps.reranking is None else deps.reranking.candidates,
        ),
        mask=mask_of(pool, query, candidates),
        varied=query.diverse,
        explain=query.explain,
    )
    if query.explain:
        ranked = [replace(hit, explanation=hit.explanation and hit.explanation.told(words)) for hit in ranked]
    return ranked, pool


def rank_query_of(deps: Deps, query: SearchQuery, pool: Pool, candidates: Candidates) -> tuple[RankQuery, list[str]]:
    """The question as ranking sees it, asked of `pool`, and its terms in words.

    Names and words of time are hints, and no part of the terms.
    """
    asked_at = query.asked_at or deps.clock.now()
    understanding = understand(query.text, speakers=pool.speaker_names, asked_at=asked_at)
    vectors = candidates.asked.vectors
    vector = vectors[0] if vectors else None
    spoken = understanding.spoken or query.text
    if deps.embedder.at_hand if vector is None else spoken != query.text:
        vector = question_vector(deps, spoken)
    drop = (*understanding.name_words, *understanding.time_words)
    terms = analyse_query(query.text, drop=drop) if drop else candidates.asked.terms
    rank_query = RankQuery(
        terms=[term_ids(term.alternatives) for term in terms],
        kin=[kin_of(deps.thesaurus, term) for term in terms],
        vector=vector,
        understanding=understanding,
        frequencies=_frequencies(candidates.found, terms),
    )
    return rank_query, [term.alternatives[0] for term in terms]


def _frequencies(found: Found, terms: Sequence[QueryTerm]) -> Frequencies | None:
    if found.frequencies is None or found.total is None:
        return None
    counts = [found.frequencies.get(term, 0) for term in terms]
    return Frequencies(np.array(counts, dtype=np.int64), found.total)


def mask_of(pool: Pool, query: SearchQuery, candidates: Candidates) -> NDArray[np.bool_] | None:
    """Which rows the filters allow, None for all; memories without a session pass the session filters."""
    conditions = _of_enough_trust(pool, query)
    if candidates.allowed is not None:
        conditions.append(_is_among(pool, candidates.allowed) | (pool.traits & Trait.PENDING != 0))
    if candidates.refused:
        conditions.append(~_is_among(pool, candidates.refused))
    if query.session_id is not None:
        conditions.append((pool.sessions < 0) | _is_one_of(pool.sessions, pool.session_ids, [query.session_id]))
    if query.exclude_session_id is not None:
        conditions.append(~_is_one_of(pool.sessions, pool.session_ids, [query.exclude_session_id]))
    if query.kinds is not None:
        conditions.append(_is_one_of(pool.kinds, pool.kind_names, query.kinds))
    if query.types is not None:
        conditions.append(_is_one_of(pool.types, pool.type_names, query.types))
    if query.occurred_after is not None:
        conditions.append(pool.occurred_at >= query.occurred_after.timestamp())
    if query.occurred_before is not None:
        conditions.append(pool.occurred_at < query.occurred_before.timestamp())
    if not conditions:
        return None
    allowed: NDArray[np.bool_] = np.logical_and.reduce(conditions)
    return allowed


def _of_enough_trust(pool: Pool, query: SearchQuery) -> list[NDArray[np.bool_]]:
    bits = required(query.min_trust)
    return [] if bits is None else [pool.traits & bits[0] == bits[1]]


def _is_among(pool: Pool, ids: Set[str]) -> NDArray[np.bool_]:
    return np.fromiter((memory_id in ids for memory_id in pool.memory_ids), np.bool_, len(pool))


def _is_one_of(codes: NDArray[np.int32], names: Sequence[str], wanted: Sequence[str]) -> NDArray[np.bool_]:
    return np.isin(codes, [code for code, name in enumerate(names) if name in wanted])


def _hydrate(
    connection: Connection, now: datetime, org_id: str, query: SearchQuery, ranked: Sequence[Ranked], pool: Pool
) -> tuple[list[Hit], Set[str]]:
    """Ranked rows with what they stand for, read afresh, and the ids of those not to be shown: deleted or moved since
    then, or faded."""
    hits: list[Hit] = []
    refused: set[str] = set()
    scope_keys = query.scope_keys
    # The spare rows behind the limit are hardly ever needed: they are read only if they are.
    for rows in (ranked[: query.limit], ranked[query.limit :]):
        live = _live(connection, org_id, pool, rows) if len(hits) < query.limit else {}
        for row in rows:
            if row.score < query.threshold or len(hits) == query.limit:
                break
            found = live.get(row.row)
            if isinstance(found, Event) and _event_visible(found, query):
                hits.append(Hit(row.score, row.similarity, None, found, None, row.explanation))
            elif isinstance(found, Memory) and _visible(found, query, now, scope_keys=scope_keys):
                hits.append(Hit(row.score, row.similarity, found, None, None, row.explanation))
            else:
                refused.add(pool.memory_ids[row.row])
    return (_with_sources(connection, org_id, hits) if query.include_source_events else hits), refused


def _live(connection: Connection, org_id: str, pool: Pool, rows: Sequence[Ranked]) -> Mapping[int, Memory | Event]:
    """What these rows of the pool stand for, as far as it still lives."""
    of_rows = zip(rows, pool.traits[[row.row for row in rows]].tolist(), strict=True)
    pending = {row.row for row, traits in of_rows if traits & Trait.PENDING.value}
    ids = {row.row: pool.memory_ids[row.row] for row in rows}
    of_memories = memories.by_ids(connection, org_id, [ids[row] for row in ids if row not in pending])
    of_events = events.by_ids(connection, org_id, [ids[row] for row in pending])
    live_memories = {memory.memory_id: memory for memory in of_memories}
    live_events = {event.event_id: event for event in of_events}
    found = {row: (live_events if row in pending else live_memories).get(item_id) for row, item_id in ids.items()}
    return {row: item for row, item in found.items() if item is not None}


def _visible(memory: Memory, query: SearchQuery, now: datetime, *, scope_keys: Sequence[str]) -> bool:
    in_scope = EVERYTHING in scope_keys or memory.scope.key in scope_keys
    alive = memory.status is MemoryStatus.ACTIVE and memory.strength_at(now) >= DECAYED_BELOW
    return in_scope and alive and _trusted(memory.trust, query)


def _event_visible(event: Event, query: SearchQuery) -> bool:
    in_scope = query.actor_id is None or event.actor_id == query.actor_id
    return in_scope and _trusted(event.trust, query)


def _trusted(trust: Trust, query: SearchQuery) -> bool:
    return query.min_trust is None or trust >= query.min_trust


def _with_sources(connection: Connection, org_id: str, hits: Sequence[Hit]) -> list[Hit]:
    wanted = [event_id for hit in hits for event_id in source_ids_of(hit)]
    by_id: Mapping[str, Event] = {event.event_id: event for event in events.by_ids(connection, org_id, wanted)}
    return [
        Hit(
            hit.score,
            hit.similarity,
            hit.memory,
            hit.event,
            [by_id[event_id] for event_id in source_ids_of(hit) if event_id in by_id],
            hit.explanation,
        )
        for hit in hits
    ]


def source_ids_of(hit: Hit) -> Sequence[str]:
    """The events a hit rests on, first heard first."""
    if hit.memory is not None:
        return hit.memory.source_event_ids
    return (hit.event.event_id,) if hit.event is not None else ()
