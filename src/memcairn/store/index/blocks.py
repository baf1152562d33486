"""Blocks: up to BLOCK_ROWS index rows as columns in memory, with everything a search over very many rows asks.

A block never changes; what was removed or changed since is laid over it by `without` and `changed`, and two blocks
become one by building them anew. A row takes about 500 bytes with 256 dimensions.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memcairn.store.index import codes
from memcairn.store.index.codes import Codes
from memcairn.store.index.ids import Ids, joined_ids, packed_ids
from memcairn.store.index.postings import Postings, postings_of

BLOCK_ROWS = 32_768
"""Slots of a block fit into 16 bits; a search looks at 31 blocks per million rows."""

NOWHERE = -1
"""The place of a row outside any session."""

_POSITION_BITS = 32

Bools = NDArray[np.bool_]
Slots = NDArray[np.intp]


class Names:
    """Strings of all blocks of an org as numbers; only ever added to, so that blocks of every age can be read."""

    def __init__(self) -> None:
        self.strings: list[str] = []
        self._codes: dict[str, int] = {}

    def codes_of(self, names: Iterable[str | None]) -> NDArray[np.int32]:
        """The number of each name, new ones included; None is -1."""
        known, strings = self._codes, self.strings
        found = []
        for name in names:
            code = -1 if name is None else known.get(name)
            if code is None:
                assert name is not None  # noqa: S101 -- for the type checker: only a name can be unknown
                code = known[name] = len(strings)
                strings.append(name)
            found.append(code)
        return np.array(found, dtype=np.int32)

    def known_codes(self, names: Iterable[str]) -> list[int]:
        """The numbers of those names that occur at all."""
        return [self._codes[name] for name in names if name in self._codes]


@dataclass(frozen=True, slots=True)
class Block:
    """Parallel columns over n slots in the order of row numbers. `places` are the sorted keys of session and position,
    `at_place` the slot of each."""

    numbers: NDArray[np.int64]
    alive: Bools
    memory_ids: Ids
    sources: Ids
    segments: NDArray[np.int32]
    scopes: NDArray[np.int32]
    sessions: NDArray[np.int32]
    speakers: NDArray[np.int32]
    kinds: NDArray[np.int32]
    types: NDArray[np.int32]
    positions: NDArray[np.int32]
    occurred_at: NDArray[np.int64]
    traits: NDArray[np.int32]
    term_ids: NDArray[np.uint32]
    offsets: NDArray[np.int32]
    codes: Codes
    postings: Postings
    places: NDArray[np.int64]
    at_place: NDArray[np.uint16]

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def size_bytes(self) -> int:
        columns = (
            *(self.numbers, self.alive, self.segments, self.scopes, self.sessions, self.speakers, self.kinds),
            *(self.types, self.positions, self.occurred_at, self.traits, self.term_ids, self.offsets),
            *(self.places, self.at_place),
        )
        parts = (self.memory_ids, self.sources, self.codes, self.postings)
        return sum(column.nbytes for column in columns) + sum(part.size_bytes for part in parts)

    def slots_of(self, numbers: NDArray[np.int64]) -> Slots:
        """The slots of those of these row numbers that are in the block, removed or not."""
        at = np.searchsorted(self.numbers, numbers)
        at = at[at < len(self)]
        return at[np.isin(self.numbers[at], numbers)]

    def around(self, sessions: NDArray[np.int32], positions: NDArray[np.int32], reach: int) -> Slots:
        """The slots whose place lies within `reach` positions of one of these places, each once."""
        first = place_keys(sessions, np.maximum(positions - reach, 0))
        last = place_keys(sessions, positions + reach)
        low = np.searchsorted(self.places, first, side="left")
        high = np.searchsorted(self.places, last, side="right")
        counts = high - low
        if not counts.any():
            return np.zeros(0, dtype=np.intp)
        inside = np.repeat(low - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
        return each_once(self.at_place[inside].astype(np.intp))


def block_of(rows: Sequence[Any], names: Names, *, model: str, dimensions: int) -> Block:
    """A block of index rows (`wide.BLOCK_COLUMNS`) in ascending order of their numbers."""
    lengths = np.fromiter((len(row.terms) // 4 for row in rows), dtype=np.int32, count=len(rows))
    return _built(
        {
            "numbers": _numbers(rows, "row_number", np.int64),
            "alive": np.ones(len(rows), dtype=np.bool_),
            "memory_ids": packed_ids([row.memory_id for row in rows]),
            "sources": packed_ids([row.source for row in rows]),
            "segments": _numbers(rows, "segment", np.int32),
            "scopes": names.codes_of(row.scope_key for row in rows),
            "sessions": names.codes_of(row.session_id for row in rows),
            "speakers": names.codes_of(row.speaker for row in rows),
            "kinds": names.codes_of(row.kind for row in rows),
            "types": names.codes_of(row.type for row in rows),
            "positions": np.array([-1 if row.position is None else row.position for row in rows], dtype=np.int32),
            "occurred_at": _numbers(rows, "occurred_at", np.int64),
            "traits": _numbers(rows, "traits", np.int32),
            "term_ids": np.frombuffer(b"".join(row.terms for row in rows), dtype="<u4").astype(np.uint32, copy=False),
            "offsets": np.concatenate([np.zeros(1, np.int32), np.cumsum(lengths, dtype=np.int32)]),
            "codes": codes.codes_of(rows, model=model, dimensions=dimensions),
        }
    )


def joined(first: Block, second: Block) -> Block:
    """One block of two that follow each other; removed rows are left out."""
    first, second = _compact(first), _compact(second)
    columns = ("numbers", "alive", "segments", "scopes", "sessions", "speakers", "kinds", "types", "positions")
    parts: dict[str, Any] = {
        name: np.concatenate([getattr(first, name), getattr(second, name)])
        for name in (*columns, "occurred_at", "traits", "term_ids")
    }
    parts["memory_ids"] = joined_ids([first.memory_ids, second.memory_ids])
    parts["sources"] = joined_ids([first.sources, second.sources])
    parts["offsets"] = np.concatenate([first.offsets, first.offsets[-1] + second.offsets[1:]])
    parts["codes"] = codes.joined_codes(first.codes, second.codes)
    return _built(parts)


def without(block: Block, slots: Slots) -> Block:
    """The block with these rows removed."""
    alive = block.alive.copy()
    alive[slots] = False
    return replace(block, alive=alive)


def changed(block: Block, slots: Slots, rows: Sequence[Any], *, model: str, dimensions: int) -> Block:
    """The block with traits and vectors of `slots` as these rows have them now."""
    traits = block.traits.copy()
    traits[slots] = [row.traits for row in rows]
    now = codes.codes_of(rows, model=model, dimensions=dimensions)
    return replace(block, traits=traits, codes=codes.replaced_codes(block.codes, slots, now))


def each_once(slots: Slots) -> Slots:
    """These slots in order. For the few thousand of a search `np.unique`, which hashes, takes ten times as long."""
    in_order = np.sort(slots)
    found: Slots = in_order[np.append(True, in_order[1:] != in_order[:-1])[: len(in_order)]]
    return found


def place_keys(sessions: NDArray[np.int32], positions: NDArray[np.int32]) -> NDArray[np.int64]:
    """Session and position as one number, ordered by both; NOWHERE for a row without them."""
    keys = (sessions.astype(np.int64) << _POSITION_BITS) + positions
    return np.where((sessions < 0) | (positions < 0), NOWHERE, keys)


def _compact(block: Block) -> Block:
    if block.alive.all():
        return block
    keep = np.flatnonzero(block.alive)
    lengths = np.diff(block.offsets)[keep]
    offsets = np.concatenate([np.zeros(1, np.int32), np.cumsum(lengths, dtype=np.int32)])
    words = np.repeat(block.offsets[:-1][keep] - offsets[:-1], lengths) + np.arange(offsets[-1])
    columns = ("numbers", "alive", "segments", "scopes", "sessions", "speakers", "kinds", "types", "positions")
    parts: dict[str, Any] = {name: getattr(block, name)[keep] for name in (*columns, "occurred_at", "traits")}
    parts |= {"memory_ids": block.memory_ids.taken(keep), "sources": block.sources.taken(keep)}
    parts |= {"term_ids": block.term_ids[words], "offsets": offsets, "codes": block.codes.taken(keep)}
    return replace(block, **parts)


def _built(parts: Mapping[str, Any]) -> Block:
    keys = place_keys(parts["sessions"], parts["positions"])
    order = np.argsort(keys, kind="stable")
    return Block(
        **parts,
        postings=postings_of(parts["term_ids"], parts["offsets"]),
        places=keys[order],
        at_place=order.astype(np.uint16),
    )


def _numbers(rows: Sequence[Any], name: str, kind: type[np.integer[Any]]) -> NDArray[Any]:
    return np.array([getattr(row, name) for row in rows], dtype=kind)
