"""Background work, made visible and put back on its way."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from memcairn.core import cursors
from memcairn.core.deps import Deps
from memcairn.domain.errors import NotFound
from memcairn.domain.events import EventStatus
from memcairn.domain.jobs import Job, Task
from memcairn.domain.keys import KeyScope, Principal
from memcairn.store import events, jobs


@dataclass(frozen=True, slots=True)
class JobPage:
    """Some jobs of a list, in its order; without a `next_cursor` they are the last."""

    items: Sequence[Job]
    next_cursor: str | None


async def list_jobs(
    deps: Deps, principal: Principal, *, status: str | None, limit: int, cursor: str | None = None
) -> JobPage:
    """Jobs that are due, under way or dead, oldest first; finished ones are gone."""
    principal.require(KeyScope.READ)
    of = {"jobs": status}
    after = None if cursor is None else str(cursors.decode(cursor, of, length=1)[0])

    def load(connection: Connection) -> list[Job]:
        return jobs.page(connection, principal.org_id, status=status, after=after, limit=limit + 1)

    found = await deps.db.read(load)
    items = found[:limit]
    return JobPage(items, cursors.encode([items[-1].job_id], of) if len(found) > limit else None)


async def get_job(deps: Deps, principal: Principal, job_id: str) -> Job:
    principal.require(KeyScope.READ)
    job = await deps.db.read(jobs.get, principal.org_id, job_id)
    if job is None:
        raise NotFound(f"There is no job {job_id!r}; finished jobs are removed.", code="job_not_found")
    return job


async def retry_job(deps: Deps, principal: Principal, job_id: str) -> Job:
    """Queue a dead job again; Conflict while it is not dead. Its events are pending again."""
    principal.require(KeyScope.WRITE)

    def save(connection: Connection) -> Job:
        now = deps.clock.now()
        job = jobs.revive(connection, principal.org_id, job_id, now)
        if job.task is Task.PROCESS_EVENTS:
            ids = job.payload["event_ids"]
            events.mark(connection, principal.org_id, ids, EventStatus.PENDING, now=now)
        return job

    job = await deps.db.write(save)
    deps.wakeup.set()
    return job
