"""How well a search finds what it should: recall, hits and ranks over questions whose answers are known."""

import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

RESAMPLES = 1_000
_SEED = 20_260_101
"""Any number: the same answers must give the same intervals."""

_OUTER_PERCENT = 2.5


@dataclass(frozen=True, slots=True)
class Answered:
    """A question's sources of truth (`gold`, not empty) and what a search found, best first, each once."""

    type: str
    gold: frozenset[str]
    found: Sequence[str]


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean over questions with its 95 % bootstrap interval. Questions count as independent; those about one
    conversation are not quite, so the true interval is somewhat wider."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Scores:
    """`figures` is empty when there were no questions."""

    questions: int
    figures: Mapping[str, Figure]


def recall_at(answered: Answered, places: int) -> float:
    """The share of the gold found in the first `places`."""
    return len(answered.gold.intersection(answered.found[:places])) / len(answered.gold)


def hit_at(answered: Answered, places: int) -> float:
    """1 if any of the gold is in the first `places`, else 0."""
    return float(not answered.gold.isdisjoint(answered.found[:places]))


def reciprocal_rank(answered: Answered) -> float:
    """1 divided by the place of the first gold found; 0 if none was."""
    for place, item in enumerate(answered.found, start=1):
        if item in answered.gold:
            return 1 / place
    return 0.0


MEASURES: Mapping[str, Callable[[Answered], float]] = {
    "recall@5": lambda answered: recall_at(answered, 5),
    "recall@10": lambda answered: recall_at(answered, 10),
    "hit@5": lambda answered: hit_at(answered, 5),
    "mrr": reciprocal_rank,
}


def distinct(sources: Iterable[Iterable[str]], places: int) -> list[str]:
    """The sources of the hits in a row, each once, cut at `places`: a hit that rests on several takes as many places,
    so that lumping sources together cannot buy recall."""
    return list(dict.fromkeys(source for of_hit in sources for source in of_hit))[:places]


def scores(answered: Sequence[Answered]) -> Scores:
    """Every measure over these questions; the same questions in the same order always give the same intervals."""
    if not answered:
        return Scores(0, {})
    return Scores(
        len(answered),
        {name: _figure([measure(each) for each in answered]) for name, measure in MEASURES.items()},
    )


def scores_by_type(answered: Sequence[Answered]) -> dict[str, Scores]:
    """The scores of each question type, types in the order of the alphabet."""
    types = sorted({each.type for each in answered})
    return {type_: scores([each for each in answered if each.type == type_]) for type_ in types}


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of them do not exceed (nearest rank); NaN of no values."""
    if not values:
        return math.nan
    rank = math.ceil(percent / 100 * len(values))
    return sorted(values)[max(rank, 1) - 1]


def _figure(values: Sequence[float]) -> Figure:
    rng = random.Random(_SEED)  # noqa: S311 -- a resampling that can be repeated, not a secret
    size = len(values)
    means = [math.fsum(rng.choices(values, k=size)) / size for _ in range(RESAMPLES)]
    return Figure(math.fsum(values) / size, percentile(means, _OUTER_PERCENT), percentile(means, 100 - _OUTER_PERCENT))
