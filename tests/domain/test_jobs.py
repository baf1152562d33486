"""When a failed job is tried again."""

import random

import pytest

from memcairn.domain.jobs import FIRST_RETRY, HEARTBEAT_EVERY, LEASE, LONGEST_RETRY, retry_delay


@pytest.mark.parametrize(
    ("attempts", "longest"),
    [(1, 1.0), (2, 2.0), (3, 4.0), (5, 16.0), (9, 256.0), (10, 300.0), (1_000, 300.0)],
)
def test_the_pause_doubles_up_to_five_minutes_and_is_half_chance(attempts: int, longest: float) -> None:
    rng = random.Random(7)
    pauses = [retry_delay(attempts, rng).total_seconds() for _ in range(200)]

    assert all(longest / 2 <= pause <= longest for pause in pauses)
    assert max(pauses) - min(pauses) > longest / 4


def test_no_pause_is_shorter_or_longer_than_promised() -> None:
    rng = random.Random(7)
    pauses = [retry_delay(attempts, rng) for attempts in range(1, 40)]

    assert min(pauses) >= FIRST_RETRY / 2
    assert max(pauses) <= LONGEST_RETRY


def test_a_lease_survives_a_missed_heartbeat() -> None:
    assert LEASE > 2 * HEARTBEAT_EVERY
