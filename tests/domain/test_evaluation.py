"""Recall, hits and ranks."""

import math

import pytest

from memcairn.domain.evaluation import (
    Answered,
    distinct,
    hit_at,
    percentile,
    recall_at,
    reciprocal_rank,
    scores,
    scores_by_type,
)


def answered(gold: str, found: str, type_: str = "plain") -> Answered:
    return Answered(type_, frozenset(gold), list(found))


@pytest.mark.parametrize(
    ("gold", "found", "recall", "hit", "rank"),
    [
        ("a", "abc", 1.0, 1.0, 1.0),
        ("c", "abc", 0.0, 0.0, 1 / 3),
        ("ab", "axb", 0.5, 1.0, 1.0),
        ("ab", "xab", 0.5, 1.0, 0.5),
        ("z", "abc", 0.0, 0.0, 0.0),
        ("z", "", 0.0, 0.0, 0.0),
    ],
)
def test_measures_within_two_places(gold: str, found: str, recall: float, hit: float, rank: float) -> None:
    each = answered(gold, found)

    assert (recall_at(each, 2), hit_at(each, 2), reciprocal_rank(each)) == (recall, hit, rank)


def test_a_hit_with_many_sources_takes_as_many_places() -> None:
    assert distinct([["a", "b", "c"], ["a", "d"], ["e"]], 4) == ["a", "b", "c", "d"]


def test_scores_are_means_inside_their_intervals() -> None:
    found = scores([answered("a", "a"), answered("a", "xa"), answered("a", "x"), answered("a", "a")])

    figure = found.figures["mrr"]
    assert found.questions == 4
    assert figure.value == pytest.approx(0.625)
    assert 0.0 <= figure.low < figure.value < figure.high <= 1.0


def test_the_same_answers_always_give_the_same_interval() -> None:
    answers = [answered("a", "a" if number % 3 else "b") for number in range(30)]

    assert scores(answers) == scores(answers)


def test_more_questions_narrow_the_interval() -> None:
    few = scores([answered("a", found) for found in "ab" * 5]).figures["hit@5"]
    many = scores([answered("a", found) for found in "ab" * 200]).figures["hit@5"]

    assert many.high - many.low < few.high - few.low


def test_without_questions_there_are_no_figures() -> None:
    assert scores([]).questions == 0
    assert scores([]).figures == {}


def test_types_are_scored_apart() -> None:
    by_type = scores_by_type([answered("a", "a", "x"), answered("a", "b", "w"), answered("a", "b", "x")])

    assert list(by_type) == ["w", "x"]
    assert by_type["x"].figures["recall@5"].value == 0.5


@pytest.mark.parametrize(("percent", "expected"), [(0, 1), (50, 2), (75, 3), (95, 4), (100, 4)])
def test_a_percentile_is_one_of_the_values(percent: float, expected: float) -> None:
    assert percentile([4, 1, 3, 2], percent) == expected


def test_a_percentile_of_nothing_is_no_number() -> None:
    assert math.isnan(percentile([], 50))
