"""Counters per org, hour, dimension and key, and their sums per month."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from memcairn.domain.usage import NO_KEY, Dimension, MonthOfUsage, UsagePoint, month_of
from memcairn.store import orgs, tallies
from memcairn.store.dialect import upsert
from memcairn.store.schema import usage, usage_months


@dataclass(frozen=True, slots=True)
class Spot:
    """What a count belongs to, inside an org."""

    hour: datetime
    dimension: Dimension
    key_id: str


@dataclass(frozen=True, slots=True)
class UsageFilter:
    """Which counters are meant: from `start` on and before `end`; None means any."""

    start: datetime
    end: datetime
    dimension: Dimension | None = None
    key_id: str | None = None


def add(connection: Connection, org_id: str, counts: Mapping[Spot, int], now: datetime) -> MonthOfUsage:
    """Add to the counters, note how many memories there are now, and return the month as it stands after that."""
    rows: list[Mapping[str, Any]] = [
        {"org_id": org_id, "hour": hour, "dimension": dimension, "key_id": key_id, "quantity": quantity}
        for (hour, dimension, key_id), quantity in sorted(
            ((spot.hour, spot.dimension.value, spot.key_id), quantity) for spot, quantity in counts.items()
        )
    ]
    statement = upsert(connection, usage)
    more = {"quantity": usage.c.quantity + statement.excluded.quantity}
    connection.execute(
        statement.on_conflict_do_update(index_elements=["org_id", "hour", "dimension", "key_id"], set_=more), rows
    )
    _add_to_months(connection, org_id, counts)
    _note_memories(connection, org_id, max(spot.hour for spot in counts))
    return month(connection, org_id, now)


def month(connection: Connection, org_id: str, now: datetime) -> MonthOfUsage:
    """The month `now` lies in, as far as it is written; `memories_stored` is what there is at this moment."""
    begin = month_of(now)
    statement = select(usage_months.c.dimension, usage_months.c.quantity).where(
        usage_months.c.org_id == org_id, usage_months.c.month == begin
    )
    used = {Dimension(row.dimension): row.quantity for row in connection.execute(statement)}
    used[Dimension.MEMORIES_STORED] = tallies.memory_count(connection, org_id)
    quotas = {Dimension(name): limit for name, limit in orgs.quotas(connection, org_id).items()}
    return MonthOfUsage(begin, used, quotas)


def points(connection: Connection, org_id: str, where: UsageFilter) -> list[UsagePoint]:
    """One point per hour and dimension in which there was any, all keys together, oldest first."""
    statement = (
        select(usage.c.hour, usage.c.dimension, func.sum(usage.c.quantity).label("quantity"))
        .where(*_conditions(org_id, where))
        .group_by(usage.c.hour, usage.c.dimension)
        .order_by(usage.c.hour, usage.c.dimension)
    )
    return [UsagePoint(row.hour, Dimension(row.dimension), int(row.quantity)) for row in connection.execute(statement)]


def sums(connection: Connection, org_id: str, where: UsageFilter) -> dict[Dimension, int]:
    """How much of each dimension in the whole span; of the memories, which are not summed, nothing."""
    statement = (
        select(usage.c.dimension, func.sum(usage.c.quantity).label("quantity"))
        .where(*_conditions(org_id, where), usage.c.dimension != Dimension.MEMORIES_STORED.value)
        .group_by(usage.c.dimension)
    )
    return {Dimension(row.dimension): int(row.quantity) for row in connection.execute(statement)}


def _add_to_months(connection: Connection, org_id: str, counts: Mapping[Spot, int]) -> None:
    by_month: Counter[tuple[datetime, str]] = Counter()
    for spot, quantity in counts.items():
        by_month[month_of(spot.hour), spot.dimension.value] += quantity
    rows: Sequence[Mapping[str, Any]] = [
        {"org_id": org_id, "month": begin, "dimension": dimension, "quantity": quantity}
        for (begin, dimension), quantity in sorted(by_month.items())
    ]
    statement = upsert(connection, usage_months)
    more = {"quantity": usage_months.c.quantity + statement.excluded.quantity}
    connection.execute(
        statement.on_conflict_do_update(index_elements=["org_id", "month", "dimension"], set_=more), rows
    )


def _note_memories(connection: Connection, org_id: str, hour: datetime) -> None:
    statement = upsert(connection, usage).values(
        org_id=org_id,
        hour=hour,
        dimension=Dimension.MEMORIES_STORED.value,
        key_id=NO_KEY,
        quantity=tallies.memory_count(connection, org_id),
    )
    newer = {"quantity": statement.excluded.quantity}
    connection.execute(
        statement.on_conflict_do_update(index_elements=["org_id", "hour", "dimension", "key_id"], set_=newer)
    )


def _conditions(org_id: str, where: UsageFilter) -> list[ColumnElement[bool]]:
    conditions = [usage.c.org_id == org_id, usage.c.hour >= where.start, usage.c.hour < where.end]
    if where.dimension is not None:
        conditions.append(usage.c.dimension == where.dimension.value)
    if where.key_id is not None:
        conditions.append(usage.c.key_id == where.key_id)
    return conditions
