"""Usage as it travels. Spans are whole hours of UTC; their ends are excluded."""

from typing import Literal

from memcairn.wire.base import Response, Told

Dimension = Literal["api_calls", "events_ingested", "memories_stored", "search_queries", "llm_tokens"]
Granularity = Literal["hour", "day"]


class DimensionUse(Response):
    """`limit` is the quota of a calendar month, null where there is none.

    `used` counts over the span, except `memories_stored`: that is how many there are now.
    """

    dimension: str
    used: int
    limit: int | None


class UsageSummary(Response):
    org_id: str
    start: Told
    end: Told
    dimensions: list[DimensionUse]


class UsagePoint(Response):
    """How much in the hour or day that begins at `start`; spans without any are left out."""

    start: Told
    dimension: str
    quantity: int


class UsageSeries(Response):
    org_id: str
    granularity: str
    start: Told
    end: Told
    items: list[UsagePoint]


class KeyUsage(UsageSeries):
    """What one key was used for."""

    key_id: str
