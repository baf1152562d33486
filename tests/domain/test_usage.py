"""Spans of usage."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from memcairn.domain.usage import Granularity, hour_of, month_of, next_month


def moment(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]  # year, month, day and so on


@pytest.mark.parametrize(
    ("now", "begin", "following"),
    [
        (moment(2026, 1, 31, 23, 59, 59), moment(2026, 1, 1), moment(2026, 2, 1)),
        (moment(2026, 2, 1), moment(2026, 2, 1), moment(2026, 3, 1)),
        (moment(2024, 2, 29, 12), moment(2024, 2, 1), moment(2024, 3, 1)),
        (moment(2026, 12, 15), moment(2026, 12, 1), moment(2027, 1, 1)),
    ],
)
def test_a_month_ends_where_the_next_begins(now: datetime, begin: datetime, following: datetime) -> None:
    assert (month_of(now), next_month(now)) == (begin, following)


def test_hours_and_months_are_those_of_utc() -> None:
    east = datetime(2026, 2, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))

    assert hour_of(east) == moment(2026, 1, 31, 23)
    assert month_of(east) == moment(2026, 1, 1)


def test_a_moment_lies_in_its_hour_and_its_day() -> None:
    now = moment(2026, 5, 6, 7, 8, 9)

    assert Granularity.HOUR.starts(now) == moment(2026, 5, 6, 7)
    assert Granularity.DAY.starts(now) == moment(2026, 5, 6)
