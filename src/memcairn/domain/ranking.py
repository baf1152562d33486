"""From a pool of rows to the best few: signals weighed and added, one hit per memory, scores that mean something.

The order is that of one sum. The mask decides which rows may be returned and nothing else does; rows that may not be
returned still give context to their neighbours.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

import numpy as np

from memcairn.domain.pool import Pool
from memcairn.domain.signals import ARMS, Evidence, gather
from memcairn.domain.signals import RankQuery as RankQuery
from memcairn.domain.turns import Bools, Floats, Ints
from memcairn.domain.weights import Calibration, Weights

MAX_SCORE = 0.989
"""No ordering evidence is certainty: scores stay under 0.99."""

WITNESSES = 3
"""The score of a search is judged by what its first three hits hold."""

_BEHIND = 0.85
"""The part of a statement's sum that the words it has replaced may reach at most."""

_CANDIDATES_PER_HIT = 4
_TOP_OF_SESSION = 4.0
"""Exponent of the mean over a session: high enough that a few good turns speak for it, not its length."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of searching: the place it would give the row alone (from 1, among rows that may be returned) and why."""

    rank: int
    value: float
    contribution: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a hit stands where it stands: contributions of arms and factors add up to `Ranked.fused`."""

    arms: Mapping[str, Arm]
    factors: Mapping[str, float]
    coverage: float
    """The part of the question's words, weighed by rarity, that stands in the row itself; 0..1."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """One hit: `fused` orders within one search, `score` is the same order calibrated to 0..1, `similarity` is the
    cosine to the question clipped to 0..1, comparable across searches (0 without vectors)."""

    row: int
    fused: float
    score: float
    similarity: float
    explanation: Explanation | None = None


def rank(
    pool: Pool,
    query: RankQuery,
    weights: Weights,
    *,
    limit: int = 10,
    mask: Bools | None = None,
    explain: bool = False,
) -> list[Ranked]:
    """The best rows first, at most `limit`, only where `mask` (one bool per row) allows.

    Each memory and each source event comes once, through its best row; texts of the same words by the same speaker
    come once. Rows are never dropped for a low score: fewer than `limit` come back only when there are no more.
    """
    if not len(pool) or limit < 1:
        return []
    evidence = gather(pool, query, weights)
    fused = fuse(evidence, weights)
    rows = list(islice(_distinct(pool, _best_first(fused, mask, limit)), limit))
    if not rows:
        return []
    seen = len(pool) if query.frequencies is None else max(len(pool), query.frequencies.total)
    scores = _calibrated(fused[rows], _confidence(evidence, rows, seen, weights.calibration))
    cosines = evidence.cosines
    return [
        Ranked(
            row=row,
            fused=float(fused[row]),
            score=float(score),
            similarity=0.0 if cosines is None else min(1.0, max(0.0, float(cosines[row]))),
            explanation=_explained(evidence, weights, row, mask) if explain else None,
        )
        for row, score in zip(rows, scores, strict=True)
    ]


def fuse(evidence: Evidence, weights: Weights) -> Floats:
    """The weighted sum per row; adds the signals that rest on it (`second_look`, `replaced`) to the evidence."""
    total = np.zeros(evidence.words.counts.shape[1], dtype=np.float32)
    for signal, column in evidence.columns.items():
        total += np.float32(weights[signal]) * column
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
    by_turn = share if turns.of_row is None else np.maximum.reduceat(share, turns.starts)
    columns = {}
    if weights["session"]:
        strength = np.add.reduceat(by_turn**_TOP_OF_SESSION, turns.session_starts) ** (1 / _TOP_OF_SESSION)
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


def _distinct(pool: Pool, rows: Iterator[int]) -> Iterator[int]:
    """The first row of each memory, of each source event, and of each text in the same words by the same speaker."""
    seen: set[object] = set()
    for row in rows:
        terms = pool.term_ids[pool.offsets[row] : pool.offsets[row + 1]]
        keys: set[object] = {("memory", pool.memory_ids[row])}
        if pool.sources[row]:
            keys.add(("source", pool.sources[row]))
        if len(terms):
            keys.add((int(pool.speakers[row]), frozenset(terms.tolist())))
        if keys.isdisjoint(seen):
            seen |= keys
            yield row


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


def _calibrated(fused: Floats, confidence: float) -> Floats:
    best = float(fused[0])
    if best <= 0:
        return np.zeros_like(fused)
    shares = np.clip(fused / np.float32(best), 0.0, 1.0)
    # Hints such as the speaker lift every row alike, so half the sum is far less than half as good.
    scores: Floats = np.float32(confidence) * shares**2
    return scores


def _explained(evidence: Evidence, weights: Weights, row: int, mask: Bools | None) -> Explanation:
    arms, factors = {}, {}
    for signal, column in evidence.columns.items():
        value = float(column[row])
        contribution = weights[signal] * value
        if signal in ARMS:
            ahead = column > column[row]
            place = 1 + int(np.count_nonzero(ahead if mask is None else ahead & mask))
            arms[signal] = Arm(place, value, contribution)
        elif value:
            factors[signal] = contribution
    return Explanation(arms, factors, float(evidence.coverage[row]))
