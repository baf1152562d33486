"""Bringing every vector to the embedder in use, behind what people wait for.

The rows themselves say what is left to do: each vector names its model. A job per org replaces those of other models
batch by batch and puts itself back until none is left, so that it can be killed and begun again at any point. Vectors
of another model are never compared; their memories are found by words meanwhile.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection

from memcairn.core.deps import Deps
from memcairn.domain.ids import new_id
from memcairn.domain.jobs import Job, NewJob, Task
from memcairn.store import jobs, locks, orgs, vectors

LAST_LOOK = "last look"
SEEN_AGAIN_AFTER = timedelta(minutes=1)
"""When a finished org is looked at once more: a process that was still stopping may have written vectors of its own."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The segments of an org's memories by what their vectors are worth to this embedder.

    `waiting` have a vector of another model; `words_only` have none: the model knows no word of them, or failed.
    """

    org_id: str
    current: int
    waiting: int
    words_only: int
    queued: bool

    @property
    def done(self) -> bool:
        return not self.waiting and not self.queued


async def begin(deps: Deps, *, org_id: str | None = None, thorough: bool = False) -> int:
    """Queue the work of every org (or one) that has vectors of another model; returns how many have some to do.

    A `thorough` one also tries texts without a vector again, and looks through documents and summaries though no
    memory is of another model.
    """
    chosen = [org_id] if org_id is not None else [org.org_id for org in await deps.db.read(orgs.every)]
    count = 0
    for each in chosen:
        if thorough or await deps.db.read(vectors.other_model, each, deps.embedder.model) is not None:
            await deps.db.write(_queue, deps, each)
            count += 1
            await asyncio.sleep(0)  # the server answers between two of many orgs
    if count:
        deps.wakeup.set()
    return count


def continue_with(
    connection: Connection, deps: Deps, job: Job, step: str, after: str, *, delay: timedelta = timedelta(0)
) -> None:
    """Queue the batch behind this job's, unless work for another embedder was begun after it."""
    org_id, begun = job.org_id, str(job.payload["begun"])
    if any(str(other.payload["begun"]) > begun for other in _of_others(connection, deps, org_id)):
        return
    payload = {"model": deps.embedder.model, "begun": begun, "step": step, "after": after}
    new = NewJob(org_id, Task.REEMBED, f"{org_id}:embedding", payload)
    jobs.enqueue(connection, [new], deps.clock.now(), delay=delay)


def is_outdated(connection: Connection, deps: Deps, job: Job) -> bool:
    """Whether work for this embedder was begun after the job, which is for another: nobody will ever want it."""
    mine = [each for each in jobs.queued(connection, job.org_id, Task.REEMBED) if _is_mine(deps, each)]
    return any(str(each.payload["begun"]) > str(job.payload["begun"]) for each in mine)


async def progress(deps: Deps, org_id: str) -> Progress:
    return await deps.db.read(_progress, deps, org_id)


async def under_way(deps: Deps) -> Sequence[Progress]:
    """That of every org whose vectors are being replaced; most of the time there is none, and this costs nothing."""
    return await deps.db.read(_under_way, deps)


def _under_way(connection: Connection, deps: Deps) -> list[Progress]:
    left = [job for job in jobs.queued_anywhere(connection, Task.REEMBED) if job.payload["step"] != LAST_LOOK]
    return [_progress(connection, deps, org_id) for org_id in dict.fromkeys(job.org_id for job in left)]


def _progress(connection: Connection, deps: Deps, org_id: str) -> Progress:
    counted = vectors.counts(connection, org_id)
    current, words_only = counted.get(deps.embedder.model, 0), counted.get(None, 0)
    tasks = (Task.REEMBED, Task.EMBED_MEMORIES, Task.EMBED_DOCUMENTS)
    unfinished = [job for task in tasks for job in jobs.queued(connection, org_id, task)]
    return Progress(
        org_id,
        current=current,
        waiting=sum(counted.values()) - current - words_only,
        words_only=words_only,
        queued=any(job.payload.get("step") != LAST_LOOK for job in unfinished),
    )


def _queue(connection: Connection, deps: Deps, org_id: str) -> None:
    """One piece of work for an org: what is queued for another model is of the past."""
    # Two servers that start at once: the second finds what the first has queued.
    locks.alone(connection, org_id, "embedding")
    others = _of_others(connection, deps, org_id)
    jobs.withdraw(connection, org_id, [job.job_id for job in others])
    mine = [
        job
        for job in jobs.queued(connection, org_id, Task.REEMBED)
        if _is_mine(deps, job) and job.payload["step"] != LAST_LOOK
    ]
    if not mine:
        payload = {"model": deps.embedder.model, "begun": new_id(), "step": "documents", "after": ""}
        new = NewJob(org_id, Task.REEMBED, f"{org_id}:embedding", payload)
        jobs.enqueue(connection, [new], deps.clock.now())


def _of_others(connection: Connection, deps: Deps, org_id: str) -> list[Job]:
    queued = jobs.queued(connection, org_id, Task.REEMBED)
    return [job for job in queued if not _is_mine(deps, job)]


def _is_mine(deps: Deps, job: Job) -> bool:
    return bool(job.payload["model"] == deps.embedder.model)
