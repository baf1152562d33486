"""From a pool of rows to the best few: signals weighed and added, one hit per memory, scores that mean something.

The order is that of one sum. The mask decides which rows may be returned and nothing else does; rows that may not be
returned still give context to their neighbours.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from memcairn.domain.explanation import Arm, Explanation
from memcairn.domain.pool import Pool
from memcairn.domain.signals import ARMS, Evidence, gather
from memcairn.domain.signals import RankQuery as RankQuery
from memcairn.domain.turns import Bools, Floats, Ints
from memcairn.domain.variety import Shown
from memcairn.domain.weights import Calibration, Weights

MAX_SCORE = 0.989
"""No ordering evidence is certainty: scores stay under 0.99."""

WITNESSES = 3
"""The score of a search is judged by what its first three hits hold."""

_BEHIND = 0.85
"""The part of a statement's sum that the words it has replaced may reach at most."""

_CANDIDATES_PER_HIT = 4
_FOURTH_ROOT = 1 / 4
"""Of the mean over a session, of fourth powers: high enough that a few good turns speak for it, not its length."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """One hit: `fused` orders within one search, `score` is the same order calibrated to 0..1, `similarity` is the
    cosine to the question clipped to 0..1, comparable across searches (0 without vectors)."""

    row: int
    fused: float
    score: float
    similarity: float
    explanation: Explanation | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one memory stands among all rows, were none of its own hidden by the mask.

    `place` counts hits from 1; it is None if the memory is not shown because the hit `shown_by` (a row) stands for it.
    """

    hit: Ranked
    place: int | None
    shown_by: int | None = None


def rank(
    pool: Pool,
    query: RankQuery,
    weights: Weights,
    *,
    limit: int = 10,
    mask: Bools | None = None,
    varied: bool = True,
    explain: bool = False,
) -> list[Ranked]:
    """The best rows first, at most `limit`, only where `mask` (one bool per row) allows.

    Each memory and each source event comes once, through its best row; texts of the same words by the same speaker
    come once; unless `varied` is off, texts alike stand back (`domain.variety`). Rows are never dropped for a low
    score: fewer than `limit` come back only when there are no more.
    """
    if not len(pool) or limit < 1:
        return []
    evidence = gather(pool, query, weights)
    fused = fuse(evidence, weights)
    shown = Shown(pool, _best_first(fused, mask, limit), fused, varied=varied)
    rows = list(islice(shown, limit))
    if not rows:
        return []
    sums = _Sums(pool, query, weights, evidence, fused, mask)
    hits = sums.hits(rows, witnesses=rows, explain=explain)
    return [replace(hit, explanation=_with_alike(hit, shown)) for hit in hits] if explain else hits


def standing(
    pool: Pool,
    query: RankQuery,
    weights: Weights,
    memory_id: str,
    *,
    mask: Bools | None = None,
    varied: bool = True,
) -> Standing | None:
    """Where a memory stands through its best row, explained; None if the pool does not hold it.

    Its score is measured by the hits that `mask` allows, as in a search for them.
    """
    its_rows = np.fromiter((each == memory_id for each in pool.memory_ids), np.bool_, len(pool))
    if not its_rows.any():
        return None
    evidence = gather(pool, query, weights)
    fused = fuse(evidence, weights)
    row = int(np.flatnonzero(its_rows)[fused[its_rows].argmax()])
    seen = None if mask is None else mask | its_rows
    sums = _Sums(pool, query, weights, evidence, fused, seen)
    first = Shown(pool, _best_first(fused, mask, WITNESSES), fused, varied=varied)
    [hit] = sums.hits([row], witnesses=list(islice(first, WITNESSES)) or [row], explain=True)
    shown = Shown(pool, _best_first(fused, seen, len(pool)), fused, varied=varied)
    place = next((place for place, each in enumerate(shown, start=1) if its_rows[each]), None)
    hit = replace(hit, explanation=_with_alike(hit, shown))
    return Standing(hit, place, None if place is not None else shown.shown_by[row])


def _with_alike(hit: Ranked, shown: Shown) -> Explanation | None:
    return hit.explanation and replace(hit.explanation, stands_back=hit.row in shown.alike)


@dataclass(frozen=True, slots=True)
class _Sums:
    """One ranking: what was asked of what, and the sum of every row."""

    pool: Pool
    query: RankQuery
    weights: Weights
    evidence: Evidence
    fused: Floats
    mask: Bools | None

    def hits(self, rows: list[int], *, witnesses: list[int], explain: bool) -> list[Ranked]:
        """These rows, scored by what `witnesses`, the best hits, hold and by how far they are from the first."""
        frequencies, cosines = self.query.frequencies, self.evidence.cosines
        visible = len(self.pool) if frequencies is None else max(len(self.pool), frequencies.total)
        confidence = _confidence(self.evidence, witnesses, visible, self.weights.calibration)
        scores = _calibrated(self.fused[rows], float(self.fused[witnesses[0]]), confidence)
        return [
            Ranked(
                row=row,
                fused=float(self.fused[row]),
                score=float(score),
                similarity=0.0 if cosines is None else min(1.0, max(0.0, float(cosines[row]))),
                explanation=self._explained(row) if explain else None,
            )
            for row, score in zip(rows, scores, strict=True)
        ]

    def _explained(self, row: int) -> Explanation:
        arms, factors = {}, {}
        for signal, column in self.evidence.columns.items():
            value = float(column[row])
            contribution = self.weights[signal] * value
            if signal in ARMS:
                ahead = column > column[row]
                place = 1 + int(np.count_nonzero(ahead if self.mask is None else ahead & self.mask))
                arms[signal] = Arm(place, value, contribution)
            elif value:
                factors[signal] = contribution
        its_terms = self.pool.term_ids[self.pool.offsets[row] : self.pool.offsets[row + 1]]
        held = [at for at, term in enumerate(self.query.terms) if np.isin(term, its_terms).any()]
        return Explanation(float(self.fused[row]), arms, factors, float(self.evidence.coverage[row]), held)


def fuse(evidence: Evidence, weights: Weights) -> Floats:
    """The weighted sum per row; adds the signals that rest on it (`second_look`, `replaced`) to the evidence."""
    total = np.zeros(evidence.words.counts.shape[1], dtype=np.float32)
    part = np.empty_like(total)
    for signal, column in evidence.columns.items():
        total += np.multiply(column, np.float32(weights[signal]), out=part)
    for signal, column in second_look(total, evidence, weights).items():
        evidence.columns[signal] = column
        total += np.float32(weights[signal]) * column
    if weights["replaced"] and evidence.replaced:
        evidence.columns["replaced"] = column = _ahead_of_what_holds(total, evidence.replaced)
        total += np.float32(weights["replaced"]) * column
    return total


def _ahead_of_what_holds(total: Floats, replaced: Mapping[int, Ints]) -> Floats:
    """How far superseded words stand ahead of a place right behind the best statement that has replaced them."""
    ahead = np.zeros_like(total)
    for row, statements in replaced.items():
        if len(statements):
            ahead[row] = max(0.0, total[row] - _BEHIND * total[statements].max())
    return ahead


def second_look(total: Floats, evidence: Evidence, weights: Weights) -> dict[str, Floats]:
    """What a turn gains from its session and its neighbours, each as a part of the best turn's sum."""
    turns = evidence.turns
    best = float(total.max(initial=0.0))
    if best <= 0:
        return {}
    share = np.maximum(total / np.float32(best), np.float32(0))
    by_turn = turns.most(share)
    columns = {}
    if weights["session"]:
        strength = np.add.reduceat(np.square(np.square(by_turn)), turns.session_starts) ** _FOURTH_ROOT
        columns["session"] = turns.spread(np.repeat(strength / strength.max(), turns.session_sizes))
    near = turns.near[0]
    if weights["reply"]:
        reply = np.zeros_like(by_turn)
        reply[1:] = by_turn[:-1] * evidence.asks[:-1] * near
        columns["reply"] = turns.spread(reply)
    if weights["after"]:
        after = np.zeros_like(by_turn)
        after[:-1] = by_turn[1:] * near
        columns["after"] = turns.spread(after)
    return columns


def _best_first(fused: Floats, mask: Bools | None, limit: int) -> Iterator[int]:
    """Rows by falling sum, ties in the order of the pool; sorts no more of them than are asked for."""
    allowed: Ints = np.arange(len(fused)) if mask is None else np.flatnonzero(mask)
    values = fused if mask is None else fused[allowed]
    first = limit * _CANDIDATES_PER_HIT
    if first < len(allowed):
        border = np.partition(values, len(values) - first)[len(values) - first]
        top = values >= border
        yield from allowed[top][np.argsort(-values[top], kind="stable")].tolist()
        allowed, values = allowed[~top], values[~top]
    yield from allowed[np.argsort(-values, kind="stable")].tolist()


def chance_level(rows: int) -> float:
    """How the best of so many likenesses grows by chance alone: as the root of the logarithm, the law for the largest
    of independent normal values (Fisher and Tippett 1928). The same cosine says more among five texts than among
    five hundred."""
    return math.sqrt(math.log(max(1, rows)))


def _confidence(evidence: Evidence, rows: list[int], seen: int, calibration: Calibration) -> float:
    """How good the best hit among `seen` rows is, whatever the others are: 0..1."""
    witnesses = rows[:WITNESSES]
    coverage = float(evidence.coverage[witnesses].max())
    if evidence.cosines is None or not evidence.cosines.any():
        odds, similarity = calibration.words_only, 0.0
    else:
        odds, similarity = calibration.with_vectors, max(0.0, float(evidence.cosines[witnesses].max()))
    logit = odds.bias + odds.coverage * coverage + odds.chance * chance_level(seen) + odds.similarity * similarity
    return MAX_SCORE / (1.0 + math.exp(-logit))


def _calibrated(fused: Floats, best: float, confidence: float) -> Floats:
    if best <= 0:
        return np.zeros_like(fused)
    shares = np.clip(fused / np.float32(best), 0.0, 1.0)
    # Hints such as the speaker lift every row alike, so half the sum is far less than half as good.
    scores = np.float32(confidence) * shares**2
    # What stands back has no higher score than what it lets pass.
    falling: Floats = np.minimum.accumulate(scores)
    return falling
