"""The index on SQLite: words in FTS5, vectors in BLOBs, both beside the features ranking reads.

A scope of up to EXACT_ROWS segments is ranked whole, from a pool kept in memory; a larger one gives its best
candidates by words and by meaning, with their neighbours in the conversation: from blocks in memory where the org fits
into the cache, else from disk (FTS5, and an exact scan over the vectors).
"""

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from functools import partial

from sqlalchemy import ColumnElement, Connection, delete, insert, select, text, update

from memcairn.domain.scopes import EVERYTHING
from memcairn.store import counters, orgs, prepared
from memcairn.store.batches import chunks
from memcairn.store.dialect import upsert_on
from memcairn.store.index import large, segments, wide
from memcairn.store.index.analysis import term_ids
from memcairn.store.index.base import Found, IndexEntry, IndexQuery
from memcairn.store.index.copies import Copies
from memcairn.store.index.pools import Cached, PoolCache, Version, merged, pack_vector, pool_of
from memcairn.store.index.resident import Residents
from memcairn.store.index.scope_states import scope_states
from memcairn.store.index.views import State
from memcairn.store.prepared import Prepared
from memcairn.store.schema import index_changes, index_rows, index_scopes

EXACT_ROWS = 20_000
"""Ranking this many rows whole takes about 15 ms on one core; above it, candidates are cheaper."""

CACHE_BYTES = 768 * 1024 * 1024
POOLS_SHARE = 0.25
"""The part of the cache for scopes ranked whole; the rest is for the rows of large orgs."""

CHANGES_KEPT = 50_000
"""Changes on record per org. Whoever was away for more of them reads the org anew."""

TIDY_PAGES = 64
"""Pages of the word index written in one step, about 256 KiB: some 10 ms, and what is read for them."""
TIDY_AFTER_ROWS = 50_000
"""So many rows removed, the word index is made anew in steps, one with each removal that follows: where more of it was
removed than is left, a single step would read all that and take half a second."""

ORG_BITS = 40
"""Row numbers of an org lie in `orgs.number << ORG_BITS` and the 2^40 behind it."""

_ADDED = upsert_on("sqlite", index_scopes)
_COUNT_ADDED = Prepared(
    _ADDED.on_conflict_do_update(
        index_elements=["org_id", "scope_key"],
        set_={
            "last_row": _ADDED.excluded.last_row,
            "row_count": index_scopes.c.row_count + _ADDED.excluded.row_count,
        },
    ),
    plain=False,
)
_ADD_WORDS = text("INSERT INTO memory_words (rowid, scope, words) VALUES (:row_number, :scope, :words)")
_REMOVE_WORDS = text("DELETE FROM memory_words WHERE rowid = :row_number")


class SqliteIndex:
    """See `Index`; the pools of recently searched scopes are kept up to `cache_bytes`, large orgs also in `copies`."""

    def __init__(
        self, *, cache_bytes: int = CACHE_BYTES, exact_rows: int = EXACT_ROWS, copies: Copies | None = None
    ) -> None:
        self._cache = PoolCache(int(cache_bytes * POOLS_SHARE))
        self._residents = Residents(cache_bytes - int(cache_bytes * POOLS_SHARE), copies)
        self._exact_rows = exact_rows
        self._removed = 0
        self._tidying: Set[int] | None = None

    def put(self, connection: Connection, org_id: str, entries: Sequence[IndexEntry], *, model: str) -> None:
        if not entries:
            return
        start = orgs.require(connection, org_id).number << ORG_BITS
        first = counters.take(connection, org_id, "index_rows", count=len(entries), start=start)
        numbered = list(enumerate(entries, start=first))
        prepared.add(connection, index_rows, [_columns(org_id, number, entry, model) for number, entry in numbered])
        connection.execute(
            _ADD_WORDS,
            [
                {
                    "row_number": number,
                    "scope": wide.scope_token(entry.scope_key),
                    "words": " ".join(entry.terms),
                }
                for number, entry in numbered
            ],
        )
        added = Counter(entry.scope_key for entry in entries)
        _count_added(connection, org_id, added | {EVERYTHING: len(entries)}, last_row=first + len(entries) - 1)

    def remove(self, connection: Connection, org_id: str, memory_ids: Sequence[str]) -> int:
        gone: list[tuple[int, str]] = []
        for chunk in chunks(memory_ids):
            mine = (index_rows.c.org_id == org_id, index_rows.c.memory_id.in_(chunk))
            rows = connection.execute(select(index_rows.c.row_number, index_rows.c.scope_key).where(*mine))
            gone += [(row.row_number, row.scope_key) for row in rows]
            connection.execute(delete(index_rows).where(*mine))
        if gone:
            connection.execute(_REMOVE_WORDS, [{"row_number": number} for number, _ in gone])
            removed = Counter(scope_key for _, scope_key in gone)
            _count_reset(connection, org_id, removed, [number for number, _ in gone])
            self._tidy_after(connection, len(gone))
        return len(gone)

    def add_trait(self, connection: Connection, org_id: str, memory_ids: Sequence[str], trait: int) -> None:
        _change_traits(connection, org_id, memory_ids, index_rows.c.traits.bitwise_or(trait))

    def drop_trait(self, connection: Connection, org_id: str, memory_ids: Sequence[str], trait: int) -> None:
        _change_traits(connection, org_id, memory_ids, index_rows.c.traits.bitwise_and(~trait))

    def forget_empty_scopes(self, connection: Connection, org_id: str) -> int:
        empty = (index_scopes.c.org_id == org_id, index_scopes.c.row_count <= 0, index_scopes.c.scope_key != EVERYTHING)
        keys = (
            connection.execute(delete(index_scopes).where(*empty).returning(index_scopes.c.scope_key)).scalars().all()
        )
        self._cache.drop(org_id, keys)
        return len(keys)

    def tidy(self, connection: Connection, left: Set[int] | None) -> Set[int]:
        if left is None:
            return segments.begin(connection)
        return segments.go_on(connection, left, pages=TIDY_PAGES)

    def _tidy_after(self, connection: Connection, removed: int) -> None:
        """For the one thread that writes. Where its transaction is undone, the next time comes sooner or later."""
        self._removed += removed
        if self._removed < TIDY_AFTER_ROWS:
            return
        self._tidying = self.tidy(connection, self._tidying)
        if not self._tidying:
            self._removed, self._tidying = 0, None

    def find(self, connection: Connection, org_id: str, scope_keys: Sequence[str], query: IndexQuery) -> Found:
        states = _scope_states(connection, org_id, scope_keys)
        total = sum(rows for _, _, rows in states.values())
        if total <= self._exact_rows:
            return Found(self._whole(connection, org_id, scope_keys, states, query).pool)
        among = None if query.allowed is None else wide.rows_of(connection, org_id, scope_keys, query.allowed)
        everything = _scope_states(connection, org_id, [EVERYTHING]).get(EVERYTHING, (0, 0, 0))
        if not self._residents.fits(everything[2], query.dimensions):
            return self._on_disk(connection, org_id, scope_keys, query, among=among, total=total)
        view = self._residents.view(
            connection, org_id, State(*everything[:2]), model=query.model, dimensions=query.dimensions
        )
        read = partial(wide.vectors_by_number, connection, org_id, model=query.model, dimensions=query.dimensions)
        picked = large.pick(view, scope_keys, query, among, read)
        return Found(picked.pool, picked.frequencies, total)

    def at_hand(
        self, connection: Connection, org_id: str, scope_keys: Sequence[str], query: IndexQuery, *, most_rows: int
    ) -> Found | None:
        states = _scope_states(connection, org_id, scope_keys)
        if sum(rows for _, _, rows in states.values()) > min(most_rows, self._exact_rows):
            return None
        cached = self._cache.get((org_id, tuple(scope_keys), query.model))
        return Found(cached.pool) if cached is not None and cached.version == _version(states, scope_keys) else None

    def _whole(
        self,
        connection: Connection,
        org_id: str,
        scope_keys: Sequence[str],
        states: Mapping[str, tuple[int, int, int]],
        query: IndexQuery,
    ) -> Cached:
        version = _version(states, scope_keys)
        cache_key = (org_id, tuple(scope_keys), query.model)
        cached = self._cache.get(cache_key)
        if cached is not None and cached.version == version:
            return cached
        if (
            cached is None
            and len(states)
            and (known := self._from_memory(connection, org_id, scope_keys, query, version))
        ):
            self._cache.put(cache_key, known)
            return known
        grown = cached is not None and [resets for _, resets in cached.version] == [resets for _, resets in version]
        fresh = _loaded(connection, org_id, scope_keys, query, version=version, known=cached if grown else None)
        if len(fresh.pool) != sum(count for _, _, count in states.values()):
            # A scope that was forgotten and filled again counts its resets anew and may look grown: its size tells.
            fresh = _loaded(connection, org_id, scope_keys, query, version=version, known=None)
        self._cache.put(cache_key, fresh)
        return fresh

    def _from_memory(
        self, connection: Connection, org_id: str, scope_keys: Sequence[str], query: IndexQuery, version: Version
    ) -> Cached | None:
        """The pool of these scopes out of the blocks of their org, if those are in memory and show the same rows."""
        everything = _scope_states(connection, org_id, [EVERYTHING]).get(EVERYTHING, (0, 0, 0))
        state = State(*everything[:2])
        view = self._residents.kept(org_id, query.model, state)
        if view is None or view.state != state:
            return None
        return Cached(large.scope_pool(view, scope_keys), version, state.last_row)

    def _on_disk(
        self,
        connection: Connection,
        org_id: str,
        scope_keys: Sequence[str],
        query: IndexQuery,
        *,
        among: Set[int] | None,
        total: int,
    ) -> Found:
        low = orgs.require(connection, org_id).number << ORG_BITS
        high = low + (1 << ORG_BITS) - 1
        rows = wide.best_by_words(connection, org_id, scope_keys, query, among, low=low, high=high)
        rows += wide.best_by_meaning(connection, org_id, scope_keys, query, among)
        near = wide.with_neighbours(connection, org_id, scope_keys, list(dict.fromkeys(rows)))
        counts = wide.frequencies(connection, scope_keys, query.terms, low=low, high=high)
        return Found(pool_of(near, model=query.model, dimensions=query.dimensions), counts, total)


def _version(states: Mapping[str, tuple[int, int, int]], scope_keys: Sequence[str]) -> Version:
    return tuple(states.get(key, (0, 0, 0))[:2] for key in scope_keys)


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
    after = 0 if known is None else known.last_row
    statement = select(*wide.POOL_COLUMNS).where(
        index_rows.c.org_id == org_id, *wide.scope_condition(scope_keys), index_rows.c.row_number > after
    )
    rows = connection.execute(statement).all()
    pool = pool_of(rows, model=query.model, dimensions=query.dimensions)
    last_row = max((row.row_number for row in rows), default=after)
    return Cached(pool if known is None else merged([known.pool, pool]), version, last_row)


def _change_traits(connection: Connection, org_id: str, memory_ids: Sequence[str], traits: ColumnElement[int]) -> None:
    for chunk in chunks(memory_ids):
        mine = (index_rows.c.org_id == org_id, index_rows.c.memory_id.in_(chunk))
        rows = connection.execute(select(index_rows.c.row_number, index_rows.c.scope_key).where(*mine)).all()
        connection.execute(update(index_rows).where(*mine).values(traits=traits))
        if rows:
            keys = dict.fromkeys((row.scope_key for row in rows), 0)
            _count_reset(connection, org_id, keys, [row.row_number for row in rows])


def _columns(org_id: str, row_number: int, entry: IndexEntry, model: str) -> dict[str, object]:
    return {
        "org_id": org_id,
        "memory_id": entry.memory_id,
        "segment": entry.segment,
        "row_number": row_number,
        "scope_key": entry.scope_key,
        "session_id": entry.session_id,
        "position": entry.position,
        "source": entry.source,
        "speaker": entry.speaker,
        "kind": entry.kind,
        "type": entry.type,
        "traits": entry.traits,
        "occurred_at": entry.occurred_at,
        "terms": term_ids(entry.terms).astype("<u4").tobytes(),
        "vector": None if entry.vector is None else pack_vector(entry.vector),
        "model": None if entry.vector is None else model,
    }


def _scope_states(connection: Connection, org_id: str, scope_keys: Sequence[str]) -> dict[str, tuple[int, int, int]]:
    """Last row, resets and row count of each scope that has ever held a row."""
    found = scope_states(connection, org_id, scope_keys)
    return {key: (row.last_row, row.resets, row.row_count) for key, row in found.items()}


def _count_added(connection: Connection, org_id: str, added: Mapping[str, int], *, last_row: int) -> None:
    rows = [
        {"org_id": org_id, "scope_key": scope_key, "last_row": last_row, "resets": 0, "row_count": count}
        for scope_key, count in sorted(added.items())
    ]
    _COUNT_ADDED.run(connection, rows)


def _count_reset(connection: Connection, org_id: str, lost: Mapping[str, int], row_numbers: Sequence[int]) -> None:
    """Note that these rows went or changed: pools built before are built anew, blocks are corrected row by row.

    `lost` says how many rows each scope touched has now less.
    """
    for scope_key, count in sorted(lost.items()):
        _move_on(connection, org_id, scope_key, by=1, lost=count)
    last = _move_on(connection, org_id, EVERYTHING, by=len(row_numbers), lost=sum(lost.values()))
    if last is None:
        return
    changes = list(enumerate(row_numbers, start=last - len(row_numbers) + 1))[-CHANGES_KEPT:]
    connection.execute(
        insert(index_changes), [{"org_id": org_id, "number": number, "row_number": row} for number, row in changes]
    )
    connection.execute(
        delete(index_changes).where(index_changes.c.org_id == org_id, index_changes.c.number <= last - CHANGES_KEPT)
    )


def _move_on(connection: Connection, org_id: str, scope_key: str, *, by: int, lost: int) -> int | None:
    statement = (
        update(index_scopes)
        .where(index_scopes.c.org_id == org_id, index_scopes.c.scope_key == scope_key)
        .values(resets=index_scopes.c.resets + by, row_count=index_scopes.c.row_count - lost)
    )
    resets: int | None = connection.execute(statement.returning(index_scopes.c.resets)).scalar_one_or_none()
    return resets
