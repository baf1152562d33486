"""The queue: claimed once, in the order of each key, never lost."""

import asyncio
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection

from memcairn.domain.errors import Conflict, NotFound
from memcairn.domain.jobs import LEASE, MAX_ATTEMPTS, MAX_ERROR_CHARS, Job, JobStatus, NewJob
from memcairn.store import jobs
from memcairn.store.database import Database
from memcairn.store.jobs import LeaseLost
from memcairn.store.postgres import PostgresDatabase
from tests.build import NOW, ORG, make

pytestmark = pytest.mark.anyio

T = TypeVar("T")
SECOND = timedelta(seconds=1)


class Queue:
    """The verbs of the queue, each in a transaction of its own, at `now`."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.now: datetime = NOW

    async def add(self, *keys: str) -> None:
        new = [make(NewJob, serial_key=key, payload={"event_ids": [f"{key}{n}"]}) for n, key in enumerate(keys)]
        await self.db.write(jobs.enqueue, new, self.now)

    async def claim(self, worker: str = "w1", *, limit: int = 10) -> list[Job]:
        """Jobs claimed and begun."""
        return await self.do(jobs.begin, await self.claim_alone(worker, limit=limit), self.now)

    async def claim_alone(self, worker: str = "w1", *, limit: int = 10) -> list[Job]:
        return await self.db.write(jobs.claim, worker, self.now, limit=limit)

    async def do(self, verb: Callable[..., T], *args: Any, **options: Any) -> T:
        return await self.db.write(verb, *args, **options)

    async def fail(self, job: Job, *, retry_after: timedelta = SECOND) -> bool:
        return await self.db.write(jobs.fail, job, "it broke", self.now, retry_after=retry_after)

    async def kill(self) -> Job:
        """Fail the only job until it is dead."""
        dead = False
        while not dead:
            [job] = await self.claim()
            dead = await self.fail(job, retry_after=timedelta(0))
        return job

    async def stored(self) -> list[Job]:
        return await self.db.read(jobs.page, ORG, status=None, after=None, limit=100)


@pytest.fixture
def queue(database: Database) -> Queue:
    return Queue(database)


def keys_of(claimed: list[Job]) -> list[str]:
    return [job.serial_key for job in claimed]


def names_of(claimed: list[Job]) -> list[str]:
    return [name for job in claimed for name in job.payload["event_ids"]]


class TestClaiming:
    async def test_oldest_first_and_no_more_than_asked_for(self, queue: Queue) -> None:
        await queue.add("a", "b", "c")

        assert keys_of(await queue.claim(limit=2)) == ["a", "b"]
        assert keys_of(await queue.claim(limit=2)) == ["c"]
        assert await queue.claim() == []

    async def test_a_claim_says_what_the_row_says(self, queue: Queue) -> None:
        await queue.add("a")

        claimed = await queue.claim("w7")

        assert claimed == [j for j in await queue.stored() if j.status is JobStatus.RUNNING and j.worker_id == "w7"]
        assert (claimed[0].attempts, claimed[0].fencing_token) == (1, 1)
        assert claimed[0].lease_until == NOW + LEASE

    async def test_jobs_of_a_free_key_come_together_in_their_order(self, queue: Queue) -> None:
        await queue.add("a", "a", "b", "a")

        assert names_of(await queue.claim()) == ["a0", "a1", "b2", "a3"]

    async def test_a_key_that_is_held_waits_and_others_do_not(self, queue: Queue) -> None:
        await queue.add("a", "a", "b")
        await queue.claim("w1", limit=1)

        assert keys_of(await queue.claim("w2")) == ["b"]

    async def test_a_key_is_free_again_once_its_job_is_finished(self, queue: Queue) -> None:
        await queue.add("a", "a")
        first = await queue.claim(limit=1)

        await queue.do(jobs.finish, first)

        assert names_of(await queue.claim()) == ["a1"]

    async def test_a_failed_job_that_waits_holds_up_nobody(self, queue: Queue) -> None:
        await queue.add("a", "a", "b")
        [first] = await queue.claim(limit=1)
        await queue.fail(first, retry_after=10 * SECOND)

        others = await queue.claim()
        await queue.do(jobs.finish, others)
        queue.now += 10 * SECOND

        assert (names_of(others), names_of(await queue.claim())) == (["a1", "b2"], ["a0"])

    async def test_a_dead_job_holds_nothing_back(self, queue: Queue) -> None:
        await queue.add("a")
        await queue.kill()
        await queue.add("a")

        assert names_of(await queue.claim()) == ["a0"]
        assert [job.status for job in await queue.stored()] == [JobStatus.DEAD, JobStatus.RUNNING]


class TestLeases:
    async def test_a_lease_that_ran_out_is_taken_over(self, queue: Queue) -> None:
        await queue.add("a")
        [lost] = await queue.claim("w1")

        queue.now += LEASE
        assert await queue.claim("w2") == []

        queue.now += SECOND
        [taken] = await queue.claim("w2")
        assert (taken.job_id, taken.worker_id, taken.attempts) == (lost.job_id, "w2", 2)
        assert taken.fencing_token > lost.fencing_token

    async def test_who_lost_the_lease_can_neither_finish_nor_fail_nor_keep_the_job(self, queue: Queue) -> None:
        await queue.add("a")
        [lost] = await queue.claim("w1")
        queue.now += LEASE + SECOND
        taken = await queue.claim("w2")

        with pytest.raises(LeaseLost):
            await queue.do(jobs.finish, [lost])
        with pytest.raises(LeaseLost):
            await queue.fail(lost)
        await queue.do(jobs.give_back, [lost], queue.now)
        await queue.do(jobs.heartbeat, [lost], queue.now + LEASE)

        assert await queue.stored() == taken

    async def test_finishing_is_all_or_nothing(self, queue: Queue) -> None:
        await queue.add("a", "b")
        ours, lost = await queue.claim("w1")
        await queue.do(jobs.heartbeat, [ours], queue.now + LEASE)
        queue.now += LEASE + SECOND
        await queue.claim("w2")

        with pytest.raises(LeaseLost):
            await queue.do(jobs.finish, [ours, lost])

        assert keys_of(await queue.stored()) == ["a", "b"]

    async def test_a_heartbeat_keeps_the_job(self, queue: Queue) -> None:
        await queue.add("a")
        held = await queue.claim("w1")
        queue.now += LEASE - SECOND

        await queue.do(jobs.heartbeat, held, queue.now)

        queue.now += LEASE
        assert await queue.claim("w2") == []
        await queue.do(jobs.finish, held)
        assert await queue.stored() == []

    @pytest.mark.postgres
    async def test_a_heartbeat_does_not_wait_for_the_transaction_that_finishes_the_job(
        self, postgres_database: PostgresDatabase
    ) -> None:
        queue = Queue(postgres_database)
        await queue.add("a", "b")
        held = await queue.claim("w1")
        begun, go_on = threading.Event(), threading.Event()

        def finish_slowly(connection: Connection) -> None:
            jobs.finish(connection, held[:1])
            begun.set()
            assert go_on.wait(20)

        finishing = asyncio.create_task(queue.do(finish_slowly))
        await asyncio.to_thread(begun.wait, 20)
        await asyncio.wait_for(queue.do(jobs.heartbeat, held, queue.now + LEASE), 5)
        go_on.set()
        await finishing

        [left] = await queue.stored()
        assert left.serial_key == "b"
        queue.now += LEASE + SECOND
        assert await queue.claim("w2") == []

    async def test_a_job_given_back_was_never_attempted(self, queue: Queue) -> None:
        await queue.add("a")

        for _ in range(MAX_ATTEMPTS + 1):
            [job] = await queue.claim_alone()
            assert job.attempts == 0
            await queue.do(jobs.give_back, [job], queue.now)

    async def test_a_job_that_a_dead_worker_never_began_was_never_attempted(self, queue: Queue) -> None:
        await queue.add("a")

        for _ in range(MAX_ATTEMPTS + 1):
            [job] = await queue.claim_alone()
            queue.now += LEASE + SECOND

        assert job.attempts == 0
        assert [begun.attempts for begun in await queue.claim("w2")] == [1]

    async def test_a_job_in_other_hands_is_not_begun(self, queue: Queue) -> None:
        await queue.add("a", "b")
        lost = await queue.claim_alone("w1")
        queue.now += LEASE + SECOND
        await queue.claim_alone("w2", limit=1)

        with pytest.raises(LeaseLost):
            await queue.do(jobs.begin, lost, queue.now)
        assert [job.attempts for job in await queue.stored()] == [0, 0]


class TestFailing:
    async def test_it_is_tried_again_after_a_pause_with_its_reason_kept(self, queue: Queue) -> None:
        await queue.add("a")
        [job] = await queue.claim()

        dead = await queue.fail(job, retry_after=5 * SECOND)

        [stored] = await queue.stored()
        assert not dead
        assert (stored.status, stored.error, stored.run_at) == (JobStatus.QUEUED, "it broke", NOW + 5 * SECOND)
        assert await queue.claim() == []
        queue.now += 5 * SECOND
        assert [job.attempts for job in await queue.claim()] == [2]

    async def test_after_the_last_attempt_it_is_dead_and_stays_visible(self, queue: Queue) -> None:
        await queue.add("a")

        last = await queue.kill()

        [stored] = await queue.stored()
        assert last.attempts == MAX_ATTEMPTS
        assert (stored.status, stored.error) == (JobStatus.DEAD, "it broke")
        assert await queue.claim() == []

    async def test_a_long_reason_is_cut(self, queue: Queue) -> None:
        await queue.add("a")
        [job] = await queue.claim()

        await queue.do(jobs.fail, job, "x" * 5_000, queue.now, retry_after=SECOND)

        assert [stored.error for stored in await queue.stored()] == ["x" * MAX_ERROR_CHARS]

    async def test_a_dead_job_is_revived_once_with_fresh_attempts(self, queue: Queue) -> None:
        await queue.add("a")
        dead = await queue.kill()

        revived = await queue.do(jobs.revive, ORG, dead.job_id, queue.now)

        assert (revived.status, revived.attempts, revived.error) == (JobStatus.QUEUED, 0, None)
        with pytest.raises(Conflict, match="queued"):
            await queue.do(jobs.revive, ORG, dead.job_id, queue.now)
        assert [job.attempts for job in await queue.claim()] == [1]

    async def test_a_dead_jobs_old_worker_cannot_finish_the_revived_one(self, queue: Queue) -> None:
        await queue.add("a")
        dead = await queue.kill()
        await queue.do(jobs.revive, ORG, dead.job_id, queue.now)
        await queue.claim("w2")

        with pytest.raises(LeaseLost):
            await queue.do(jobs.finish, [dead])

    async def test_another_orgs_job_is_not_found(self, queue: Queue) -> None:
        await queue.add("a")
        dead = await queue.kill()

        with pytest.raises(NotFound):
            await queue.do(jobs.revive, "other", dead.job_id, queue.now)
        assert await queue.do(jobs.get, "other", dead.job_id) is None
        assert await queue.do(jobs.page, "other", status=None, after=None, limit=10) == []


async def test_pages_follow_each_other_and_filter_by_status(queue: Queue) -> None:
    await queue.add("a", "b", "c")
    [running] = await queue.claim(limit=1)

    first = await queue.do(jobs.page, ORG, status=None, after=None, limit=2)
    second = await queue.do(jobs.page, ORG, status=None, after=first[-1].job_id, limit=2)

    assert keys_of(first + second) == ["a", "b", "c"]
    assert await queue.do(jobs.page, ORG, status="running", after=None, limit=10) == [running]
    assert await queue.do(jobs.count_by_status) == {"queued": 2, "running": 1, "dead": 0}
