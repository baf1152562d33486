"""Counting use: in memory, in batches, and never twice."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from memcairn.core.deps import Deps
from memcairn.core.ingest import ingest
from memcairn.core.metering import Meter
from memcairn.core.orgs import set_quotas
from memcairn.core.recall import Recalls
from memcairn.core.search import SearchQuery, search
from memcairn.core.usage import key_usage, look_up, usage_summary, usage_timeseries, write_usage
from memcairn.domain.clock import FrozenClock
from memcairn.domain.errors import Forbidden, Invalid, NotFound, QuotaReached, Unavailable
from memcairn.domain.events import NewEvent
from memcairn.domain.keys import ApiKey, KeyScope, Principal
from memcairn.domain.usage import Dimension, Granularity
from memcairn.store import keys, memories
from memcairn.store.database import SqliteDatabase
from memcairn.store.memories import MemoryRow
from memcairn.store.schema import usage
from tests.build import NOW, ORG, make

pytestmark = pytest.mark.anyio

CALLS, EVENTS, SEARCHES, MEMORIES = (
    Dimension.API_CALLS,
    Dimension.EVENTS_INGESTED,
    Dimension.SEARCH_QUERIES,
    Dimension.MEMORIES_STORED,
)


class BrokenDisk(SqliteDatabase):
    """Writes nothing while `broken`."""

    broken = False

    async def write(self, fn: Any, *args: Any, **kwargs: Any) -> Any:
        if self.broken:
            raise Unavailable("the disk is full", code="storage_full")
        return await super().write(fn, *args, **kwargs)


async def used(deps: Deps, principal: Principal) -> dict[Dimension, int]:
    summary = await usage_summary(deps, principal)
    return {each.dimension: each.used for each in summary.dimensions if each.used}


async def test_what_was_counted_is_there_before_and_after_it_is_written(deps: Deps, principal: Principal) -> None:
    deps.meter.note(principal, CALLS, 3, NOW)

    before = await used(deps, principal)
    await write_usage(deps)
    deps.meter.note(principal, CALLS, 2, NOW)

    assert before == {CALLS: 3}
    assert await used(deps, principal) == {CALLS: 5}


async def test_a_write_that_fails_loses_nothing(
    sqlite_database: SqliteDatabase, deps: Deps, principal: Principal
) -> None:
    broken = BrokenDisk(sqlite_database._path)
    deps = replace(deps, db=broken)
    deps.meter.note(principal, CALLS, 3, NOW)
    broken.broken = True

    with pytest.raises(Unavailable):
        await write_usage(deps)
    deps.meter.note(principal, CALLS, 1, NOW)
    while_broken = await used(deps, principal)
    broken.broken = False
    await write_usage(deps)

    assert while_broken == {CALLS: 4}
    assert await used(deps, principal) == {CALLS: 4}
    await broken.close()


async def test_a_write_that_is_cancelled_counts_once(deps: Deps, principal: Principal) -> None:
    deps.meter.note(principal, CALLS, 3, NOW)

    writing = asyncio.create_task(write_usage(deps))
    await asyncio.sleep(0)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    deps.meter.note(principal, CALLS, 1, NOW)
    await write_usage(deps)

    assert await used(deps, principal) == {CALLS: 4}


async def test_counting_writing_and_reading_at_once_agree(deps: Deps, principal: Principal) -> None:
    seen: list[int] = []

    async def count() -> None:
        for _ in range(50):
            deps.meter.note(principal, CALLS, 1, NOW)
            await asyncio.sleep(0)

    async def write() -> None:
        for _ in range(20):
            await write_usage(deps)

    async def read() -> None:
        for _ in range(10):
            seen.append((await used(deps, principal)).get(CALLS, 0))

    await asyncio.gather(*(count() for _ in range(8)), write(), read())

    assert seen == sorted(seen)
    assert await used(deps, principal) == {CALLS: 400}


async def test_each_event_and_each_search_counts_and_a_repetition_does_not(deps: Deps, principal: Principal) -> None:
    said = [make(NewEvent, content="The tide is high."), make(NewEvent, content="The tide is low.")]

    await ingest(deps, principal, said)
    await ingest(deps, principal, said[:1])
    await search(deps, Recalls(), principal, SearchQuery("tide"))

    assert await used(deps, principal) == {EVENTS: 2, SEARCHES: 1}


async def test_memories_are_a_level_and_not_a_sum(deps: Deps, principal: Principal, clock: FrozenClock) -> None:
    rows = [make(MemoryRow, digest=str(n)) for n in range(3)]
    for n, row in enumerate(rows):
        await deps.db.write(memories.add, [row])
        if n == 2:
            clock.advance(timedelta(hours=1))
        deps.meter.note(principal, CALLS, 1, clock.now())
        await write_usage(deps)

    hourly = await usage_timeseries(deps, principal, granularity=Granularity.HOUR, dimension=MEMORIES)
    daily = await usage_timeseries(deps, principal, granularity=Granularity.DAY, dimension=MEMORIES)

    assert [(point.start, point.quantity) for point in hourly.points] == [(NOW, 2), (NOW + timedelta(hours=1), 3)]
    assert [(point.start, point.quantity) for point in daily.points] == [(NOW, 3)]
    assert (await used(deps, principal))[MEMORIES] == 3


async def test_days_and_hours_sum_up_what_falls_into_them(deps: Deps, principal: Principal, clock: FrozenClock) -> None:
    for hours in (0, 1, 23):
        deps.meter.note(principal, CALLS, 1, clock.now())
        clock.advance(timedelta(hours=hours))
    await write_usage(deps)
    deps.meter.note(principal, CALLS, 5, clock.now())

    hourly = await usage_timeseries(deps, principal, granularity=Granularity.HOUR, dimension=CALLS)
    daily = await usage_timeseries(deps, principal, dimension=CALLS)

    assert [(point.start - NOW, point.quantity) for point in hourly.points] == [
        (timedelta(0), 2),
        (timedelta(hours=1), 1),
        (timedelta(hours=24), 5),
    ]
    assert [(point.start - NOW, point.quantity) for point in daily.points] == [
        (timedelta(0), 3),
        (timedelta(days=1), 5),
    ]


async def test_a_span_holds_its_first_hour_and_not_its_last(
    deps: Deps, principal: Principal, clock: FrozenClock
) -> None:
    for _ in range(4):
        deps.meter.note(principal, CALLS, 1, clock.now())
        clock.advance(timedelta(hours=1))
    await write_usage(deps)

    summary = await usage_summary(
        deps, principal, start=NOW + timedelta(hours=1, minutes=5), end=NOW + timedelta(hours=3)
    )

    assert (summary.start, summary.end) == (NOW + timedelta(hours=1), NOW + timedelta(hours=3))
    assert [each.used for each in summary.dimensions if each.dimension is CALLS] == [2]


@pytest.mark.parametrize("hours", [0, -5, 24 * 400])
async def test_a_span_of_nothing_or_of_years_is_refused(deps: Deps, principal: Principal, hours: int) -> None:
    with pytest.raises(Invalid) as refused:
        await usage_summary(deps, principal, start=NOW, end=NOW + timedelta(hours=hours))

    assert refused.value.code == "invalid_period"


async def test_each_key_has_its_own_account_and_none_of_another_org(deps: Deps, principal: Principal) -> None:
    mine, other = make(ApiKey, key_id="mine"), make(ApiKey, key_id="other")
    for key in (mine, other):
        await deps.db.write(keys.add, key)
    deps.meter.note(Principal(ORG, "mine", principal.scopes), CALLS, 2, NOW)
    deps.meter.note(Principal(ORG, "other", principal.scopes), CALLS, 7, NOW)
    await write_usage(deps)
    deps.meter.note(Principal(ORG, "mine", principal.scopes), CALLS, 1, NOW)

    series = await key_usage(deps, principal, "mine")

    assert [(point.dimension, point.quantity) for point in series.points] == [(CALLS, 3)]
    with pytest.raises(NotFound):
        await key_usage(deps, Principal("elsewhere", "k", principal.scopes), "mine")


async def test_tokens_of_background_work_count_for_the_org_and_for_no_key(deps: Deps, principal: Principal) -> None:
    deps.meter.note_of_org(ORG, Dimension.LLM_TOKENS, 120, NOW)
    await write_usage(deps)

    assert await used(deps, principal) == {Dimension.LLM_TOKENS: 120}


async def test_usage_is_for_admins(deps: Deps) -> None:
    reader = Principal(ORG, "k", frozenset({KeyScope.READ, KeyScope.WRITE}))

    with pytest.raises(Forbidden):
        await usage_summary(deps, reader)
    with pytest.raises(Forbidden):
        await usage_timeseries(deps, reader)


async def test_one_write_holds_what_a_thousand_requests_did(deps: Deps, principal: Principal) -> None:
    for _ in range(1_000):
        deps.meter.note(principal, CALLS, 1, NOW)
    await write_usage(deps)

    rows = await deps.db.read(lambda connection: connection.execute(select(usage)).all())

    assert [(row.dimension, row.key_id, row.quantity) for row in rows] == [
        ("api_calls", "test-key", 1_000),
        ("memories_stored", "", 0),
    ]


class TestQuotas:
    async def test_the_last_that_fits_is_let_in_and_the_next_is_not(self, deps: Deps, principal: Principal) -> None:
        deps = replace(deps, meter=Meter({EVENTS: 2}))
        await look_up(deps, ORG)

        await ingest(deps, principal, [make(NewEvent, content="one"), make(NewEvent, content="two")])
        with pytest.raises(QuotaReached) as refused:
            await ingest(deps, principal, [make(NewEvent, content="three")])

        assert (refused.value.dimension, refused.value.used, refused.value.limit) == ("events_ingested", 2, 2)
        assert refused.value.retry_after_seconds is None
        assert await used(deps, principal) == {EVENTS: 2}

    async def test_a_batch_that_does_not_fit_whole_is_refused_whole(self, deps: Deps, principal: Principal) -> None:
        deps = replace(deps, meter=Meter({EVENTS: 2}))
        await look_up(deps, ORG)

        with pytest.raises(QuotaReached):
            await ingest(deps, principal, [make(NewEvent, content=str(n)) for n in range(3)])

        assert await used(deps, principal) == {}

    async def test_a_restart_forgets_nothing(self, deps: Deps, principal: Principal) -> None:
        before = replace(deps, meter=Meter({SEARCHES: 1}))
        await look_up(before, ORG)
        await search(before, Recalls(), principal, SearchQuery("tide"))
        await write_usage(before)

        after = replace(deps, meter=Meter({SEARCHES: 1}))
        await look_up(after, ORG)

        with pytest.raises(QuotaReached):
            await search(after, Recalls(), principal, SearchQuery("tide"))

    async def test_a_new_month_begins_at_nothing(self, deps: Deps, principal: Principal, clock: FrozenClock) -> None:
        deps = replace(deps, meter=Meter({SEARCHES: 1}))
        await look_up(deps, ORG)
        await search(deps, Recalls(), principal, SearchQuery("tide"))

        clock.advance(timedelta(days=31))

        await look_up(deps, ORG)
        await search(deps, Recalls(), principal, SearchQuery("tide"))

    async def test_an_org_s_own_quota_wins_over_the_server_s(self, deps: Deps, principal: Principal) -> None:
        deps = replace(deps, meter=Meter({SEARCHES: 0, EVENTS: 0}))
        await set_quotas(deps, ORG, {SEARCHES: 1})
        await look_up(deps, ORG)

        await search(deps, Recalls(), principal, SearchQuery("tide"))

        assert deps.meter.limits(ORG) == {SEARCHES: 1, EVENTS: 0}
        with pytest.raises(QuotaReached):
            await ingest(deps, principal, [make(NewEvent)])

    async def test_an_org_full_of_memories_takes_no_more_events(self, deps: Deps, principal: Principal) -> None:
        await deps.db.write(memories.add, [make(MemoryRow)])
        deps = replace(deps, meter=Meter({MEMORIES: 1}))
        await look_up(deps, ORG)

        with pytest.raises(QuotaReached, match="memories_stored"):
            await ingest(deps, principal, [make(NewEvent)])

    async def test_quotas_for_an_org_that_is_not_there_are_refused(self, deps: Deps) -> None:
        with pytest.raises(NotFound):
            await set_quotas(deps, "nobody", {})
