"""What an org used: counted in memory, written in batches, read with what is not written yet."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from memcairn.core.deps import Deps
from memcairn.core.metering import Counts
from memcairn.domain.errors import DomainError, Invalid, NotFound
from memcairn.domain.keys import KeyScope, Principal
from memcairn.domain.usage import (
    LAST_MOMENT,
    LONGEST_SPAN,
    Dimension,
    DimensionUse,
    Granularity,
    MonthOfUsage,
    UsagePoint,
    hour_of,
    month_of,
    next_month,
)
from memcairn.store import keys
from memcairn.store import usage as rows
from memcairn.store.tallies import memory_count


@dataclass(frozen=True, slots=True)
class UsageSummary:
    """Every dimension with what was used of it from `start` on and before `end`."""

    org_id: str
    start: datetime
    end: datetime
    dimensions: Sequence[DimensionUse]


@dataclass(frozen=True, slots=True)
class UsageSeries:
    """One point per span and dimension in which there was any, oldest first."""

    org_id: str
    granularity: Granularity
    start: datetime
    end: datetime
    points: Sequence[UsagePoint]


async def write_usage(deps: Deps) -> None:
    """Write what was counted since the last time, in one transaction; if that fails it is kept for the next time.

    Once begun it goes on to its end, even when the caller is cancelled: half way, nobody knows what was written.
    """
    await asyncio.shield(_write_counts(deps))


async def _write_counts(deps: Deps) -> None:
    meter = deps.meter
    async with meter.settling:
        counts = meter.begin_write()
        if not counts:
            return
        written: dict[str, MonthOfUsage] = {}
        try:
            written = await deps.db.write(_write, counts, deps.clock.now())
        except (DomainError, SQLAlchemyError):
            meter.end_write({})
            raise
        meter.end_write(written)


async def look_up(deps: Deps, org_id: str) -> None:
    """Make sure the meter knows what the org used this month, and its quotas."""
    now = deps.clock.now()
    if deps.meter.knows(org_id, now):
        return
    async with deps.meter.settling:
        if deps.meter.knows(org_id, now):  # another request of the org was quicker
            return
        deps.meter.learn(org_id, await deps.db.read(rows.month, org_id, now))


async def usage_summary(
    deps: Deps, principal: Principal, *, start: datetime | None = None, end: datetime | None = None
) -> UsageSummary:
    """What the org used in a span, this month unless told otherwise, up to this moment and this request."""
    principal.require(KeyScope.ADMIN)
    now = deps.clock.now()
    span = _span(start or month_of(now), end or next_month(start or now))
    await look_up(deps, principal.org_id)
    async with deps.meter.settling:
        used = Counter(await deps.db.read(rows.sums, principal.org_id, span))
        used[Dimension.MEMORIES_STORED] = await deps.db.read(memory_count, principal.org_id)
        for spot, quantity in deps.meter.unwritten(principal.org_id).items():
            if span.start <= spot.hour < span.end:
                used[spot.dimension] += quantity
    limits = deps.meter.limits(principal.org_id)
    dimensions = [DimensionUse(dimension, used[dimension], limits.get(dimension)) for dimension in Dimension]
    return UsageSummary(principal.org_id, span.start, span.end, dimensions)


async def usage_timeseries(
    deps: Deps,
    principal: Principal,
    *,
    granularity: Granularity = Granularity.DAY,
    dimension: Dimension | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> UsageSeries:
    """What the org used, hour by hour or day by day: this month unless told otherwise.

    Of `memories_stored` a point says how many there were when they were last counted in its span.
    """
    principal.require(KeyScope.ADMIN)
    now = deps.clock.now()
    span = _span(start or month_of(now), end or next_month(start or now), dimension=dimension)
    return await _series(deps, principal.org_id, span, granularity)


async def key_usage(
    deps: Deps,
    principal: Principal,
    key_id: str,
    *,
    granularity: Granularity = Granularity.DAY,
    start: datetime | None = None,
    end: datetime | None = None,
) -> UsageSeries:
    """What one key of the org was used for; revoked ones included, NotFound for others."""
    principal.require(KeyScope.ADMIN)
    now = deps.clock.now()
    span = _span(start or month_of(now), end or next_month(start or now), key_id=key_id)
    found = await deps.db.read(keys.find, key_id)
    if found is None or found.org_id != principal.org_id:
        raise NotFound(f"The org has no key {key_id!r}.", code="key_not_found")
    return await _series(deps, principal.org_id, span, granularity)


async def _series(deps: Deps, org_id: str, span: rows.UsageFilter, granularity: Granularity) -> UsageSeries:
    async with deps.meter.settling:
        points = await deps.db.read(rows.points, org_id, span)
        unwritten = [
            UsagePoint(spot.hour, spot.dimension, quantity)
            for spot, quantity in deps.meter.unwritten(org_id).items()
            if _is_meant(spot, span)
        ]
    return UsageSeries(org_id, granularity, span.start, span.end, _gathered([*points, *unwritten], granularity))


def _gathered(points: Sequence[UsagePoint], granularity: Granularity) -> list[UsagePoint]:
    """Sums per span; of memories, which are a level and not an amount, the last hour that was counted."""
    quantities: dict[tuple[datetime, Dimension], int] = {}
    for point in sorted(points, key=lambda point: point.start):
        place = (granularity.starts(point.start), point.dimension)
        before = 0 if point.dimension is Dimension.MEMORIES_STORED else quantities.get(place, 0)
        quantities[place] = before + point.quantity
    return [UsagePoint(start, dimension, quantity) for (start, dimension), quantity in sorted(quantities.items())]


def _is_meant(spot: rows.Spot, span: rows.UsageFilter) -> bool:
    return (
        span.start <= spot.hour < span.end
        and span.dimension in (None, spot.dimension)
        and span.key_id in (None, spot.key_id)
    )


def _span(
    start: datetime, end: datetime, *, dimension: Dimension | None = None, key_id: str | None = None
) -> rows.UsageFilter:
    """The span in whole hours: it begins with the hour of `start` and holds the one in which `end` lies, if any."""
    begin, finish = hour_of(start), hour_of(end)
    if finish < end:
        finish += min(timedelta(hours=1), LAST_MOMENT - finish)
    if begin >= finish or finish - begin > LONGEST_SPAN:
        raise Invalid(
            f"The span from {start.isoformat()} to {end.isoformat()} must be longer than nothing and at most "
            f"{LONGEST_SPAN.days} days. Change `start` or `end`.",
            code="invalid_period",
        )
    return rows.UsageFilter(begin, finish, dimension, key_id)


def _write(connection: Connection, counts: Counts, now: datetime) -> dict[str, MonthOfUsage]:
    return {org_id: rows.add(connection, org_id, counts[org_id], now) for org_id in sorted(counts)}
