"""The index on Postgres: words in a tsvector, vectors in a halfvec, both beside the features ranking reads.

As on SQLite a scope of up to EXACT_ROWS segments is ranked whole, from a pool kept in memory; a larger one gives its
best candidates by words (GIN) and by meaning (HNSW, or all of them compared while they are few), with their neighbours
in the conversation. Any number of processes may write and search at once.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select, text

from memcairn.domain.scopes import EVERYTHING
from memcairn.store.index import frequencies, postgres_rows, slots, wide
from memcairn.store.index.analysis import QueryTerm
from memcairn.store.index.base import Found, IndexEntry, IndexQuery
from memcairn.store.index.pools import Cached, PoolCache, Version, merged, pool_of
from memcairn.store.index.scope_states import scope_states
from memcairn.store.index.sqlite import CACHE_BYTES, EXACT_ROWS
from memcairn.store.schema import index_rows

# A scope that was forgotten and is filled again starts with resets never seen before: pools of its former life are
# known to be of the past.
_GROW = text(
    """
    INSERT INTO index_scopes (org_id, scope_key, last_row, resets, row_count)
    SELECT :org_id, scope_key, added, (extract(epoch FROM clock_timestamp()) * 1000)::bigint, added
    FROM unnest(CAST(:scope_keys AS text[]), CAST(:added AS bigint[])) AS given (scope_key, added) ORDER BY scope_key
    ON CONFLICT (org_id, scope_key) DO UPDATE
    SET last_row = index_scopes.last_row + excluded.last_row, row_count = index_scopes.row_count + excluded.row_count
    RETURNING scope_key, row_count
    """
)
_LOCK = text(
    """
    SELECT scope_key FROM index_scopes WHERE org_id = :org_id AND scope_key IN (
        SELECT scope_key FROM index_rows
        WHERE org_id = :org_id AND memory_id = ANY(CAST(:memory_ids AS text[]))
    )
    ORDER BY scope_key FOR UPDATE
    """
)
_RESET = text(
    """
    UPDATE index_scopes SET resets = resets + 1, row_count = row_count - removed
    FROM unnest(CAST(:scope_keys AS text[]), CAST(:removed AS bigint[])) AS given (key, removed)
    WHERE org_id = :org_id AND scope_key = key RETURNING scope_key, row_count
    """
)
_SET_TRAIT = text(
    """
    UPDATE index_rows SET traits = traits | :trait
    WHERE org_id = :org_id AND memory_id = ANY(CAST(:memory_ids AS text[]))
    """
)
_CLEAR_TRAIT = text(
    """
    UPDATE index_rows SET traits = traits & ~:trait
    WHERE org_id = :org_id AND memory_id = ANY(CAST(:memory_ids AS text[]))
    """
)
_FORGET_EMPTY = text("DELETE FROM index_scopes WHERE org_id = :org_id AND row_count <= 0 RETURNING scope_key")


@dataclass(frozen=True, slots=True)
class _View:
    """What a search may see: its version, how many rows there are, and how many of each part that counts words."""

    version: Version
    total: int
    parts: Mapping[str, int]


class PostgresIndex:
    """See `Index`; the pools of recently searched scopes are kept up to `cache_bytes`.

    Writers lock the scopes they change, in order, and a slot that nobody else has: those of different scopes do not
    wait for each other.
    """

    def __init__(self, *, cache_bytes: int = CACHE_BYTES, exact_rows: int = EXACT_ROWS) -> None:
        self._cache = PoolCache(cache_bytes)
        self._exact_rows = exact_rows

    def prepare(self, connection: Connection, *, model: str, dimensions: int) -> None:
        """Make ready for vectors of a model; to be called once before the first of them is put."""
        postgres_rows.make_graph(connection, model, dimensions)

    def put(self, connection: Connection, org_id: str, entries: Sequence[IndexEntry], *, model: str) -> None:
        if not entries:
            return
        added = Counter(entry.scope_key for entry in entries)
        scopes = {"scope_keys": sorted(added), "added": [added[key] for key in sorted(added)]}
        sizes = {row.scope_key: row.row_count for row in connection.execute(_GROW, {"org_id": org_id} | scopes)}
        slot = slots.take(connection, org_id, added=len(entries))
        mapped = slot.org_rows > postgres_rows.MAPPED_FROM
        terms = postgres_rows.add(
            connection, org_id, entries, model=model, first_row=slot.first_row(len(entries)), mapped=mapped
        )
        if mapped:
            postgres_rows.map_some(connection, org_id, len(entries) * postgres_rows.MAPPED_BEHIND)
        frequencies.count(connection, org_id, slot.scope_key, terms)
        by_scope = _by_scope(zip((entry.scope_key for entry in entries), terms, strict=True))
        for key in sorted(added):
            frequencies.follow_scope(
                connection, org_id, key, by_scope[key], before=sizes[key] - added[key], after=sizes[key]
            )

    def remove(self, connection: Connection, org_id: str, memory_ids: Sequence[str]) -> int:
        if not self._lock(connection, org_id, memory_ids):
            return 0
        gone = postgres_rows.remove(connection, org_id, memory_ids)
        by_scope = _by_scope(gone)
        sizes = _reset(connection, org_id, {key: len(terms) for key, terms in by_scope.items()})
        slot = slots.take(connection, org_id, removed=len(gone))
        frequencies.count(connection, org_id, slot.scope_key, [terms for _, terms in gone], sign=-1)
        for key, terms in sorted(by_scope.items()):
            before = sizes[key] + len(terms)
            frequencies.follow_scope(connection, org_id, key, terms, before=before, after=sizes[key])
        return len(gone)

    def add_trait(self, connection: Connection, org_id: str, memory_ids: Sequence[str], trait: int) -> None:
        self._change_traits(connection, org_id, memory_ids, trait, present=True)

    def drop_trait(self, connection: Connection, org_id: str, memory_ids: Sequence[str], trait: int) -> None:
        self._change_traits(connection, org_id, memory_ids, trait, present=False)

    def forget_empty_scopes(self, connection: Connection, org_id: str) -> int:
        keys = connection.execute(_FORGET_EMPTY, {"org_id": org_id}).scalars().all()
        self._cache.drop(org_id, keys)
        frequencies.forget_unused(connection, org_id)
        return len(keys)

    def tidy(self, connection: Connection, left: Set[int] | None) -> Set[int]:
        """Nothing is left: what rows leave behind is for VACUUM to take."""
        return frozenset()

    def find(self, connection: Connection, org_id: str, scope_keys: Sequence[str], query: IndexQuery) -> Found:
        view = _view(connection, org_id, scope_keys)
        if view.total <= self._exact_rows:
            return Found(self._whole(connection, org_id, scope_keys, view.version, query).pool)
        counts = _frequencies(connection, org_id, scope_keys, view, query.terms)
        rows = postgres_rows.best_by_words(connection, org_id, scope_keys, query, counts, view.total)
        rows += postgres_rows.best_by_meaning(connection, org_id, scope_keys, query, view.total)
        near = postgres_rows.with_neighbours(connection, org_id, scope_keys, list(dict.fromkeys(rows)))
        return Found(pool_of(near, model=query.model, dimensions=query.dimensions), counts, view.total)

    def at_hand(
        self, connection: Connection, org_id: str, scope_keys: Sequence[str], query: IndexQuery, *, most_rows: int
    ) -> Found | None:
        view = _view(connection, org_id, scope_keys)
        if view.total > min(most_rows, self._exact_rows):
            return None
        cached = self._cache.get((org_id, tuple(scope_keys), query.model))
        return Found(cached.pool) if cached is not None and cached.version == view.version else None

    def _whole(
        self, connection: Connection, org_id: str, scope_keys: Sequence[str], version: Version, query: IndexQuery
    ) -> Cached:
        cache_key = (org_id, tuple(scope_keys), query.model)
        cached = self._cache.get(cache_key)
        if cached is not None and cached.version == version:
            return cached
        grown = cached is not None and [resets for resets, _ in cached.version] == [resets for resets, _ in version]
        fresh = _loaded(connection, org_id, scope_keys, query, version=version, known=cached if grown else None)
        self._cache.put(cache_key, fresh)
        return fresh

    def _change_traits(
        self, connection: Connection, org_id: str, memory_ids: Sequence[str], trait: int, *, present: bool
    ) -> None:
        keys = self._lock(connection, org_id, memory_ids)
        if not keys:
            return
        change = {"org_id": org_id, "memory_ids": list(memory_ids), "trait": trait}
        connection.execute(_SET_TRAIT if present else _CLEAR_TRAIT, change)
        _reset(connection, org_id, dict.fromkeys(keys, 0))
        slots.take(connection, org_id)

    def _lock(self, connection: Connection, org_id: str, memory_ids: Sequence[str]) -> Sequence[str]:
        """The scopes these memories are in, which nobody else changes until the transaction ends."""
        if not memory_ids:
            return ()
        return connection.execute(_LOCK, {"org_id": org_id, "memory_ids": list(memory_ids)}).scalars().all()


def _reset(connection: Connection, org_id: str, removed: Mapping[str, int]) -> dict[str, int]:
    """Note that rows of these scopes went or changed, so that older pools are built anew; returns their sizes."""
    keys = sorted(removed)
    bound = {"org_id": org_id, "scope_keys": keys, "removed": [removed[key] for key in keys]}
    return {row.scope_key: row.row_count for row in connection.execute(_RESET, bound)}


def _by_scope(rows: Iterable[tuple[str, NDArray[np.uint32]]]) -> dict[str, list[NDArray[np.uint32]]]:
    by_scope: dict[str, list[NDArray[np.uint32]]] = defaultdict(list)
    for key, terms in rows:
        by_scope[key].append(terms)
    return by_scope


def _view(connection: Connection, org_id: str, scope_keys: Sequence[str]) -> _View:
    # Resets come first in a version: of two versions of a scope the later one is then the greater one, also when it
    # was forgotten in between.
    if EVERYTHING in scope_keys:
        found = slots.states(connection, org_id)
        version = (sum(slot.resets for slot in found), sum(slot.last_row for slot in found))
        parts = {slots.scope_key(slot.slot): slot.row_count for slot in found}
        return _View((version,), sum(parts.values()), parts)
    states = scope_states(connection, org_id, scope_keys)
    versions = tuple((states[key].resets, states[key].last_row) if key in states else (0, 0) for key in scope_keys)
    return _View(versions, sum(row.row_count for row in states.values()), {k: r.row_count for k, r in states.items()})


def _loaded(
    connection: Connection,
    org_id: str,
    scope_keys: Sequence[str],
    query: IndexQuery,
    *,
    version: Version,
    known: Cached | None,
) -> Cached:
    """The pool of these scopes: the known one with the rows behind it, or all rows."""
    mine = (index_rows.c.org_id == org_id, *wide.scope_condition(scope_keys))
    ends = {} if known is None else dict(known.ends)
    rows = connection.execute(select(*wide.POOL_COLUMNS).where(*mine, slots.behind(ends))).all()
    pool = pool_of(rows, model=query.model, dimensions=query.dimensions)
    for row in rows:
        slot = row.row_number >> slots.SLOT_BITS
        ends[slot] = max(row.row_number, ends.get(slot, 0))
    last_row = max(ends.values(), default=0)
    return Cached(pool if known is None else merged([known.pool, pool]), version, last_row, tuple(ends.items()))


def _frequencies(
    connection: Connection, org_id: str, scope_keys: Sequence[str], view: _View, terms: Sequence[QueryTerm]
) -> dict[QueryTerm, int]:
    """In how many rows of the view each term stands."""
    if not terms:
        return {}
    if EVERYTHING in scope_keys:
        kept, others = list(view.parts), []
    else:
        kept = [key for key, rows in view.parts.items() if rows >= frequencies.COUNTED_ROWS]
        others = [key for key, rows in view.parts.items() if 0 < rows < frequencies.COUNTED_ROWS]
    counts = dict.fromkeys(terms, 0)
    for read, keys in ((frequencies.kept, kept), (frequencies.counted_now, others)):
        if keys:
            for term, count in read(connection, org_id, keys, terms).items():
                counts[term] += count
    return {term: min(count, view.total) for term, count in counts.items()}
