"""The order hits are shown in: by their sums, each thing once, and what says nearly the same behind the rest.

Nothing is dropped but what another hit shows: a row that stands back comes when the others have had their turn.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import numpy as np

from memcairn.domain.pool import Pool, Trait
from memcairn.domain.turns import Floats

ALIKE_WORDS = 0.7
MIN_ALIKE_WORDS = 5
"""Rows of at least so many different words are alike if they share so large a part of all their words (Jaccard)."""

ALIKE_MEANING = 0.97
"""Rows are alike, too, if the cosine of their vectors is as high: the same words in other forms and another order."""

MOST_ALIKE = 3
"""So many alike rows stand among the first hits, for the one word that differs may be what was asked for."""

SAME_WORDS = 0.85
"""Of rows as alike as this by one speaker, only the first does, unless they tell numbers or times: those may differ."""

NEAR_TIE = 0.03
"""Rows whose sums differ by no more than this part of the best sum are nearly tied."""

TIED_ROWS = 6
"""So many rows are compared where sums are nearly tied."""

EXAMINED_ROWS = 2_000
"""Behind so many rows the plain order begins: a flood of alike texts longer than this has its way there."""

_TELLS_NUMBERS = (Trait.HAS_NUMBER | Trait.HAS_TIME).value


class Shown:
    """Rows of a ranking, best first: the first row of each memory, of each source event, and of each text in the same
    words by the same speaker. If `varied`, the row least like those before it comes first where sums are nearly tied
    (maximal marginal relevance, Carbonell and Goldstein 1998), and rows alike stand back.

    `shown_by` says of every row that is not shown which one stands for it, `alike` of every row that stands back which
    one it is like; both fill up as rows are taken.
    """

    def __init__(self, pool: Pool, rows: Iterator[int], fused: Floats, *, varied: bool) -> None:
        self.shown_by: dict[int, int] = {}
        self.alike: dict[int, int] = {}
        self._pool = pool
        self._rows = rows
        self._fused = fused
        self._varied = varied
        self._first: dict[object, int] = {}
        self._words = functools.cache(functools.partial(_words, pool))

    def __iter__(self) -> Iterator[int]:
        distinct = self._distinct()
        if self._varied:
            yield from self._spread(distinct)
        yield from distinct

    def _distinct(self) -> Iterator[int]:
        for row in self._rows:
            keys = self._keys(row)
            same = [self._first[key] for key in keys if key in self._first]
            if same:
                self.shown_by[row] = same[0]
            else:
                self._first |= dict.fromkeys(keys, row)
                yield row

    def _keys(self, row: int) -> list[object]:
        pool = self._pool
        keys: list[object] = [("memory", pool.memory_ids[row])]
        if pool.sources[row]:
            keys.append(("source", pool.sources[row]))
        if words := self._words(row):
            keys.append((int(pool.speakers[row]), words))
        return keys

    def _spread(self, rows: Iterator[int]) -> Iterator[int]:
        """The first rows apart from one another, then those of them that stood back."""
        ahead = _Ahead(self._pool, self._words)
        waiting = _Waiting(self._fused, ahead, list(islice(rows, TIED_ROWS)))
        examined, back = 0, []
        while waiting.rows and examined < EXAMINED_ROWS:
            row, likeness = waiting.take_least_like()
            waiting.append(islice(rows, 1))
            examined += 1
            like = ahead.like(row, likeness)
            if like is None:
                ahead.add(row)
                waiting.compare_with_last()
                yield row
            else:
                self.alike[row] = like
                back.append(row)
        yield from back
        yield from waiting.rows


class _Waiting:
    """The next rows, and how near each is to the nearest of those ahead of it."""

    def __init__(self, fused: Floats, ahead: "_Ahead", rows: list[int]) -> None:
        self.rows = rows
        self._fused = fused
        self._ahead = ahead
        self._sums: list[float] = fused[rows].tolist()
        self._likeness = [0.0] * len(rows)
        self._margin = NEAR_TIE * abs(self._sums[0]) if rows else 0.0

    def take_least_like(self) -> tuple[int, float]:
        """The best row, less by how near it is to those ahead, and how near that is: the cosine, 0..1."""
        margin = self._margin
        worth = [value - margin * like for value, like in zip(self._sums, self._likeness, strict=True)]
        at = worth.index(max(worth))
        del self._sums[at]
        return self.rows.pop(at), self._likeness.pop(at)

    def append(self, rows: Iterable[int]) -> None:
        for row in rows:
            self.rows.append(row)
            self._sums.append(float(self._fused[row]))
            self._likeness.append(max(0.0, float(self._ahead.cosines(row).max(initial=0.0))))

    def compare_with_last(self) -> None:
        """With the row that went ahead just now."""
        cosines = self._ahead.cosines_to_last(self.rows)
        self._likeness = [max(pair) for pair in zip(self._likeness, cosines, strict=True)]


class _Ahead:
    """The rows shown so far, to compare others with."""

    def __init__(self, pool: Pool, words_of: Callable[[int], frozenset[int]]) -> None:
        self._pool = pool
        self._words_of = words_of
        self._rows: list[int] = []
        self._words: list[frozenset[int]] = []
        self._vectors = np.zeros((64, pool.vectors.shape[1]), dtype=np.float32)

    def add(self, row: int) -> None:
        if len(self._rows) == len(self._vectors):
            self._vectors = np.concatenate([self._vectors, np.zeros_like(self._vectors)])
        self._vectors[len(self._rows)] = self._pool.vectors[row]
        self._rows.append(row)
        self._words.append(self._words_of(row))

    def cosines(self, row: int) -> Floats:
        """Of this row to each one shown."""
        cosines: Floats = self._vectors[: len(self._rows)] @ self._pool.vectors[row]
        return cosines

    def cosines_to_last(self, rows: Sequence[int]) -> list[float]:
        cosines: list[float] = (self._pool.vectors.take(rows, axis=0) @ self._vectors[len(self._rows) - 1]).tolist()
        return cosines

    def like(self, row: int, likeness: float) -> int | None:
        """The row shown that keeps this one back, or None; `likeness` is the cosine to the nearest one shown."""
        words = self._words_of(row)
        shares = [_share(words, each) for each in self._words]
        alike = [at for at, share in enumerate(shares) if share >= ALIKE_WORDS]
        if likeness >= ALIKE_MEANING:
            alike = sorted({*alike, *np.flatnonzero(self.cosines(row) >= ALIKE_MEANING).tolist()})
        if len(alike) >= MOST_ALIKE:
            return self._rows[alike[0]]
        if not alike or self._pool.traits[row] & _TELLS_NUMBERS:
            return None
        speakers = self._pool.speakers
        same = (self._rows[at] for at in alike if shares[at] >= SAME_WORDS)
        return next((other for other in same if speakers[other] == speakers[row]), None)


def _words(pool: Pool, row: int) -> frozenset[int]:
    return frozenset(pool.term_ids[pool.offsets[row] : pool.offsets[row + 1]].tolist())


def _share(one: frozenset[int], other: frozenset[int]) -> float:
    fewer, more = len(one), len(other)
    if fewer > more:
        fewer, more = more, fewer
    if fewer < MIN_ALIKE_WORDS or fewer < ALIKE_WORDS * more:
        return 0.0
    both = len(one & other)
    return both / (fewer + more - both)
