"""Candidates from very many rows in memory: the best by words, the best by meaning, and their neighbours."""

import math
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memcairn.domain.pool import Pool
from memcairn.domain.scopes import EVERYTHING
from memcairn.store.index import wide
from memcairn.store.index.analysis import QueryTerm, term_ids
from memcairn.store.index.base import Bounds, IndexQuery
from memcairn.store.index.blocks import Block, Bools, Slots, each_once
from memcairn.store.index.codes import FAR, sign_bits
from memcairn.store.index.ids import joined_ids
from memcairn.store.index.pools import ordered
from memcairn.store.index.postings import Held, add_up, document_frequency
from memcairn.store.index.views import View

WEIGHED_LEAST = 4_000
WEIGHED_SHARE = 1 / 100
"""How many rows are compared by their 8-bit codes after sign bits chose them. Of the ten nearest messages by exact
vectors the best 64 of these hold 9.97 among 1,000,000, and 9.96 among 100,000."""

WEIGHED_EXACTLY = 64
"""How many of the nearest vectors are read from the database, for the last digits of their cosines."""

_SAMPLED = 16

Masks = Sequence[Bools | None]
"""For every block the slots that count; None: all."""


@dataclass(frozen=True, slots=True)
class Picked:
    """The chosen rows, and in how many visible rows each query term occurs."""

    pool: Pool
    frequencies: Mapping[QueryTerm, int]


ReadVectors = Callable[[Sequence[int]], Mapping[int, NDArray[np.float32]]]
"""The stored vectors of row numbers, as far as there are any."""


def pick(view: View, scope_keys: Sequence[str], query: IndexQuery, among: Set[int] | None, read: ReadVectors) -> Picked:
    """Each arm's best rows (of `among` and of the traits asked for, if any), and the turns around them."""
    visible = _visible(view, scope_keys)
    wanted = visible if among is None else _only(view, visible, among)
    if query.traits is not None:
        wanted = _reading(view, wanted, *query.traits)
    wanted = _within(view, wanted, query.bounds)
    held = {term: _held(view, term) for term in query.terms}
    counts = {term: document_frequency(zip(found, visible, strict=True)) for term, found in held.items()}
    rows = sum(
        len(block) if mask is None else int(mask.sum()) for block, mask in zip(view.blocks, visible, strict=True)
    )
    idf = [math.log1p((rows - count + 0.5) / (count + 0.5)) for count in counts.values()]
    chosen = _best_by_words(view, wanted, list(held.values()), idf)
    exact: Mapping[int, NDArray[np.float32]] = {}
    if query.vectors:
        near = best_by_meaning(view, wanted, query.vectors, rows=rows)
        chosen = _united(chosen, near.slots)
        exact = read(near.nearest)
    return Picked(pool_of_slots(view, _with_neighbours(view, visible, chosen), exact), counts)


def scope_pool(view: View, scope_keys: Sequence[str]) -> Pool:
    """Every row of these scopes."""
    slots = [
        np.arange(len(block)) if mask is None else np.flatnonzero(mask)
        for block, mask in zip(view.blocks, _visible(view, scope_keys), strict=True)
    ]
    return pool_of_slots(view, slots, {})


@dataclass(frozen=True, slots=True)
class Near:
    """The slots of the CANDIDATES_PER_ARM nearest vectors, block by block, and the row numbers of the very nearest."""

    slots: Sequence[Slots]
    nearest: Sequence[int]


def best_by_meaning(view: View, masks: Masks, vectors: Sequence[NDArray[np.float32]], *, rows: int) -> Near:
    """The nearest vectors by their codes."""
    weighed = max(WEIGHED_LEAST, int(rows * WEIGHED_SHARE))
    slots: Sequence[Slots] = [np.zeros(0, dtype=np.intp) for _ in view.blocks]
    for vector in vectors:
        slots = _united(slots, _likely(view, masks, vector, weighed))
    cosines = [
        np.max([block.codes.cosines(some, vector) for vector in vectors], axis=0)
        for block, some in zip(view.blocks, slots, strict=True)
    ]
    nearest = _highest(slots, cosines, WEIGHED_EXACTLY)
    numbers = [int(number) for block, some in zip(view.blocks, nearest, strict=True) for number in block.numbers[some]]
    return Near(_highest(slots, cosines, wide.CANDIDATES_PER_ARM), numbers)


def pool_of_slots(view: View, slots: Sequence[Slots], exact: Mapping[int, NDArray[np.float32]]) -> Pool:
    """A pool of the chosen rows, with vectors that are `exact`, or else what their codes tell: within 0.002 of the
    exact cosine."""
    chosen = [(block, some) for block, some in zip(view.blocks, slots, strict=True) if len(some)]
    chosen = chosen or [(block, np.zeros(0, dtype=np.intp)) for block in view.blocks[:1]]
    words = [_words(block, some) for block, some in chosen]
    lengths = np.concatenate([np.diff(block.offsets)[some] for block, some in chosen])
    vectors = np.concatenate([block.codes.vectors(some) for block, some in chosen])
    numbers = _column(chosen, "numbers")
    for place in np.flatnonzero(np.isin(numbers, list(exact))).tolist():
        vectors[place] = exact[int(numbers[place])]
    pool = Pool(
        memory_ids=joined_ids([block.memory_ids.taken(some) for block, some in chosen]),
        segments=_column(chosen, "segments"),
        sources=joined_ids([block.sources.taken(some) for block, some in chosen]),
        **_coded(view, chosen),
        positions=_column(chosen, "positions").astype(np.int64),
        occurred_at=_column(chosen, "occurred_at"),
        traits=_column(chosen, "traits"),
        term_ids=np.concatenate(words),
        offsets=np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)]),
        vectors=vectors,
    )
    return ordered(pool)


def _visible(view: View, scope_keys: Sequence[str]) -> list[Bools | None]:
    if EVERYTHING in scope_keys:
        return [None if block.alive.all() else block.alive for block in view.blocks]
    seen = np.zeros(len(view.names.strings) + 1, dtype=np.bool_)
    seen[view.names.known_codes(scope_keys)] = True
    return [seen[block.scopes] & block.alive for block in view.blocks]


def _only(view: View, masks: Masks, numbers: Set[int]) -> list[Bools | None]:
    wanted = np.fromiter(sorted(numbers), dtype=np.int64, count=len(numbers))
    found: list[Bools | None] = []
    for block, mask in zip(view.blocks, masks, strict=True):
        chosen = np.zeros(len(block), dtype=np.bool_)
        chosen[block.slots_of(wanted)] = True
        found.append(chosen if mask is None else chosen & mask)
    return found


def _reading(view: View, masks: Masks, looked_at: int, reading: int) -> list[Bools | None]:
    """Only rows whose traits, of the bits looked at, read so."""
    found: list[Bools | None] = []
    for block, mask in zip(view.blocks, masks, strict=True):
        chosen = block.traits & looked_at == reading
        found.append(chosen if mask is None else chosen & mask)
    return found


def _within(view: View, masks: list[Bools | None], bounds: Bounds) -> list[Bools | None]:
    """Only rows within the bounds."""
    if bounds == Bounds():
        return masks
    kinds, types = (None if names is None else _of(view, names) for names in (bounds.kinds, bounds.types))
    only, but = (None if each is None else _of(view, [each]) for each in (bounds.session_id, bounds.exclude_session_id))
    found: list[Bools | None] = []
    for block, mask in zip(view.blocks, masks, strict=True):
        chosen = np.ones(len(block), dtype=np.bool_) if mask is None else mask.copy()
        if kinds is not None:
            chosen &= kinds[block.kinds]
        if types is not None:
            chosen &= types[block.types]
        if only is not None:
            chosen &= only[block.sessions] | (block.sessions < 0)
        if but is not None:
            chosen &= ~but[block.sessions]
        if bounds.since is not None:
            chosen &= block.occurred_at >= bounds.since
        if bounds.before is not None:
            chosen &= block.occurred_at < bounds.before
        found.append(chosen)
    return found


def _of(view: View, names: Sequence[str]) -> Bools:
    """Which codes stand for one of these names; the last place, where code -1 looks, is for none."""
    known = np.zeros(len(view.names.strings) + 1, dtype=np.bool_)
    known[view.names.known_codes(names)] = True
    return known


def _held(view: View, term: QueryTerm) -> list[Held | None]:
    alternatives = np.unique(term_ids(term.alternatives))
    return [block.postings.find(alternatives) for block in view.blocks]


def _best_by_words(
    view: View, masks: Masks, held: Sequence[Sequence[Held | None]], idf: Sequence[float]
) -> list[Slots]:
    scores = []
    slots = []
    for number, (block, mask) in enumerate(zip(view.blocks, masks, strict=True)):
        summed = add_up(len(block), [found[number] for found in held], idf)
        if mask is not None:
            summed[~mask] = 0
        slots.append(np.flatnonzero(summed > 0))
        scores.append(summed[slots[-1]])
    return _highest(slots, scores, wide.CANDIDATES_PER_ARM)


def _likely(view: View, masks: Masks, vector: NDArray[np.float32], count: int) -> list[Slots]:
    """About `count` or more slots by the fewest differing signs; all if there are hardly more."""
    [asked] = sign_bits(vector[None, :]).T
    distances = [block.codes.distances(asked) for block in view.blocks]
    for distance, mask in zip(distances, masks, strict=True):
        if mask is not None:
            distance[~mask] = FAR
    border = _border(distances, count)
    return [np.flatnonzero(distance <= border) for distance in distances]


def _border(distances: Sequence[NDArray[np.uint16]], count: int) -> int:
    """A distance within which about `count` rows lie, judged by every _SAMPLED-th row if there are many."""
    step = _SAMPLED if sum(len(distance) for distance in distances) > 2 * _SAMPLED * count else 1
    sample = np.concatenate([distance[::step] for distance in distances] or [np.zeros(0, np.uint16)])
    sample = np.sort(sample[sample != FAR], kind="stable")
    wanted = count // step
    return int(FAR) - 1 if wanted >= len(sample) else int(sample[wanted])


def _highest(slots: Sequence[Slots], values: Sequence[NDArray[np.float32]], count: int) -> list[Slots]:
    """Of the slots of all blocks the `count` with the highest values, block by block."""
    every = np.concatenate([np.zeros(0, np.float32), *values])
    if len(every) <= count:
        return list(slots)
    best = np.argpartition(-every, count)[:count]
    chosen = np.zeros(len(every), dtype=np.bool_)
    chosen[best] = True
    ends = np.cumsum([len(some) for some in slots])[:-1]
    return [some[mask] for some, mask in zip(slots, np.split(chosen, ends), strict=True)]


def _united(first: Sequence[Slots], second: Sequence[Slots]) -> list[Slots]:
    return [each_once(np.concatenate([one, other])) for one, other in zip(first, second, strict=True)]


def _with_neighbours(view: View, visible: Masks, chosen: Sequence[Slots]) -> list[Slots]:
    """The chosen rows and those within NEIGHBOURS positions of them in their session, whichever block holds them."""
    sessions = np.concatenate(
        [np.zeros(0, np.int32), *(block.sessions[some] for block, some in zip(view.blocks, chosen, strict=True))]
    )
    positions = np.concatenate(
        [np.zeros(0, np.int32), *(block.positions[some] for block, some in zip(view.blocks, chosen, strict=True))]
    )
    placed = (sessions >= 0) & (positions >= 0)
    sessions, positions = sessions[placed], positions[placed]
    found = []
    for block, mask, some in zip(view.blocks, visible, chosen, strict=True):
        near = block.around(sessions, positions, wide.NEIGHBOURS)
        if mask is not None:
            near = near[mask[near]]
        found.append(each_once(np.concatenate([some, near])))
    return found


def _words(block: Block, slots: Slots) -> NDArray[np.uint32]:
    lengths = np.diff(block.offsets)[slots]
    ends = np.cumsum(lengths)
    places = np.repeat(block.offsets[:-1][slots] - ends + lengths, lengths) + np.arange(ends[-1] if len(ends) else 0)
    words: NDArray[np.uint32] = block.term_ids[places]
    return words


def _column(chosen: Sequence[tuple[Block, Slots]], name: str) -> NDArray[Any]:
    return np.concatenate([getattr(block, name)[some] for block, some in chosen])


def _coded(view: View, chosen: Sequence[tuple[Block, Slots]]) -> dict[str, Any]:
    """Codes into lists of only the names that occur."""
    found: dict[str, Any] = {}
    for column, names in (
        ("sessions", "session_ids"),
        ("speakers", "speaker_names"),
        ("kinds", "kind_names"),
        ("types", "type_names"),
    ):
        present, at = np.unique(_column(chosen, column), return_inverse=True)
        without = int(len(present) > 0 and present[0] < 0)
        found[column] = (at - without).astype(np.int32)
        found[names] = [view.names.strings[code] for code in present[without:]]
    return found
