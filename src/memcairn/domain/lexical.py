"""Search by words: how often each query term stands in each row of a pool, and BM25 over the counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memcairn.domain.pool import Pool
from memcairn.domain.products import weighed
from memcairn.domain.turns import Floats

TermIds = NDArray[np.uint32]

MAX_TERMS = 48
"""Of a longer query only the rarest terms are weighed."""

SMALL_POOL = 100

_TABLE_BITS = 16
_TABLE_MASK = np.uint32((1 << _TABLE_BITS) - 1)
_LEAST_ROOM = np.float32(1e-3)

_LASTING_FROM = 4
"""Putting the words of a pool in order takes as long as some twenty looks at all of them: it begins with the second
search, of two looks each, as pools of candidates live for one."""


@dataclass(frozen=True, slots=True)
class Saturation:
    """The constants of BM25 (Robertson and Zaragoza 2009): `k1` how late repetition stops helping, `b` how much the
    length of a text counts against it."""

    k1: float
    b: float


@dataclass(frozen=True, slots=True)
class Words:
    """Query terms found: `counts` is terms x rows; `idf` is ln(1 + (n - df + .5) / (df + .5)) over the pool's rows."""

    counts: Floats
    idf: Floats
    rarity: Floats
    """What a term counts in coverage: IDF as if SMALL_POOL more texts without the term were there, for in a small pool
    IDF says more of its size."""

    @property
    def ideal(self) -> float:
        """What a row holding every term again and again would get; terms found nowhere count too."""
        return float(self.idf.sum()) or 1.0

    def coverage(self) -> Floats:
        """For each row the part of what was asked, weighed by rarity, that stands in it."""
        whole = float(self.rarity.sum()) or 1.0
        return weighed(self.rarity / np.float32(whole), self.counts > 0)


@dataclass(frozen=True, slots=True)
class Kin:
    """Terms that mean something like a term of the query, and how near each is: 0..1."""

    ids: TermIds
    likeness: Floats


@dataclass(frozen=True, slots=True)
class Frequencies:
    """In how many of the `total` texts of a scope each query term stands, when the pool holds only a part of them."""

    of_terms: NDArray[np.int64]
    total: int


def count_words(pool: Pool, terms: Sequence[TermIds], frequencies: Frequencies | None = None) -> Words:
    """Look up every term, each given by the ids of its alternatives; the pool's own frequencies count by default."""
    if not terms:
        nothing = np.zeros(0, dtype=np.float32)
        return Words(np.zeros((0, len(pool)), dtype=np.float32), nothing, nothing)
    counts = _occurrences(pool, terms)
    df = np.count_nonzero(counts, axis=1) if frequencies is None else frequencies.of_terms
    total = len(pool) if frequencies is None else max(frequencies.total, int(df.max()))
    if len(terms) > MAX_TERMS:
        rarest = np.argsort(df, kind="stable")[:MAX_TERMS]
        counts, df = counts[rarest], df[rarest]
    return Words(counts, _idf(df, total), _idf(df, total + SMALL_POOL))


def count_kin(pool: Pool, kin: Sequence[Kin], counts: Floats) -> Floats:
    """Terms x rows: the likeness of the nearest kin a row holds of a term, 0 where it holds the term itself.

    `counts` are the terms', of the same shape; there is at least one of them.
    """
    nearest = np.zeros_like(counts)
    wanted = np.concatenate([each.ids for each in kin])
    term_of = np.repeat(np.arange(len(kin)), [len(each.ids) for each in kin])
    likeness = np.concatenate([each.likeness for each in kin])
    at, rows = _places(pool, wanted)
    # Along one axis the library goes four times as fast.
    np.maximum.at(nearest.reshape(-1), term_of[at] * len(pool) + rows, likeness[at])
    nearest[counts > 0] = 0
    return nearest


def bm25(words: Words, counts: Floats, lengths: Floats, saturation: Saturation) -> Floats:
    """BM25 of each text as a part of `Words.ideal`, so within 0..1; `counts` may be of other texts than the rows."""
    k1, b = saturation.k1, saturation.b
    average = max(float(lengths.mean()), 1.0) if len(lengths) else 1.0
    room = np.maximum(np.float32(k1 * (1.0 - b)) + np.float32(k1 * b / average) * lengths, _LEAST_ROOM)
    shares = counts + room
    return weighed(words.idf / np.float32(words.ideal), np.divide(counts, shares, out=shares))


def _idf(df: NDArray[np.integer[Any]], total: int) -> Floats:
    return np.log1p((total - df + 0.5) / (df + 0.5)).astype(np.float32)


def _occurrences(pool: Pool, terms: Sequence[TermIds]) -> Floats:
    counts = np.zeros((len(terms), len(pool)), dtype=np.float32)
    wanted = np.concatenate(terms)
    if len(wanted):
        term_of = np.repeat(np.arange(len(terms)), [len(term) for term in terms])
        at, rows = _places(pool, wanted)
        np.add.at(counts.reshape(-1), term_of[at] * len(pool) + rows, np.float32(1))
    return counts


@dataclass(frozen=True, slots=True)
class _Concordance:
    """The words of a pool in the order of their numbers; word i stands in `rows[begins[i]:begins[i + 1]]`."""

    words: TermIds
    begins: NDArray[np.intp]
    rows: NDArray[np.int32]


def _concordance(pool: Pool) -> _Concordance:
    order = np.argsort(pool.term_ids, kind="stable")
    rows = np.repeat(np.arange(len(pool), dtype=np.int32), np.diff(pool.offsets))
    words, begins = np.unique(pool.term_ids[order], return_index=True)
    return _Concordance(words, np.append(begins, len(order)), rows[order])


def _places(pool: Pool, wanted: TermIds) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where words of `wanted` stand in the pool: for each place the index of the word that stands there, and its row.

    A word that is wanted several times is found as often.
    """
    concordance = pool.later(_concordance, from_time=_LASTING_FROM)
    if concordance is None or not len(concordance.words):
        return _looked_for(pool, wanted)
    number = np.searchsorted(concordance.words, wanted)
    number[number == len(concordance.words)] = 0
    held = np.flatnonzero(concordance.words[number] == wanted)
    begins, ends = concordance.begins[number[held]], concordance.begins[number[held] + 1]
    return np.repeat(held, ends - begins), concordance.rows[_ranges(begins, ends)].astype(np.intp)


def _looked_for(pool: Pool, wanted: TermIds) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    order = np.argsort(wanted, kind="stable")
    in_order = wanted[order]
    # A table over the low bits passes over nearly all words of the pool at the cost of one lookup each.
    table = np.zeros(1 << _TABLE_BITS, dtype=np.bool_)
    table[wanted & _TABLE_MASK] = True
    places = np.flatnonzero(table[pool.term_ids & _TABLE_MASK])
    begins = np.searchsorted(in_order, pool.term_ids[places], side="left")
    ends = np.searchsorted(in_order, pool.term_ids[places], side="right")
    rows = np.searchsorted(pool.offsets, places, side="right") - 1
    return order[_ranges(begins, ends)], np.repeat(rows, ends - begins)


def _ranges(begins: NDArray[np.intp], ends: NDArray[np.intp]) -> NDArray[np.intp]:
    """The numbers from each begin up to its end, one after another."""
    lengths = ends - begins
    before = np.cumsum(lengths) - lengths
    numbers: NDArray[np.intp] = np.repeat(begins - before, lengths) + np.arange(lengths.sum())
    return numbers
