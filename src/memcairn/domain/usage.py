"""What is counted per org, and over which spans of time. All spans are whole hours of UTC, ends excluded."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

LONGEST_SPAN = timedelta(days=366)
"""Of one question about usage."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR = timedelta(hours=1)

LAST_MOMENT = datetime.max.replace(tzinfo=UTC)

NO_KEY = ""
"""Under which usage is kept that no request caused."""


class Dimension(StrEnum):
    """`memories_stored` says how many there are; the others how many there were in a span."""

    API_CALLS = "api_calls"
    EVENTS_INGESTED = "events_ingested"
    MEMORIES_STORED = "memories_stored"
    SEARCH_QUERIES = "search_queries"
    LLM_TOKENS = "llm_tokens"


class Granularity(StrEnum):
    HOUR = "hour"
    DAY = "day"

    def starts(self, moment: datetime) -> datetime:
        """The beginning of the hour or day a moment lies in."""
        hour = hour_of(moment)
        return hour if self is Granularity.HOUR else hour.replace(hour=0)


@dataclass(frozen=True, slots=True)
class UsagePoint:
    """How much of one dimension in the span that begins at `start`."""

    start: datetime
    dimension: Dimension
    quantity: int


@dataclass(frozen=True, slots=True)
class DimensionUse:
    """How much of a dimension was used in a span, and the quota of a month if there is one."""

    dimension: Dimension
    used: int
    limit: int | None


@dataclass(frozen=True, slots=True)
class MonthOfUsage:
    """What an org has used in the month that begins at `month`, and its own quotas, which win over the server's."""

    month: datetime
    used: Mapping[Dimension, int]
    quotas: Mapping[Dimension, int]


def hour_of(moment: datetime) -> datetime:
    return _hour((moment - _EPOCH) // _HOUR)


def month_of(moment: datetime) -> datetime:
    """The first moment of the month, which is the period quotas count in."""
    return _month((moment - _EPOCH) // _HOUR)


# Each request asks several times, and thousands of requests fall into one hour.
@functools.lru_cache(64)
def _hour(hours: int) -> datetime:
    return _EPOCH + hours * _HOUR


@functools.lru_cache(64)
def _month(hours: int) -> datetime:
    return _hour(hours).replace(day=1, hour=0)


def next_month(moment: datetime) -> datetime:
    """The first moment of the month after; after the last month there is, the last moment."""
    try:
        return month_of(month_of(moment) + timedelta(days=32))
    except OverflowError:
        return LAST_MOMENT
