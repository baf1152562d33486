"""The queue: rows committed with the data they are about."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Row,
    Select,
    UpdateBase,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from memcairn.domain.errors import Conflict, NotFound
from memcairn.domain.ids import new_id
from memcairn.domain.jobs import LEASE, LONGEST_RETRY, MAX_ATTEMPTS, MAX_ERROR_CHARS, Job, JobStatus, NewJob, Task
from memcairn.store import locks
from memcairn.store.batches import chunks
from memcairn.store.prepared import Prepared
from memcairn.store.schema import jobs

_NEW = ("job_id", "org_id", "task", "serial_key", "payload", "status", "attempts", "max_attempts", "run_at")
_INSERT = Prepared(insert(jobs), columns=[*_NEW, "fencing_token", "created_at", "updated_at"])
_FINISH = Prepared(
    delete(jobs)
    .where(
        jobs.c.job_id == bindparam("of_job"),
        jobs.c.fencing_token == bindparam("token"),
        jobs.c.status == JobStatus.RUNNING.value,
    )
    .returning(jobs.c.job_id)
)
_BEGIN = (
    update(jobs)
    .where(
        jobs.c.job_id.in_(bindparam("these", expanding=True)),
        jobs.c.worker_id == bindparam("holder"),
        jobs.c.status == JobStatus.RUNNING.value,
    )
    .values(attempts=jobs.c.attempts + 1, updated_at=bindparam("now"))
)
_HELD = (
    select(jobs.c.job_id)
    .where(
        jobs.c.job_id.in_(bindparam("these", expanding=True)),
        jobs.c.worker_id == bindparam("holder"),
        jobs.c.status == JobStatus.RUNNING.value,
    )
    .with_for_update(skip_locked=True)
)
_RENEW = update(jobs).where(jobs.c.job_id.in_(_HELD)).values(lease_until=bindparam("until"))
_LEASE = (
    update(jobs)
    .where(jobs.c.job_id.in_(bindparam("these", expanding=True)))
    .values(
        status=JobStatus.RUNNING.value,
        lease_until=bindparam("until"),
        fencing_token=jobs.c.fencing_token + 1,
        worker_id=bindparam("holder"),
        updated_at=bindparam("now"),
    )
)


def _due_of(which: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    """Due jobs whose serial key is free, oldest first.

    What lies further ahead than anything is ever set was written before the clock was set back: it counts as past.
    """
    leased = jobs.c.lease_until.between(bindparam("now"), bindparam("latest_lease"))
    held = select(jobs.c.serial_key).where(jobs.c.status == JobStatus.RUNNING.value, leased)
    due = or_(
        and_(
            jobs.c.status == JobStatus.QUEUED.value,
            or_(jobs.c.run_at <= bindparam("now"), jobs.c.run_at > bindparam("latest_run")),
        ),
        and_(jobs.c.status == JobStatus.RUNNING.value, ~leased),
    )
    free = jobs.c.serial_key.not_in(held)
    statement = select(jobs).where(which, due, free).order_by(jobs.c.job_id)
    # A job that is just being finished or failed by whoever had it is passed over, and all of its key behind it.
    return statement.limit(bindparam("count", type_=Integer)).with_for_update(skip_locked=True)


_DUE_EVENTS = _due_of(jobs.c.task == Task.PROCESS_EVENTS.value)
_DUE_OTHERS = _due_of(jobs.c.task != Task.PROCESS_EVENTS.value)

OTHER_JOBS = 8
"""Jobs of other tasks taken with each claim: summaries and promotions go on, but behind what people want to find."""


class LeaseLost(Exception):
    """Another worker holds the job by now: what this one did must not be committed."""


def enqueue(
    connection: Connection, new_jobs: Sequence[NewJob], now: datetime, *, delay: timedelta = timedelta(0)
) -> None:
    """Queue jobs, due after `delay`."""
    rows = [
        {
            "job_id": new_id(),
            "org_id": job.org_id,
            "task": job.task.value,
            "serial_key": job.serial_key,
            "payload": dict(job.payload),
            "status": JobStatus.QUEUED.value,
            "attempts": 0,
            "max_attempts": MAX_ATTEMPTS,
            "run_at": now + delay,
            "fencing_token": 0,
            "created_at": now,
            "updated_at": now,
        }
        for job in new_jobs
    ]
    _INSERT.run(connection, rows)


def claim(connection: Connection, worker_id: str, now: datetime, *, limit: int) -> list[Job]:
    """Lease up to `limit` due jobs that make memories, oldest first, and a few others, for this worker alone.

    A serial key that another live lease holds is left alone; several jobs of one free key may be leased together, in
    their order. A failed job that waits for its next attempt holds up nobody. A lease that ran out is taken over, with
    the next fencing token. A clock that was set back holds up nothing for longer than a retry. Other tasks never wait
    for the queue of events to run dry, and never fill a claim. `begin` is where an attempt counts.
    """
    locks.alone(connection, "", "claims")  # so that a key two claims both find free is leased by one of them
    others = min(limit, OTHER_JOBS)
    picked = [*_due(connection, now, _DUE_EVENTS, limit), *_due(connection, now, _DUE_OTHERS, others)]
    for ids in chunks([row.job_id for row in picked]):
        connection.execute(_LEASE, {"these": ids, "until": now + LEASE, "holder": worker_id, "now": now})
    return [_leased(row, worker_id, now) for row in picked]


def _due(
    connection: Connection, now: datetime, which: Select[*tuple[Any, ...]], limit: int
) -> Sequence[Row[*tuple[Any, ...]]]:
    bound = {"now": now, "latest_lease": now + 2 * LEASE, "latest_run": now + LONGEST_RETRY, "count": limit}
    found = connection.execute(which, bound).all()
    if connection.dialect.name == "sqlite" or not found:
        return found
    passed_over = select(jobs.c.serial_key).where(
        jobs.c.serial_key.in_({row.serial_key for row in found}),
        jobs.c.status == JobStatus.RUNNING.value,
        jobs.c.job_id < found[-1].job_id,
        jobs.c.job_id.not_in([row.job_id for row in found]),
    )
    busy = set(connection.execute(passed_over).scalars())
    return [row for row in found if row.serial_key not in busy]


def begin(connection: Connection, claimed: Sequence[Job], now: datetime) -> list[Job]:
    """Count an attempt at each of these jobs, about to be carried out; LeaseLost if one is no longer ours.

    Not part of a claim: a worker that is killed again and again may claim what it never comes to, and that is no
    reason to give it up.
    """
    held = claimed[0].worker_id if claimed else None
    for chunk in chunks(claimed):
        bound = {"these": [job.job_id for job in chunk], "holder": held, "now": now}
        found = connection.execute(_BEGIN, bound).rowcount
        if found < len(chunk):
            raise LeaseLost(f"one of {len(chunk)} jobs is leased to another worker")
    return [replace(job, attempts=job.attempts + 1) for job in claimed]


def heartbeat(connection: Connection, held: Sequence[Job], now: datetime) -> None:
    """Renew the leases that are still ours; one that is lost shows when its job is finished.

    A job that another transaction has in hand is passed over: most likely its worker's own, about to finish it.
    """
    holder = held[0].worker_id if held else None
    for chunk in chunks(held):
        bound = {"these": [job.job_id for job in chunk], "holder": holder, "until": now + LEASE}
        connection.execute(_RENEW, bound)


def finish(connection: Connection, held: Sequence[Job]) -> None:
    """Remove finished jobs; LeaseLost if one of them is no longer ours, so that the caller's work is rolled back."""
    for job in held:
        if _FINISH.first(connection, {"of_job": job.job_id, "token": job.fencing_token}) is None:
            raise _lost(job)


def give_back(connection: Connection, held: Sequence[Job], now: datetime) -> None:
    """Return jobs that were not begun, as if they had never been claimed."""
    for job in held:
        values = {"status": JobStatus.QUEUED.value, "updated_at": now}
        connection.execute(update(jobs).where(_ours(job)).values(values | {"lease_until": None, "worker_id": None}))


def postpone(connection: Connection, held: Sequence[Job], reason: str, run_at: datetime, now: datetime) -> None:
    """Return jobs that cannot be done now through no fault of theirs; LeaseLost if one is no longer ours."""
    values = {
        "status": JobStatus.QUEUED.value,
        "attempts": jobs.c.attempts - 1,
        "run_at": run_at,
        "lease_until": None,
        "worker_id": None,
        "error": reason[:MAX_ERROR_CHARS],
        "updated_at": now,
    }
    _require_each(connection, held, lambda job: update(jobs).where(_ours(job)).values(values))


def fail(connection: Connection, job: Job, error: str, now: datetime, *, retry_after: timedelta) -> bool:
    """Put a failed job back for later, or declare it dead after its last attempt; returns whether it is dead."""
    dead = job.attempts >= job.max_attempts
    values = {
        "status": (JobStatus.DEAD if dead else JobStatus.QUEUED).value,
        "run_at": now + retry_after,
        "lease_until": None,
        "worker_id": None,
        "error": error[:MAX_ERROR_CHARS],
        "updated_at": now,
    }
    _require_each(connection, [job], lambda held: update(jobs).where(_ours(held)).values(values))
    return dead


def get(connection: Connection, org_id: str, job_id: str) -> Job | None:
    row = connection.execute(select(jobs).where(jobs.c.org_id == org_id, jobs.c.job_id == job_id)).one_or_none()
    return None if row is None else _job(row)


def page(connection: Connection, org_id: str, *, status: str | None, after: str | None, limit: int) -> list[Job]:
    """Jobs of one org, oldest first, at most `limit` of them behind the id `after`."""
    statement = select(jobs).where(jobs.c.org_id == org_id)
    if status is not None:
        statement = statement.where(jobs.c.status == status)
    if after is not None:
        statement = statement.where(jobs.c.job_id > after)
    return [_job(row) for row in connection.execute(statement.order_by(jobs.c.job_id).limit(limit))]


def revive(connection: Connection, org_id: str, job_id: str, now: datetime) -> Job:
    """Queue a dead job again with a fresh set of attempts. Two callers at once: one wins, the other gets Conflict."""
    statement = (
        update(jobs)
        .where(jobs.c.org_id == org_id, jobs.c.job_id == job_id, jobs.c.status == JobStatus.DEAD.value)
        .values(status=JobStatus.QUEUED.value, attempts=0, run_at=now, error=None, updated_at=now)
    )
    changed = connection.execute(statement).rowcount
    job = get(connection, org_id, job_id)
    if job is None:
        raise NotFound(f"There is no job {job_id!r}; finished jobs are removed.", code="job_not_found")
    if changed == 0:
        raise Conflict(
            f"The job {job_id!r} is {job.status.value}; only a dead job can be retried.", code="job_not_dead"
        )
    return job


def events_named(connection: Connection, org_id: str) -> set[str]:
    """The events that some job of the org is about."""
    statement = select(jobs.c.payload).where(jobs.c.org_id == org_id, jobs.c.task == Task.PROCESS_EVENTS.value)
    return {event_id for payload in connection.execute(statement).scalars() for event_id in payload["event_ids"]}


def queued(connection: Connection, org_id: str, task: Task) -> list[Job]:
    """The unfinished jobs of one task, oldest first; dead ones are not among them."""
    statement = select(jobs).where(
        jobs.c.org_id == org_id, jobs.c.task == task.value, jobs.c.status != JobStatus.DEAD.value
    )
    return [_job(row) for row in connection.execute(statement.order_by(jobs.c.job_id))]


def queued_anywhere(connection: Connection, task: Task) -> list[Job]:
    """The unfinished jobs of one task in the whole database, for the health of the server."""
    statement = select(jobs).where(jobs.c.task == task.value, jobs.c.status != JobStatus.DEAD.value)
    return [_job(row) for row in connection.execute(statement.order_by(jobs.c.job_id))]


def withdraw(connection: Connection, org_id: str, job_ids: Sequence[str]) -> None:
    """Remove jobs that are queued and nobody has claimed."""
    for chunk in chunks(job_ids):
        mine = (jobs.c.org_id == org_id, jobs.c.job_id.in_(chunk), jobs.c.status == JobStatus.QUEUED.value)
        connection.execute(delete(jobs).where(*mine))


def count_by_status(connection: Connection) -> dict[str, int]:
    """How many jobs of each status there are in the whole database, for metrics."""
    rows = connection.execute(select(jobs.c.status, func.count()).group_by(jobs.c.status))
    return {status.value: 0 for status in JobStatus} | {row[0]: row[1] for row in rows}


def _require_each(connection: Connection, held: Sequence[Job], statement: Callable[[Job], UpdateBase]) -> None:
    for job in held:
        if connection.execute(statement(job)).rowcount == 0:
            raise _lost(job)


def _lost(job: Job) -> LeaseLost:
    return LeaseLost(f"job {job.job_id} is leased to another worker")


def _ours(job: Job) -> ColumnElement[bool]:
    return and_(
        jobs.c.job_id == job.job_id,
        jobs.c.fencing_token == job.fencing_token,
        jobs.c.status == JobStatus.RUNNING.value,
    )


def _leased(row: Row[*tuple[Any, ...]], worker_id: str, now: datetime) -> Job:
    return replace(
        _job(row),
        status=JobStatus.RUNNING,
        fencing_token=row.fencing_token + 1,
        worker_id=worker_id,
        lease_until=now + LEASE,
        updated_at=now,
    )


def _job(row: Row[*tuple[Any, ...]]) -> Job:
    values = dict(row._mapping)
    return Job(task=Task(values.pop("task")), status=JobStatus(values.pop("status")), **values)
