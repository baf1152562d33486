"""The clock is set while the server works: nothing stops, is done twice, is skipped in a list or is purged early."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import chain, repeat

import pytest

from memcairn.core.deps import Deps
from memcairn.core.events import EventFilter, list_events
from memcairn.core.ingest import ingest, statuses
from memcairn.core.memories import list_memories
from memcairn.core.purge import purge
from memcairn.core.recall import Recalls
from memcairn.core.search import SearchQuery, search
from memcairn.core.sessions import delete_session
from memcairn.domain import ids
from memcairn.domain.clock import FrozenClock, Retention
from memcairn.domain.events import EventStatus, NewEvent
from memcairn.domain.jobs import HEARTBEAT_EVERY, LEASE, LONGEST_RETRY
from memcairn.domain.keys import Principal
from memcairn.pipeline.process import process_events
from memcairn.pipeline.worker import Worker
from memcairn.store import jobs
from memcairn.store.jobs import LeaseLost
from memcairn.store.memories import MemoryFilter
from tests.build import make

pytestmark = pytest.mark.anyio

HOUR, TEN_YEARS = timedelta(hours=1), timedelta(days=3_652)
STEPS = [
    pytest.param(step, id=name)
    for name, step in {
        "an hour back": -HOUR,
        "an hour forward": HOUR,
        "ten years back": -TEN_YEARS,
        "ten years forward": TEN_YEARS,
    }.items()
]
STEPPED = pytest.mark.parametrize("step", STEPS)


@STEPPED
async def test_what_was_said_before_and_after_is_processed_at_once(
    deps: Deps, principal: Principal, clock: FrozenClock, step: timedelta
) -> None:
    before = await ingest(deps, principal, [make(NewEvent, content="The heron nests behind the chapel.")])
    clock.advance(step)
    after = await ingest(deps, principal, [make(NewEvent, content="The ferry leaves at nine.")])

    while await Worker(deps).run_once():
        pass

    assert {state.status for state in await statuses(deps, principal, [*before, *after])} == {EventStatus.COMPLETED}
    hits = await search(deps, Recalls(), principal, SearchQuery("When does the ferry leave?", actor_id="ann"))
    assert [hit.memory.text for hit in hits[:1] if hit.memory] == ["The ferry leaves at nine."]


@STEPPED
async def test_what_a_dead_worker_held_is_taken_over_within_a_lease(
    deps: Deps, principal: Principal, clock: FrozenClock, step: timedelta
) -> None:
    [event_id] = await ingest(deps, principal, [make(NewEvent)])
    late = await deps.db.write(jobs.claim, "dead", clock.now(), limit=10)
    clock.advance(step)
    clock.advance(LEASE + HEARTBEAT_EVERY)

    assert await Worker(deps).run_once() == 1
    with pytest.raises(LeaseLost):
        await process_events(deps, late)

    assert [state.status for state in await statuses(deps, principal, [event_id])] == [EventStatus.COMPLETED]
    assert (
        len(
            (await list_memories(deps, principal, MemoryFilter(type="message"), sort="created_at_desc", limit=10)).items
        )
        == 1
    )


async def test_a_clock_set_back_does_not_take_a_lease_from_who_renews_it(
    deps: Deps, principal: Principal, clock: FrozenClock
) -> None:
    await ingest(deps, principal, [make(NewEvent)])
    held = await deps.db.write(jobs.claim, "w1", clock.now(), limit=10)
    clock.advance(-HOUR)
    await deps.db.write(jobs.heartbeat, held, clock.now())

    assert await deps.db.write(jobs.claim, "w2", clock.now(), limit=10) == []


@STEPPED
async def test_a_job_that_waits_for_its_next_attempt_waits_no_longer_than_one_may(
    deps: Deps, principal: Principal, clock: FrozenClock, step: timedelta
) -> None:
    await ingest(deps, principal, [make(NewEvent)])
    [job] = await deps.db.write(jobs.claim, "w1", clock.now(), limit=10)
    await deps.db.write(jobs.fail, job, "it broke", clock.now(), retry_after=LONGEST_RETRY)
    clock.advance(step)
    clock.advance(LONGEST_RETRY)

    assert await Worker(deps).run_once() == 1


@STEPPED
async def test_pages_hold_each_event_once_and_messages_keep_their_order(
    deps: Deps, principal: Principal, clock: FrozenClock, step: timedelta
) -> None:
    said: list[str] = []

    async def say(count: int) -> None:
        for _ in range(count):
            said.extend(await ingest(deps, principal, [make(NewEvent, content=f"Crate {len(said)} is here.")]))
            clock.advance(timedelta(seconds=1))

    await say(6)
    clock.advance(step)
    await say(6)
    there = set(said)
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await list_events(deps, principal, EventFilter(session_id="s1"), limit=3, cursor=cursor)
        seen += [event.event_id for event in page.items]
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
        clock.advance(-step if len(seen) % 2 else step)
        await say(1)

    assert len(set(seen)) == len(seen)
    assert there <= set(seen)


@pytest.mark.parametrize("step", STEPS)
def test_ids_rise_whatever_the_clock_says(monkeypatch: pytest.MonkeyPatch, step: timedelta) -> None:
    def nanoseconds() -> Iterator[int]:
        start = 1_800_000_000_000_000_000
        moved = start + int(step.total_seconds()) * 1_000_000_000
        return chain(repeat(start, 50), repeat(moved, 50), repeat(start, 50))

    ticks = nanoseconds()
    monkeypatch.setattr("memcairn.domain.ids.time.time_ns", lambda: next(ticks))
    monkeypatch.setattr(ids, "_last_tick", 0)

    made = [ids.new_id() for _ in range(150)]

    assert made == sorted(set(made))


class TestRetention:
    """What is kept for a span after its deletion is kept for it whatever the clock says meanwhile."""

    SPAN = timedelta(days=7)

    @pytest.fixture
    def passed(self) -> list[float]:
        return [1_000.0]

    @pytest.fixture
    def retention(self, clock: FrozenClock, passed: list[float]) -> Retention:
        return Retention(clock, steady=lambda: passed[0])

    def _pass(self, clock: FrozenClock, passed: list[float], span: timedelta) -> None:
        clock.advance(span)
        passed[0] += span.total_seconds()

    async def test_a_clock_set_forward_ages_nothing(
        self, deps: Deps, principal: Principal, clock: FrozenClock, retention: Retention, passed: list[float]
    ) -> None:
        await ingest(deps, principal, [make(NewEvent)])
        await delete_session(deps, principal, "s1")
        self._pass(clock, passed, HOUR)
        assert retention.can_tell(self.SPAN)
        clock.advance(TEN_YEARS)

        told = []
        for _ in range(8):
            told.append(retention.can_tell(self.SPAN))
            self._pass(clock, passed, timedelta(days=1))

        assert told == [False] * 7 + [True]
        assert (await purge(deps, older_than=self.SPAN)).counts["events"] == 1

    def test_without_a_span_nothing_waits(self, clock: FrozenClock, retention: Retention) -> None:
        clock.advance(TEN_YEARS)

        assert retention.can_tell(timedelta(0))

    def test_a_clock_set_back_or_corrected_is_no_jump(
        self, clock: FrozenClock, retention: Retention, passed: list[float]
    ) -> None:
        for wrong in (-TEN_YEARS, -HOUR, timedelta(seconds=2)):
            clock.advance(wrong)
            self._pass(clock, passed, HOUR)
            assert retention.can_tell(self.SPAN)
