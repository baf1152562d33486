"""The queue against a model: whatever workers do, no job is lost, run by two at once, or run out of its order."""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule
from sqlalchemy import Connection, create_engine

from memcairn.domain.jobs import LEASE, Job, JobStatus, NewJob
from memcairn.store import jobs, schema
from memcairn.store.jobs import LeaseLost
from tests.build import NOW, ORG, make

WORKERS = st.sampled_from(["w1", "w2"])


class QueueMachine(RuleBasedStateMachine):
    """Two workers on two keys; the model knows who holds what until when."""

    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self.engine = create_engine("sqlite://")
        self.now: datetime = NOW
        self.added = 0
        self.live: dict[str, int] = {}
        """Serial number of every job that is neither finished nor dead, by its id."""
        self.leases: dict[str, tuple[int, datetime]] = {}
        """Fencing token and end of the lease of every claimed job."""

    def teardown(self) -> None:
        self.engine.dispose()

    def do(self, verb: Any, *args: Any, **options: Any) -> Any:
        with self.engine.begin() as connection:
            return verb(connection, *args, **options)

    def stored(self) -> dict[str, Job]:
        return {job.job_id: job for job in self.do(jobs.page, ORG, status=None, after=None, limit=1_000)}

    def holds(self, job: Job) -> bool:
        return self.leases.get(job.job_id, (0, NOW))[0] == job.fencing_token

    @initialize()
    def make_tables(self) -> None:
        schema.jobs.create(self.engine)

    @rule(key=st.sampled_from("ab"), count=st.integers(1, 3))
    def enqueue(self, key: str, count: int) -> None:
        new = [make(NewJob, serial_key=key, payload={"n": self.added + n}) for n in range(count)]
        self.added += count
        self.do(jobs.enqueue, new, self.now)
        for job_id, job in self.stored().items():
            if job.status is JobStatus.QUEUED:
                self.live.setdefault(job_id, job.payload["n"])

    @rule(target=held, worker=WORKERS, limit=st.integers(1, 3))
    def claim(self, worker: str, limit: int) -> Any:
        busy = {job_id for job_id, (_, until) in self.leases.items() if until >= self.now}
        busy_keys = {job.serial_key for job_id, job in self.stored().items() if job_id in busy}

        claimed: list[Job] = self.do(_claim_and_begin, worker, self.now, limit=limit)

        for job in claimed:
            assert job.serial_key not in busy_keys, "two workers on one key"
            assert job.job_id in self.live
            earlier = [
                other
                for other in self.stored().values()
                if other.serial_key == job.serial_key
                and self.live.get(other.job_id, 1 << 30) < job.payload["n"]
                and other.run_at <= self.now
            ]
            assert {other.job_id for other in earlier} <= {other.job_id for other in claimed}, "out of order"
            self.leases[job.job_id] = (job.fencing_token, self.now + LEASE)
        return multiple(*claimed)

    @rule(job=consumes(held))
    def finish(self, job: Job) -> None:
        try:
            self.do(jobs.finish, [job])
        except LeaseLost:
            assert not self.holds(job)
        else:
            assert self.holds(job)
            del self.live[job.job_id]
            del self.leases[job.job_id]

    @rule(job=consumes(held), pause=st.sampled_from([0, 20]))
    def fail(self, job: Job, pause: int) -> None:
        try:
            dead = self.do(jobs.fail, job, "it broke", self.now, retry_after=timedelta(seconds=pause))
        except LeaseLost:
            assert not self.holds(job)
        else:
            assert self.holds(job)
            del self.leases[job.job_id]
            if dead:
                del self.live[job.job_id]

    @rule(job=consumes(held))
    def give_back(self, job: Job) -> None:
        self.do(jobs.give_back, [job], self.now)
        if self.holds(job):
            del self.leases[job.job_id]

    @rule(job=held)
    def heartbeat(self, job: Job) -> None:
        self.do(jobs.heartbeat, [job], self.now)
        if self.holds(job):
            self.leases[job.job_id] = (job.fencing_token, self.now + LEASE)

    @rule(seconds=st.sampled_from([1, 5, 40]))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @invariant()
    def nothing_is_lost_or_kept_too_long(self) -> None:
        unfinished = {job_id for job_id, job in self.stored().items() if job.status is not JobStatus.DEAD}
        assert unfinished == set(self.live)


def _claim_and_begin(connection: Connection, worker: str, now: datetime, *, limit: int) -> list[Job]:
    return jobs.begin(connection, jobs.claim(connection, worker, now, limit=limit), now)


QueueMachine.TestCase.settings = settings(
    max_examples=60, stateful_step_count=30, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
)
TestQueue = QueueMachine.TestCase
