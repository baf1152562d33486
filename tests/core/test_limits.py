"""The rate an org may ask at."""

from datetime import timedelta

import pytest

from memcairn.core.limits import RateLimits
from memcairn.domain.errors import LimitReached
from tests.build import NOW


def test_without_a_limit_everything_passes() -> None:
    limits = RateLimits()

    for _ in range(1_000):
        limits.take("a", NOW)

    assert limits.rate("a", NOW) is None


def test_a_minute_s_worth_may_come_at_once_and_then_no_more() -> None:
    limits = RateLimits(per_minute=3)

    for _ in range(3):
        limits.take("a", NOW)
    with pytest.raises(LimitReached) as refused:
        limits.take("a", NOW)

    assert refused.value.code == "rate_limited"
    assert refused.value.retry_after_seconds == pytest.approx(20)


def test_it_fills_again_evenly_and_never_beyond_its_size() -> None:
    limits = RateLimits(per_minute=60)
    for _ in range(60):
        limits.take("a", NOW)

    for _ in range(2):
        limits.take("a", NOW + timedelta(seconds=2))
    with pytest.raises(LimitReached):
        limits.take("a", NOW + timedelta(seconds=2))

    much_later = NOW + timedelta(days=1)
    rate = limits.rate("a", much_later)
    assert rate is not None
    assert (rate.limit, rate.remaining, rate.full_at) == (60, 60, much_later)


def test_it_says_when_all_of_it_is_there_again() -> None:
    limits = RateLimits(per_minute=60)
    for _ in range(30):
        limits.take("a", NOW)

    rate = limits.rate("a", NOW)

    assert rate is not None
    assert (rate.remaining, rate.full_at) == (30, NOW + timedelta(seconds=30))


def test_one_org_does_not_use_up_what_belongs_to_another() -> None:
    limits = RateLimits(per_minute=1)
    limits.take("a", NOW)

    limits.take("b", NOW)

    with pytest.raises(LimitReached):
        limits.take("a", NOW)


def test_a_clock_that_is_set_back_gives_nothing_and_takes_nothing() -> None:
    limits = RateLimits(per_minute=2)
    limits.take("a", NOW)

    limits.take("a", NOW - timedelta(hours=1))

    with pytest.raises(LimitReached):
        limits.take("a", NOW - timedelta(hours=1))
