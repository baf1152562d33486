"""Which slots of a block hold a term: an inverted list per term, ready to be summed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

K1 = 1.2
B = 0.75
"""The usual constants of BM25; what is found by them is ranked again."""

_STEPS = 255

Slots = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Held:
    """The slots that hold a term, each once, and how much the term weighs there: 0..K1 + 1 in steps of a 255th."""

    slots: NDArray[np.uint16]
    impacts: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Postings:
    """For each of the sorted `terms` a slice of `slots` and `impacts`, from `starts[i]` to `starts[i + 1]`."""

    terms: NDArray[np.uint32]
    starts: NDArray[np.int32]
    slots: NDArray[np.uint16]
    impacts: NDArray[np.uint8]

    @property
    def size_bytes(self) -> int:
        return self.terms.nbytes + self.starts.nbytes + self.slots.nbytes + self.impacts.nbytes

    def find(self, alternatives: NDArray[np.uint32]) -> Held | None:
        """The slots that hold one of these terms, or None."""
        at = np.searchsorted(self.terms, alternatives)
        at[at == len(self.terms)] = 0
        places = at[self.terms[at] == alternatives] if len(self.terms) else at[:0]
        lists = [slice(int(self.starts[place]), int(self.starts[place + 1])) for place in places]
        if not lists:
            return None
        if len(lists) == 1:
            return Held(self.slots[lists[0]], self.impacts[lists[0]])
        slots = np.concatenate([self.slots[part] for part in lists])
        impacts = np.concatenate([self.impacts[part] for part in lists])
        order = np.lexsort((impacts, slots))
        last = np.append(slots[order][1:] != slots[order][:-1], True)
        return Held(slots[order][last], impacts[order][last])


def postings_of(term_ids: NDArray[np.uint32], offsets: NDArray[np.int32]) -> Postings:
    """The inverted lists of rows given by their words in reading order."""
    lengths = np.diff(offsets)
    slots = np.repeat(np.arange(len(lengths), dtype=np.uint64), lengths)
    keys = np.sort((term_ids.astype(np.uint64) << np.uint64(16)) | slots)
    first = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: len(keys)])
    counts = np.diff(first, append=len(keys))
    keys = keys[first]
    terms = (keys >> np.uint64(16)).astype(np.uint32)
    at = (keys & np.uint64(0xFFFF)).astype(np.uint16)
    starts = np.flatnonzero(np.append(True, terms[1:] != terms[:-1])[: len(terms)])
    average = max(float(lengths.mean()), 1.0) if len(lengths) else 1.0
    room = K1 * (1.0 - B + B * lengths[at] / average)
    impacts = np.rint(counts / (counts + room) * _STEPS).astype(np.uint8)
    return Postings(terms[starts], np.append(starts, len(terms)).astype(np.int32), at, impacts)


def document_frequency(held: Iterable[tuple[Held | None, NDArray[np.bool_] | None]]) -> int:
    """In how many slots a term stands, over several blocks, each with the slots that count (None: all)."""
    total = 0
    for found, mask in held:
        if found is not None:
            total += len(found.slots) if mask is None else int(np.count_nonzero(mask[found.slots]))
    return total


def add_up(size: int, held: Sequence[Held | None], weights: Sequence[float]) -> NDArray[np.float32]:
    """For each slot the weighted sum of the impacts of the terms it holds."""
    scores = np.zeros(size, dtype=np.float32)
    for found, weight in zip(held, weights, strict=True):
        if found is not None:
            table = (np.arange(_STEPS + 1) * (weight / _STEPS)).astype(np.float32)
            scores[found.slots] += table[found.impacts]
    return scores
