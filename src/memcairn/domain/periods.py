"""Stretches of calendar days: the arithmetic behind dates in text.

Days the calendar does not have are refused the way `datetime` refuses them: ValueError or OverflowError.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import IntEnum

MONTHS_PER_YEAR = 12
DAYS_PER_WEEK = 7
SATURDAY = 5


class Grain(IntEnum):
    """How coarse a named stretch is; finer ones compare as smaller."""

    DAY = 1
    WEEK = 2
    MONTH = 3
    SEASON = 4
    YEAR = 5
    DECADE = 6


@dataclass(frozen=True, slots=True)
class Period:
    """Days from `start` inclusive to `end` exclusive; `dated` says that the words named the year themselves."""

    start: date
    end: date
    grain: Grain
    dated: bool = True


def shift_days(day: date, count: int) -> date:
    return day + timedelta(days=count)


def days(first: date, last: date) -> Period:
    """Both ends inclusive; ValueError for an end before its beginning."""
    if last < first:
        raise ValueError(f"{last} lies before {first}")
    return Period(first, shift_days(last, 1), Grain.DAY)


def one_day(day: date) -> Period:
    return days(day, day)


def month(year: int, number: int) -> Period:
    """`number` may lie outside 1-12 and then reaches into the years before or after."""
    return Period(_first_of_month(year, number), _first_of_month(year, number + 1), Grain.MONTH)


def _first_of_month(year: int, number: int) -> date:
    years, index = divmod(number - 1, MONTHS_PER_YEAR)
    return date(year + years, index + 1, 1)


def year(number: int) -> Period:
    return Period(date(number, 1, 1), date(number + 1, 1, 1), Grain.YEAR)


def decade(first_year: int) -> Period:
    return Period(date(first_year, 1, 1), date(first_year + 10, 1, 1), Grain.DECADE)


def season(year_of_start: int, first_month: int) -> Period:
    """Three whole months (meteorological, northern hemisphere); winter 2022 is December 2022 to February 2023."""
    start, end = _first_of_month(year_of_start, first_month), _first_of_month(year_of_start, first_month + 3)
    return Period(start, end, Grain.SEASON)


def week_of(day: date, offset: int = 0) -> Period:
    """The ISO week (Monday first) that holds `day`, moved by `offset` weeks."""
    monday = shift_days(day, DAYS_PER_WEEK * offset - day.weekday())
    return Period(monday, shift_days(monday, DAYS_PER_WEEK), Grain.WEEK)


def weekend_of(day: date, offset: int = 0) -> Period:
    """Saturday and Sunday of the ISO week that holds `day`, moved by `offset` weeks."""
    monday = week_of(day, offset).start
    return Period(shift_days(monday, SATURDAY), shift_days(monday, DAYS_PER_WEEK), Grain.DAY)


def third_of(period: Period, part: int) -> Period:
    """The first (0), middle (1) or last (2) third of a period, in whole days and never empty."""
    length = (period.end - period.start).days
    first = period.start + timedelta(days=part * length // 3)
    last = period.start + timedelta(days=max((part + 1) * length // 3, part * length // 3 + 1))
    return Period(first, last, period.grain, period.dated)
