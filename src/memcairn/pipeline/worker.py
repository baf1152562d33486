"""The worker: claims due jobs, carries them out in batches, and puts back what failed.

One transaction commits what a batch of jobs did together with their end, so that an effect appears exactly once: a
worker whose lease ran out finds its fencing token replaced and rolls everything back.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from memcairn.core.deps import Deps
from memcairn.domain.errors import Unavailable
from memcairn.domain.ids import new_id
from memcairn.domain.jobs import HEARTBEAT_EVERY, UNAVAILABLE_RETRY, Job, Task, retry_delay
from memcairn.pipeline.tasks import HANDLERS
from memcairn.store import jobs
from memcairn.store.jobs import LeaseLost

CLAIM_JOBS = 200
"""So that messages said one at a time, a job each, fill a batch."""
BATCH_SIZE = 200
"""Things (events, documents) written in one transaction: large enough to share its cost."""
SHORT_CLAIM_JOBS = 50
SHORT_BATCH_SIZE = 10
"""The same two while writers pour events in: short enough not to be felt by those that wait behind them."""

POLL_SECONDS = 0.5

SETTLE_SECONDS = 0.02
"""From a hint to the claim: who says one thing often says or asks another right after it, and that comes first."""

POURING_SECONDS = 0.08
LOOK_SECONDS = 0.02
GIVE_WAY_SECONDS = 0.4
GIVE_WAY_INSIDE_SECONDS = 1.0
"""While writers pour events in, a batch waits this long for a gap: accepting comes first, and goes about three times as
fast with the worker out of its way, which still gets its turn. Longer inside a server: it takes its interpreter too."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Worker:
    """Runs until it is told to stop; `beat_at` is when it last looked for work, in `time.monotonic` seconds."""

    deps: Deps
    worker_id: str = field(default_factory=new_id)
    rng: random.Random = field(default_factory=random.Random)
    beat_at: float = 0.0
    give_way_seconds: float = GIVE_WAY_SECONDS
    _stopping: bool = False

    async def run(self) -> None:
        """Carry out jobs as they come, until `stop`; what was claimed and not begun is given back."""
        while not self._stopping:
            self.beat_at = time.monotonic()
            if not await self._run_once_logged():
                await self.deps.wakeup.wait(POLL_SECONDS)
                await asyncio.sleep(0 if self._stopping else SETTLE_SECONDS)

    def stop(self) -> None:
        """Finish the batch under way and end."""
        self._stopping = True
        self.deps.wakeup.set()

    async def run_once(self) -> int:
        """Claim what is due and carry it out; returns how many jobs were claimed."""
        await self._give_way()
        if not self.deps.wakeup.pouring(POURING_SECONDS):
            return await self._take_turn(CLAIM_JOBS, BATCH_SIZE)
        claimed = 0
        for _ in range(CLAIM_JOBS // SHORT_CLAIM_JOBS):
            found = await self._take_turn(SHORT_CLAIM_JOBS, SHORT_BATCH_SIZE)
            claimed += found
            if found < SHORT_CLAIM_JOBS:
                break
        return claimed

    async def _take_turn(self, most_jobs: int, batch_size: int) -> int:
        if self._stopping:
            return 0
        now = self.deps.clock.now()
        claim = await self.deps.db.write(_claim, self.worker_id, now, limit=most_jobs, batch_size=batch_size)
        for job in claim.exhausted:
            await self._settle_failure(job, RuntimeError("its worker died in every attempt"), 0.0)
        batches = claim.batches
        # One heartbeat for the whole claim: begun anew with each batch, it would never beat beside many short ones.
        async with self._leases_renewed(batches):
            done = 0
            while batches:
                await self._carry_out(batches[0])
                done += _size(batches.pop(0))
                if done >= BATCH_SIZE:
                    done = 0
                    await self._give_way()
                await self._begin_next(batches)
        return claim.size

    async def _begin_next(self, batches: list[list[Job]]) -> None:
        """Make the first of `batches` ready to be carried out; none is left when this worker stops."""
        if self._stopping and batches:
            unbegun = [job for batch in batches for job in batch]
            batches.clear()
            await self.deps.db.write(jobs.give_back, unbegun, self.deps.clock.now())
        while batches:
            try:
                batches[0] = await self.deps.db.write(jobs.begin, batches[0], self.deps.clock.now())
            except LeaseLost:
                log.warning("leases ran out before their jobs were begun", extra={"jobs": len(batches[0])})
                del batches[0]
            else:
                return

    async def _give_way(self) -> None:
        for _ in range(round(self.give_way_seconds / LOOK_SECONDS)):
            if self._stopping or not self.deps.wakeup.pouring(POURING_SECONDS):
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def _run_once_logged(self) -> int:
        try:
            return await self.run_once()
        except Exception:  # the loop must outlive whatever the database or a provider does
            log.exception("the worker could not claim or settle jobs; it tries again")
            await asyncio.sleep(POLL_SECONDS)
            return 0

    async def _carry_out(self, batch: Sequence[Job]) -> None:
        started = time.perf_counter()
        error = await self._attempt(batch)
        if error is None:
            for _ in batch:
                self.deps.metrics.job_finished("done", time.perf_counter() - started)
        elif isinstance(error, Unavailable):
            await self._postpone(batch, error)
        elif len(batch) > 1:
            # One of them is to blame; alone, each of the others succeeds.
            for job in batch:
                await self._carry_out([job])
        else:
            await self._settle_failure(batch[0], error, time.perf_counter() - started)

    async def _attempt(self, batch: Sequence[Job]) -> Exception | None:
        try:
            await HANDLERS[batch[0].task].carry_out(self.deps, batch)
        except Exception as error:  # noqa: BLE001 -- the worker loop: a job that fails is put back or declared dead
            return error
        return None

    async def _postpone(self, batch: Sequence[Job], error: Unavailable) -> None:
        """Whatever the jobs need is away: that is nobody's fault, and trying each alone would only take longer."""
        now = self.deps.clock.now()
        later = now + UNAVAILABLE_RETRY * (0.5 + 0.5 * self.rng.random())
        with contextlib.suppress(LeaseLost):
            await self.deps.db.write(jobs.postpone, batch, f"{error.code}: {error.message}", later, now)
        log.warning("jobs wait for what they need", extra={"jobs": len(batch), "code": error.code})

    async def _settle_failure(self, job: Job, error: Exception, seconds: float) -> None:
        if isinstance(error, LeaseLost):
            log.warning("a lease ran out; another worker has the job", extra={"job_id": job.job_id})
            self.deps.metrics.job_finished("lost", seconds)
            return
        reason = f"{type(error).__name__}: {error}"
        now = self.deps.clock.now()
        retry_after = retry_delay(job.attempts, self.rng)
        with contextlib.suppress(LeaseLost):
            dead = await self.deps.db.write(HANDLERS[job.task].give_up, job, reason, now, retry_after)
            self.deps.metrics.job_finished("dead" if dead else "retried", seconds)
            log.warning(
                "a job failed",
                extra={"job_id": job.job_id, "attempts": job.attempts, "dead": dead, "error": type(error).__name__},
            )

    @contextlib.asynccontextmanager
    async def _leases_renewed(self, unfinished: Sequence[Sequence[Job]]) -> AsyncIterator[None]:
        """Keeps what is left of `unfinished`, which its owner shortens, out of other hands."""
        task = asyncio.create_task(self._heartbeat(unfinished))
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _heartbeat(self, unfinished: Sequence[Sequence[Job]]) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_EVERY.total_seconds())
            self.beat_at = time.monotonic()
            held = [job for batch in unfinished for job in batch]
            try:
                await self.deps.db.write(jobs.heartbeat, held, self.deps.clock.now())
            except (Unavailable, SQLAlchemyError) as error:
                # The next beat may come through before the lease ends; the work under way must not suffer from this.
                log.warning("leases could not be renewed", exc_info=error)


@dataclass(frozen=True, slots=True)
class _Claim:
    """Jobs leased to this worker, the first batch of them begun; the exhausted ones shall not be tried again."""

    batches: list[list[Job]]
    exhausted: Sequence[Job]
    size: int


def _claim(connection: Connection, worker_id: str, now: datetime, *, limit: int, batch_size: int) -> _Claim:
    claimed = jobs.claim(connection, worker_id, now, limit=limit)
    batches = _batches([job for job in claimed if job.attempts < job.max_attempts], batch_size)
    if batches:
        batches[0] = jobs.begin(connection, batches[0], now)
    return _Claim(batches, [job for job in claimed if job.attempts >= job.max_attempts], len(claimed))


def _batches(claimed: Sequence[Job], batch_size: int) -> list[list[Job]]:
    """Jobs of one task each, in their order, cut into batches of about `batch_size` things.

    A job that was attempted before is alone: whatever befell its worker shall not befall its neighbours again.
    """
    by_task: dict[Task, list[Job]] = {}
    for job in claimed:
        by_task.setdefault(job.task, []).append(job)
    return [batch for task, its_jobs in by_task.items() for batch in _cut(its_jobs, HANDLERS[task].size, batch_size)]


def _size(batch: Sequence[Job]) -> int:
    return sum(HANDLERS[job.task].size(job) for job in batch)


def _cut(claimed: Sequence[Job], size_of: Callable[[Job], int], batch_size: int) -> list[list[Job]]:
    batches: list[list[Job]] = []
    size = batch_size
    for job in claimed:
        things = size_of(job)
        if size + things > batch_size or job.attempts > 0:
            batches.append([])
            size = 0
        batches[-1].append(job)
        size = size + things if job.attempts == 0 else batch_size
    return batches
