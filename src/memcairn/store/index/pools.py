"""Pools built from index rows, and kept while the rows they were built from stay the same."""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Row

from memcairn.domain.pool import Pool
from memcairn.store.index.ids import Ids

Version = tuple[tuple[int, int], ...]
"""Per scope key: its last row number and how often rows of it were removed or changed."""


@dataclass(frozen=True, slots=True)
class Cached:
    """A pool, the version of the scopes it shows, and the highest row number in it; of each slot, where there are."""

    pool: Pool
    version: Version
    last_row: int
    ends: tuple[tuple[int, int], ...] = ()

    @property
    def size_bytes(self) -> int:
        return pool_bytes(self.pool)


@dataclass(frozen=True, slots=True)
class RowFeatures:
    """One index row as ranking needs it; `terms` and `vector` are packed as they are stored."""

    memory_id: str
    segment: int
    session_id: str | None
    position: int | None
    source: str
    speaker: str | None
    kind: str
    type: str
    traits: int
    occurred_at: int
    terms: bytes
    vector: bytes | None
    model: str | None


class PoolCache:
    """The most recently searched scopes, bounded by memory. Safe to share between threads; pools are never changed."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._items: OrderedDict[Any, Cached] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Any) -> Cached | None:
        with self._lock:
            cached = self._items.get(key)
            if cached is not None:
                self._items.move_to_end(key)
            return cached

    def put(self, key: Any, cached: Cached) -> None:
        """Keep a pool unless a newer one is there already; the least recently used ones give way."""
        with self._lock:
            present = self._items.get(key)
            if present is not None and present.version >= cached.version:
                return
            if present is not None:
                self._bytes -= present.size_bytes
            self._items[key] = cached
            self._items.move_to_end(key)
            self._bytes += cached.size_bytes
            while self._bytes > self._max_bytes and self._items:
                _, oldest = self._items.popitem(last=False)
                self._bytes -= oldest.size_bytes

    def drop(self, org_id: str, scope_keys: Iterable[str]) -> None:
        """Let go of every pool that shows one of these scopes."""
        gone = frozenset(scope_keys)
        with self._lock:
            for key in [key for key in self._items if key[0] == org_id and not gone.isdisjoint(key[1])]:
                self._bytes -= self._items.pop(key).size_bytes

    @property
    def size_bytes(self) -> int:
        return self._bytes


def pool_bytes(pool: Pool) -> int:
    """Memory held by a pool: its arrays, about 140 bytes a row for ids and codes, and what ranking derives from it,
    some 80 bytes a row and 8 a word."""
    arrays = (pool.vectors, pool.term_ids, pool.offsets, pool.positions, pool.occurred_at)
    return sum(array.nbytes for array in arrays) + 220 * len(pool) + 8 * len(pool.term_ids)


def pool_of(rows: Sequence[RowFeatures | Row[*tuple[Any, ...]]], *, model: str, dimensions: int) -> Pool:
    """A pool of index rows, in the one order that such rows have (`ordered`), however they were read.

    A vector made by another model, or of another width, counts as missing: it is never compared.
    """
    speakers, speaker_names = _codes(row.speaker for row in rows)
    sessions, session_ids = _codes(row.session_id for row in rows)
    kinds, kind_names = _codes(row.kind for row in rows)
    types, type_names = _codes(row.type for row in rows)
    lengths = np.fromiter((len(row.terms) // 4 for row in rows), dtype=np.int64, count=len(rows))
    pool = Pool(
        memory_ids=[row.memory_id for row in rows],
        segments=np.fromiter((row.segment for row in rows), dtype=np.int32, count=len(rows)),
        sources=[row.source for row in rows],
        sessions=sessions,
        session_ids=session_ids,
        positions=np.fromiter(
            (-1 if row.position is None else row.position for row in rows), dtype=np.int64, count=len(rows)
        ),
        speakers=speakers,
        speaker_names=speaker_names,
        occurred_at=np.fromiter((row.occurred_at for row in rows), dtype=np.int64, count=len(rows)),
        traits=np.fromiter((row.traits for row in rows), dtype=np.int32, count=len(rows)),
        kinds=kinds,
        kind_names=kind_names,
        types=types,
        type_names=type_names,
        term_ids=np.frombuffer(b"".join(row.terms for row in rows), dtype="<u4").astype(np.uint32, copy=False),
        offsets=np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]),
        vectors=vectors_of(rows, model=model, dimensions=dimensions),
    )
    return ordered(pool)


def vectors_of(
    rows: Sequence[RowFeatures | Row[*tuple[Any, ...]]], *, model: str, dimensions: int
) -> NDArray[np.float32]:
    """One vector a row, zeros where there is none of this model and width."""
    missing = bytes(dimensions * 2)
    width = len(missing)
    packed = b"".join(
        row.vector if row.vector is not None and row.model == model and len(row.vector) == width else missing
        for row in rows
    )
    return np.frombuffer(packed, dtype="<f2").reshape(len(rows), dimensions).astype(np.float32)


def pack_vector(vector: NDArray[np.float32]) -> bytes:
    """Half precision, little-endian: cosines move by less than 0.001 and the file is half as large."""
    return vector.astype("<f2").tobytes()


def unpack_vector(packed: bytes) -> NDArray[np.float32]:
    """What `pack_vector` packed; packing it again gives the same bytes."""
    return np.frombuffer(packed, dtype="<f2").astype(np.float32)


def merged(pools: Sequence[Pool]) -> Pool:
    """One pool of several, ordered anew."""
    filled = [pool for pool in pools if len(pool)] or list(pools[:1])
    if len(filled) == 1:
        return filled[0]
    speakers, speaker_names = _joined_codes([(pool.speakers, pool.speaker_names) for pool in filled])
    sessions, session_ids = _joined_codes([(pool.sessions, pool.session_ids) for pool in filled])
    kinds, kind_names = _joined_codes([(pool.kinds, pool.kind_names) for pool in filled])
    types, type_names = _joined_codes([(pool.types, pool.type_names) for pool in filled])
    ends = np.cumsum([0] + [int(pool.offsets[-1]) for pool in filled])
    starts = [pool.offsets[:-1] + start for pool, start in zip(filled, ends[:-1], strict=True)]
    pool = Pool(
        memory_ids=[memory_id for pool in filled for memory_id in pool.memory_ids],
        segments=np.concatenate([pool.segments for pool in filled]),
        sources=[source for pool in filled for source in pool.sources],
        sessions=sessions,
        session_ids=session_ids,
        positions=np.concatenate([pool.positions for pool in filled]),
        speakers=speakers,
        speaker_names=speaker_names,
        occurred_at=np.concatenate([pool.occurred_at for pool in filled]),
        traits=np.concatenate([pool.traits for pool in filled]),
        kinds=kinds,
        kind_names=kind_names,
        types=types,
        type_names=type_names,
        term_ids=np.concatenate([pool.term_ids for pool in filled]),
        offsets=np.concatenate([*starts, ends[-1:]]),
        vectors=np.concatenate([pool.vectors for pool in filled]),
    )
    return ordered(pool)


def ordered(pool: Pool) -> Pool:
    """The same rows by session, position and segment, those alike in all three by id.

    Sums are then the same to the last bit, and ties fall the same way, whatever database the rows came from.
    """
    order = np.lexsort((pool.segments, pool.positions, pool.sessions))
    _order_ties_by_id(pool, order)
    if np.array_equal(order, np.arange(len(pool))):
        return pool
    lengths = np.diff(pool.offsets)[order]
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    words = np.repeat(pool.offsets[:-1][order] - offsets[:-1], lengths) + np.arange(offsets[-1])
    return replace(
        pool,
        memory_ids=_taken(pool.memory_ids, order),
        segments=pool.segments[order],
        sources=_taken(pool.sources, order),
        sessions=pool.sessions[order],
        positions=pool.positions[order],
        speakers=pool.speakers[order],
        occurred_at=pool.occurred_at[order],
        traits=pool.traits[order],
        kinds=pool.kinds[order],
        types=pool.types[order],
        term_ids=pool.term_ids[words],
        offsets=offsets,
        vectors=pool.vectors[order],
    )


def _taken(ids: Sequence[str], order: NDArray[np.int64]) -> Sequence[str]:
    return ids.taken(order) if isinstance(ids, Ids) else [ids[i] for i in order.tolist()]


def _order_ties_by_id(pool: Pool, order: NDArray[np.int64]) -> None:
    """Order places that `order` gives to rows of equal session, position and segment by their ids."""
    columns = (pool.segments[order], pool.positions[order], pool.sessions[order])
    same = np.logical_and.reduce([column[1:] == column[:-1] for column in columns])
    if not same.any():
        return
    edges = np.flatnonzero(np.diff(np.concatenate([[False], same, [False]])))
    for first, last in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        tied = order[first : last + 1].tolist()
        order[first : last + 1] = sorted(tied, key=lambda row: pool.memory_ids[row])


def _codes(names: Iterable[str | None]) -> tuple[NDArray[np.int32], list[str]]:
    """Each name as an index into the list of distinct ones, in their own order; None is -1."""
    given = list(names)
    known = sorted({name for name in given if name is not None})
    places: dict[str | None, int] = {name: place for place, name in enumerate(known)}
    places[None] = -1
    return np.array([places[name] for name in given], dtype=np.int32), known


def _joined_codes(parts: Sequence[tuple[NDArray[np.int32], list[str]]]) -> tuple[NDArray[np.int32], list[str]]:
    known = sorted({name for _, names in parts for name in names})
    places = {name: place for place, name in enumerate(known)}
    joined = []
    for codes, names in parts:
        table = np.array([*(places[name] for name in names), -1], dtype=np.int32)
        joined.append(table[codes])
    return np.concatenate(joined), known
