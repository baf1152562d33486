"""Results that are near the question and unlike each other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from memcairn.domain.mmr import candidates_for, mmr


def unit(*rows: tuple[float, ...]) -> NDArray[np.float32]:
    array = np.array(rows, dtype=np.float32)
    scaled: NDArray[np.float32] = array / np.linalg.norm(array, axis=1, keepdims=True)
    return scaled


QUESTION = unit((1.0, 0.0, 0.0))[0]
ROWS = unit((0.9, 0.1, 0.0), (0.9, 0.11, 0.0), (0.6, 0.0, 0.8))


def test_the_nearest_comes_first_and_then_what_is_unlike_it() -> None:
    assert mmr(QUESTION, ROWS, weight=0.5, limit=2) == [0, 2]


def test_with_all_weight_on_nearness_the_order_is_that_of_nearness() -> None:
    assert mmr(QUESTION, ROWS, weight=1.0, limit=3) == [0, 1, 2]


def test_no_more_are_chosen_than_there_are() -> None:
    assert sorted(mmr(QUESTION, ROWS, weight=0.5, limit=10)) == [0, 1, 2]


@pytest.mark.parametrize(("rows", "limit"), [(ROWS[:0], 5), (ROWS, 0)])
def test_nothing_is_chosen_from_nothing_or_for_nobody(rows: NDArray[np.float32], limit: int) -> None:
    assert mmr(QUESTION, rows, weight=0.5, limit=limit) == []


@pytest.mark.parametrize(("limit", "expected"), [(1, 10), (5, 10), (20, 40)])
def test_the_choice_is_made_from_twice_as_many_and_at_least_ten(limit: int, expected: int) -> None:
    assert candidates_for(limit) == expected


@given(
    st.lists(st.tuples(*[st.floats(-1, 1).filter(lambda value: abs(value) > 0.01)] * 3), min_size=1, max_size=12),
    st.floats(0, 1),
    st.integers(1, 12),
)
def test_each_row_is_chosen_at_most_once(rows: list[tuple[float, ...]], weight: float, limit: int) -> None:
    chosen = mmr(QUESTION, unit(*rows), weight=weight, limit=limit)

    assert len(chosen) == len(set(chosen)) == min(limit, len(rows))
