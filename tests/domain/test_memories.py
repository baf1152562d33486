"""Strength: halved by disuse, raised by recall, within its bounds."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcairn.domain.memories import (
    DECAYED_BELOW,
    HALF_LIFE_DAYS,
    MAX_STRENGTH,
    RECALL_STEP,
    Memory,
    decayed_strength,
    reinforced_strength,
)
from tests.build import NOW, make

HALF_LIFE = timedelta(days=HALF_LIFE_DAYS)


@pytest.mark.parametrize(("half_lives", "left"), [(0, 1.0), (1, 0.5), (2, 0.25), (0.5, 0.7071)])
def test_half_is_left_after_each_half_life(half_lives: float, left: float) -> None:
    assert decayed_strength(1.0, NOW, NOW + half_lives * HALF_LIFE, HALF_LIFE_DAYS) == pytest.approx(left, abs=1e-4)


def test_a_clock_behind_the_last_use_decays_nothing() -> None:
    assert decayed_strength(2.0, NOW, NOW - timedelta(days=400), HALF_LIFE_DAYS) == 2.0


@given(
    strength=st.floats(0, MAX_STRENGTH),
    first=st.floats(0, 1e4),
    second=st.floats(0, 1e4),
    half_life=st.floats(0.1, 1e4),
)
def test_decay_in_two_steps_is_decay_in_one(strength: float, first: float, second: float, half_life: float) -> None:
    between, end = NOW + timedelta(days=first), NOW + timedelta(days=first + second)

    in_two = decayed_strength(decayed_strength(strength, NOW, between, half_life), between, end, half_life)

    assert in_two == pytest.approx(decayed_strength(strength, NOW, end, half_life), abs=1e-6)
    assert 0 <= in_two <= strength


def test_it_counts_from_the_last_recall_or_else_from_the_beginning() -> None:
    later = NOW + HALF_LIFE

    assert make(Memory, strength=2.0).strength_at(later) == pytest.approx(1.0)
    assert make(Memory, strength=2.0, last_recalled_at=later).strength_at(later) == 2.0


def test_a_pinned_memory_does_not_decay() -> None:
    assert make(Memory, pinned=True, strength=1.5).strength_at(NOW + 100 * HALF_LIFE) == 1.5


def test_an_unused_memory_leaves_search_after_between_four_and_five_half_lives() -> None:
    memory = make(Memory)

    assert memory.strength_at(NOW + 4 * HALF_LIFE) > DECAYED_BELOW
    assert memory.strength_at(NOW + 5 * HALF_LIFE) < DECAYED_BELOW


def test_recall_makes_it_stronger_up_to_a_limit() -> None:
    assert reinforced_strength(1.0) == pytest.approx(1.0 + RECALL_STEP)
    assert reinforced_strength(MAX_STRENGTH - RECALL_STEP / 2) == MAX_STRENGTH
    assert reinforced_strength(MAX_STRENGTH) == MAX_STRENGTH
