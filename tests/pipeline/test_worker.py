"""The worker: every job is carried out once, or tells why not."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from memcairn.core.deps import Deps, Wakeup
from memcairn.core.ingest import ingest, statuses
from memcairn.core.jobs import get_job, list_jobs, retry_job
from memcairn.core.memories import list_memories
from memcairn.domain.clock import FrozenClock
from memcairn.domain.errors import Conflict
from memcairn.domain.events import EventStatus, NewEvent
from memcairn.domain.jobs import LEASE, LONGEST_RETRY, MAX_ATTEMPTS, Job, JobStatus
from memcairn.domain.keys import Principal
from memcairn.pipeline.process import process_events
from memcairn.pipeline.worker import SHORT_CLAIM_JOBS, Worker
from memcairn.providers.fake import FakeEmbedder
from memcairn.store import jobs
from memcairn.store.jobs import LeaseLost
from memcairn.store.memories import MemoryFilter
from tests.build import make

pytestmark = pytest.mark.anyio

POISON = "The poisoned sentence nobody can embed."


class ChokingEmbedder(FakeEmbedder):
    """Fails on one sentence, as a provider may fail on one input."""

    def embed(self, texts):  # type: ignore[no-untyped-def]  # the signature is the base class's
        if POISON in texts:
            raise RuntimeError("the provider choked")
        return super().embed(texts)


class Flood(Wakeup):
    """Events pour in all the time."""

    def pouring(self, within_seconds: float) -> bool:
        return True


class StoppingEmbedder(FakeEmbedder):
    """Tells its worker to stop as soon as it has something to do."""

    worker: Worker

    def embed(self, texts):  # type: ignore[no-untyped-def]  # the signature is the base class's
        self.worker.stop()
        return super().embed(texts)


@pytest.fixture
def choking(deps: Deps) -> Deps:
    return Deps(db=deps.db, index=deps.index, embedder=ChokingEmbedder(), clock=deps.clock, metrics=deps.metrics)


async def _jobs(deps: Deps, principal: Principal) -> list[Job]:
    return list((await list_jobs(deps, principal, status=None, limit=100)).items)


async def _texts(deps: Deps, principal: Principal) -> list[str]:
    page = await list_memories(deps, principal, MemoryFilter(), sort="created_at_desc", limit=100)
    return sorted(memory.text for memory in page.items)


async def _exhaust(deps: Deps, clock: FrozenClock) -> None:
    """Run a worker until a failing job has used up its attempts."""
    worker = Worker(deps)
    for _ in range(MAX_ATTEMPTS):
        await worker.run_once()
        clock.advance(LONGEST_RETRY)


async def test_finished_jobs_leave_nothing_behind(deps: Deps, principal: Principal) -> None:
    await ingest(deps, principal, [make(NewEvent)])

    assert await Worker(deps).run_once() == 1

    assert await _jobs(deps, principal) == []


async def test_a_poisoned_event_does_not_hold_up_its_neighbours(choking: Deps, principal: Principal) -> None:
    await ingest(choking, principal, [make(NewEvent, content=POISON)])
    await ingest(choking, principal, [make(NewEvent, content="The heron nests behind the chapel.")])

    await Worker(choking).run_once()

    assert await _texts(choking, principal) == ["The heron nests behind the chapel."]
    [job] = await _jobs(choking, principal)
    assert (job.status, job.attempts, job.error) == (JobStatus.QUEUED, 1, "RuntimeError: the provider choked")


async def test_what_is_said_after_a_poisoned_event_does_not_wait_for_its_retries(
    choking: Deps, principal: Principal
) -> None:
    await ingest(choking, principal, [make(NewEvent, content=POISON)])
    await Worker(choking).run_once()

    await ingest(choking, principal, [make(NewEvent, content="The heron nests behind the chapel.")])
    await Worker(choking).run_once()

    assert await _texts(choking, principal) == ["The heron nests behind the chapel."]


async def test_a_job_whose_worker_dies_in_every_attempt_is_dead_in_the_end(
    deps: Deps, principal: Principal, clock: FrozenClock
) -> None:
    [event_id] = await ingest(deps, principal, [make(NewEvent)])
    for _ in range(MAX_ATTEMPTS):
        claimed = await deps.db.write(jobs.claim, "dying", clock.now(), limit=10)
        await deps.db.write(jobs.begin, claimed, clock.now())
        clock.advance(LEASE + timedelta(seconds=1))

    await Worker(deps).run_once()

    [job] = await _jobs(deps, principal)
    assert (job.status, job.error) == (JobStatus.DEAD, "RuntimeError: its worker died in every attempt")
    assert (await statuses(deps, principal, [event_id]))[0].status is EventStatus.FAILED


async def test_what_workers_claimed_and_died_before_beginning_is_carried_out_all_the_same(
    deps: Deps, principal: Principal, clock: FrozenClock
) -> None:
    event_ids = await ingest(deps, principal, [make(NewEvent, content=f"The heron number {n}.") for n in range(150)])
    for _ in range(MAX_ATTEMPTS + 1):
        await deps.db.write(jobs.claim, "dying", clock.now(), limit=10)
        clock.advance(LEASE + timedelta(seconds=1))

    await Worker(deps).run_once()

    assert {state.status for state in await statuses(deps, principal, event_ids)} == {EventStatus.COMPLETED}


async def test_a_job_that_keeps_failing_is_dead_with_its_reason_and_its_events_failed(
    choking: Deps, principal: Principal, clock: FrozenClock
) -> None:
    [event_id] = await ingest(choking, principal, [make(NewEvent, content=POISON)])

    await _exhaust(choking, clock)

    [job] = await _jobs(choking, principal)
    assert (job.status, job.attempts) == (JobStatus.DEAD, MAX_ATTEMPTS)
    [state] = await statuses(choking, principal, [event_id])
    assert (state.status, state.error) == (EventStatus.FAILED, "RuntimeError: the provider choked")


async def test_a_dead_job_succeeds_when_it_is_retried_after_the_cause_is_gone(
    choking: Deps, deps: Deps, principal: Principal, clock: FrozenClock
) -> None:
    [event_id] = await ingest(choking, principal, [make(NewEvent, content=POISON)])
    await _exhaust(choking, clock)
    [dead] = await _jobs(choking, principal)

    revived = await retry_job(deps, principal, dead.job_id)
    await Worker(deps).run_once()

    assert (revived.status, revived.attempts) == (JobStatus.QUEUED, 0)
    assert await _texts(deps, principal) == [POISON]
    assert (await statuses(deps, principal, [event_id]))[0].status is EventStatus.COMPLETED


async def test_two_retries_of_one_dead_job_have_one_effect(
    choking: Deps, deps: Deps, principal: Principal, clock: FrozenClock
) -> None:
    await ingest(choking, principal, [make(NewEvent, content=POISON)])
    await _exhaust(choking, clock)
    [dead] = await _jobs(choking, principal)

    answers = await asyncio.gather(*(retry_job(deps, principal, dead.job_id) for _ in range(2)), return_exceptions=True)

    assert sorted(type(answer).__name__ for answer in answers) == ["Conflict", "Job"]
    with pytest.raises(Conflict):
        await retry_job(deps, principal, (await get_job(deps, principal, dead.job_id)).job_id)


async def test_a_worker_that_wakes_after_its_lease_ran_out_changes_nothing(
    deps: Deps, principal: Principal, clock: FrozenClock
) -> None:
    await ingest(deps, principal, [make(NewEvent, content="The heron nests behind the chapel.")])
    sleeping = await deps.db.write(jobs.claim, "sleeping", clock.now(), limit=10)
    clock.advance(LEASE + timedelta(seconds=1))
    assert await Worker(deps).run_once() == 1
    before = await _texts(deps, principal)

    with pytest.raises(LeaseLost):
        await process_events(deps, sleeping)

    assert await _texts(deps, principal) == before == ["The heron nests behind the chapel."]


async def test_beside_a_flood_a_turn_is_as_long_as_ever_and_taken_in_short_steps(
    deps: Deps, principal: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = SHORT_CLAIM_JOBS * 2 + 5
    for number in range(said):
        event = make(NewEvent, session_id=f"s{number}", content=f"Parcel {number} went to the harbour.")
        await ingest(deps, principal, [event])
    claim, claims = jobs.claim, []

    def counted(*args: Any, **options: Any) -> list[Job]:
        claims.append(claim(*args, **options))
        return claims[-1]

    monkeypatch.setattr(jobs, "claim", counted)

    assert await Worker(replace(deps, wakeup=Flood()), give_way_seconds=0).run_once() == said
    assert [len(its) for its in claims] == [SHORT_CLAIM_JOBS, SHORT_CLAIM_JOBS, 5]
    assert await _jobs(deps, principal) == []


async def test_a_stopped_worker_gives_back_what_it_did_not_begin(deps: Deps, principal: Principal) -> None:
    for number in range(3):
        events = [make(NewEvent, content=f"Parcel {number}.{i} went to the harbour.") for i in range(100)]
        await ingest(deps, principal, events)
    stopping = StoppingEmbedder()
    worker = stopping.worker = Worker(replace(deps, embedder=stopping))

    claimed = await worker.run_once()

    left = await _jobs(deps, principal)
    assert 0 < len(left) < claimed
    assert {(job.status, job.attempts) for job in left} == {(JobStatus.QUEUED, 0)}
    assert await worker.run_once() == 0
    while await Worker(deps).run_once():
        pass
    assert len(await _texts(deps, principal)) == 100


async def test_a_running_worker_is_woken_by_ingest_and_ends_when_told(deps: Deps, principal: Principal) -> None:
    worker = Worker(deps)
    running = asyncio.create_task(worker.run())

    [event_id] = await ingest(deps, principal, [make(NewEvent)])
    async with asyncio.timeout(10):
        while (await statuses(deps, principal, [event_id]))[0].status is EventStatus.PENDING:  # noqa: ASYNC110 -- it lies in the database
            await asyncio.sleep(0.01)
    worker.stop()

    await asyncio.wait_for(running, timeout=10)
