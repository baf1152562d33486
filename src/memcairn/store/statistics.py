"""Statistics of memories, out of the tallies for an org and out of the rows for one actor."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, select

from memcairn.domain.memories import MemoryStatus
from memcairn.domain.statistics import (
    CONFIDENCE_BOUNDS,
    TOP_ENTITIES,
    ConfidenceBucket,
    EntityCount,
    MemoryStats,
)
from memcairn.store import tallies
from memcairn.store.schema import memories
from memcairn.store.tallies import FacetKey, FacetSum, Tally


def of_org(connection: Connection, org_id: str) -> MemoryStats:
    facets = tallies.facets_of(connection, org_id)
    entities = tallies.top_entities(connection, org_id, limit=TOP_ENTITIES)
    counts = [EntityCount(key.value, key.detail, count) for key, count in entities]
    return _stats(facets, counts, *_observed(connection, org_id, None))


def of_actor(connection: Connection, org_id: str, actor_id: str) -> MemoryStats:
    """The same about the memories of one actor, whether or not there are any."""
    tally = Tally()
    for counted in tallies.of_rows(connection, org_id, actor_id=actor_id).values():
        tally.include(counted, 1)
    entities = [
        EntityCount(key.value, key.detail, each.count)
        for key, each in tally.facets.items()
        if key.facet == tallies.ENTITY
    ]
    entities.sort(key=lambda entity: (-entity.count, entity.name, entity.type))
    return _stats(tally.facets, entities[:TOP_ENTITIES], *_observed(connection, org_id, actor_id))


def _stats(
    facets: Mapping[FacetKey, FacetSum],
    entities: list[EntityCount],
    earliest: datetime | None,
    latest: datetime | None,
) -> MemoryStats:
    by_status = _counts(facets, tallies.STATUS)
    total = sum(by_status.values())
    sums = [each for key, each in facets.items() if key.facet == tallies.STATUS]
    return MemoryStats(
        total=total,
        active=by_status.get(MemoryStatus.ACTIVE.value, 0),
        by_type=_counts(facets, tallies.TYPE),
        by_kind=_counts(facets, tallies.KIND),
        by_status=by_status,
        by_level=_counts(facets, tallies.LEVEL),
        average_confidence=sum(each.confidence for each in sums) / total if total else 0.0,
        average_strength=sum(each.strength for each in sums) / total if total else 0.0,
        top_entities=entities,
        confidence_buckets=_buckets(facets),
        earliest_observed_at=earliest,
        latest_observed_at=latest,
    )


def _counts(facets: Mapping[FacetKey, FacetSum], facet: str) -> dict[str, int]:
    return {key.value: each.count for key, each in sorted(facets.items(), key=_by_value) if key.facet == facet}


def _by_value(item: tuple[FacetKey, FacetSum]) -> str:
    return item[0].value


def _buckets(facets: Mapping[FacetKey, FacetSum]) -> list[ConfidenceBucket]:
    lows, highs = (0.0, *CONFIDENCE_BOUNDS), (*CONFIDENCE_BOUNDS, 1.0)
    counts = _counts(facets, tallies.CONFIDENCE)
    return [ConfidenceBucket(low, high, counts.get(str(low), 0)) for low, high in zip(lows, highs, strict=True)]


def _observed(connection: Connection, org_id: str, actor_id: str | None) -> tuple[datetime | None, datetime | None]:
    """When the first and the last memory was observed: two looks at the ends of an index."""
    statement = select(memories.c.observed_at).where(memories.c.org_id == org_id, memories.c.deleted_at.is_(None))
    if actor_id is not None:
        statement = statement.where(memories.c.actor_id == actor_id)
    ends = (memories.c.observed_at, memories.c.observed_at.desc())
    first, last = (connection.execute(statement.order_by(end).limit(1)).scalar_one_or_none() for end in ends)
    return first, last
