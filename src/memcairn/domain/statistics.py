"""How many memories there are, of which sort, and of whom."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

CONFIDENCE_BOUNDS = (0.2, 0.4, 0.6, 0.8)
"""Between the buckets; a bound belongs to the bucket above it."""

TOP_ENTITIES = 20


@dataclass(frozen=True, slots=True)
class EntityCount:
    """In how many memories an entity is named."""

    name: str
    type: str
    count: int


@dataclass(frozen=True, slots=True)
class ConfidenceBucket:
    """Memories with a confidence from `low` up to `high`, which is excluded except at 1."""

    low: float
    high: float
    count: int


@dataclass(frozen=True, slots=True)
class MemoryStats:
    """Memories of every status, deleted ones aside.

    The averages are over all of them and 0 when there are none; strength counts as it was at the last use of each.
    """

    total: int
    active: int
    by_type: Mapping[str, int]
    by_kind: Mapping[str, int]
    by_status: Mapping[str, int]
    by_level: Mapping[str, int]
    average_confidence: float
    average_strength: float
    top_entities: Sequence[EntityCount]
    confidence_buckets: Sequence[ConfidenceBucket]
    earliest_observed_at: datetime | None
    latest_observed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Actor:
    """Whom memories are about, as the memories show it; the times are those at which memories were written.

    Roles and teams are those that what was said by or to the actor was marked with.
    """

    actor_id: str
    memory_count: int
    active_memory_count: int
    first_memory_at: datetime
    last_memory_at: datetime
    scope_levels: Sequence[str]
    role_ids: Sequence[str]
    team_ids: Sequence[str]


def bucket_of(confidence: float) -> float:
    """The lower bound of the bucket a confidence falls into."""
    return (0.0, *CONFIDENCE_BOUNDS)[bisect_right(CONFIDENCE_BOUNDS, confidence)]
