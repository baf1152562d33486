"""Who carries out which task: one table, read by the worker."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from memcairn.core.deps import Deps
from memcairn.domain.jobs import Job, Task
from memcairn.pipeline.embed_documents import embed_documents
from memcairn.pipeline.process import give_up, process_events
from memcairn.pipeline.promote import promote
from memcairn.pipeline.reembed import embed_memories, reembed
from memcairn.pipeline.summarise import summarise_sessions
from memcairn.store import jobs

BATCH_OF_ITS_OWN = 1_000
"""Given as a size: a job that fills a batch and is never carried out beside another."""


def put_back(connection: Connection, job: Job, reason: str, now: datetime, retry_after: timedelta) -> bool:
    """Put a failed job back for later and touch nothing else; returns whether it is dead."""
    return jobs.fail(connection, job, reason, now, retry_after=retry_after)


@dataclass(frozen=True, slots=True)
class Handler:
    """How one task is done.

    `carry_out` finishes the jobs of a batch in the transaction that writes their effects, or raises. `give_up` puts a
    failed job back and returns whether it is dead. `size` counts the things a job is about, so that batches stay short.
    """

    carry_out: Callable[[Deps, Sequence[Job]], Awaitable[None]]
    give_up: Callable[[Connection, Job, str, datetime, timedelta], bool] = put_back
    size: Callable[[Job], int] = lambda _job: 1


HANDLERS: Mapping[Task, Handler] = {
    Task.PROCESS_EVENTS: Handler(process_events, give_up, lambda job: len(job.payload["event_ids"])),
    Task.EMBED_DOCUMENTS: Handler(embed_documents, size=lambda job: len(job.payload["document_uuids"])),
    Task.SUMMARISE: Handler(summarise_sessions),
    Task.PROMOTE: Handler(promote),
    Task.EMBED_MEMORIES: Handler(embed_memories, size=lambda _job: BATCH_OF_ITS_OWN),
    Task.REEMBED: Handler(reembed, size=lambda _job: BATCH_OF_ITS_OWN),
}
