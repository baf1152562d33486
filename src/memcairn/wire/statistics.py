"""Statistics of memories as they travel."""

from memcairn.wire.base import Response, Told


class EntityCount(Response):
    """In how many memories an entity is named."""

    name: str
    type: str
    count: int


class ConfidenceBucket(Response):
    """Memories with a confidence from `low` up to `high`, which is excluded except at 1."""

    low: float
    high: float
    count: int


class DateRange(Response):
    """When the first and the last memory was observed; null while there are none."""

    earliest: Told | None
    latest: Told | None


class MemoryStats(Response):
    """Counts of live memories, of every status. Averages are over all of them, and 0 when there are none.

    `average_strength` takes each memory's strength as it was when the memory was last used.
    """

    total: int
    active: int
    by_type: dict[str, int]
    by_kind: dict[str, int]
    by_status: dict[str, int]
    by_level: dict[str, int]
    average_confidence: float
    average_strength: float
    top_entities: list[EntityCount]
    confidence_buckets: list[ConfidenceBucket]
    date_range: DateRange
