"""The vectors of the database of the settings, brought to its embedder: the work behind `memcairn reembed`."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from memcairn.assembly import opened
from memcairn.cli.progress import progress
from memcairn.core import reembedding
from memcairn.core.deps import Deps
from memcairn.domain.errors import Unavailable
from memcairn.domain.jobs import Task
from memcairn.pipeline.worker import Worker
from memcairn.settings import load
from memcairn.store import jobs, orgs

PAUSE_SECONDS = 0.2
"""Between two looks while another worker holds what is left."""


@dataclass(frozen=True, slots=True)
class Reembedded:
    """How many segments of memories have a vector of the model now, and how many have none."""

    model: str
    segments: int
    words_only: int


def reembed_database(data_dir: Path | None, *, org_id: str | None) -> Reembedded:
    """NotFound when there is no such org; Unavailable when the embedder goes away, with what is done kept."""

    async def run() -> Reembedded:
        async with opened(load({"data_dir": data_dir})) as deps:
            every = await deps.db.read(orgs.every) if org_id is None else [await deps.db.read(orgs.require, org_id)]
            await reembedding.begin(deps, org_id=org_id, thorough=True)
            found = await _finished(deps, [org.org_id for org in every])
            return Reembedded(
                deps.embedder.model, sum(each.current for each in found), sum(each.words_only for each in found)
            )

    return asyncio.run(run())


async def _finished(deps: Deps, org_ids: Sequence[str]) -> list[reembedding.Progress]:
    worker = Worker(deps)
    with progress("Segments") as on_progress:
        while True:
            claimed = await worker.run_once()
            found = [await reembedding.progress(deps, org_id) for org_id in org_ids]
            waiting = sum(each.waiting for each in found)
            on_progress(sum(each.current for each in found), sum(each.current for each in found) + waiting)
            if all(each.done for each in found):
                return found
            if not claimed:
                await deps.db.read(_require_hope, org_ids)
                await asyncio.sleep(PAUSE_SECONDS)


def _require_hope(connection: Connection, org_ids: Sequence[str]) -> None:
    """Unavailable when what is left has failed and waits for another time."""
    for org_id in org_ids:
        left = [job for task in (Task.REEMBED, Task.EMBED_MEMORIES) for job in jobs.queued(connection, org_id, task)]
        for job in left:
            if job.error is not None and job.worker_id is None:
                raise Unavailable(
                    f"The vectors that are left have to wait: {job.error} What is done is kept; a server goes on with "
                    "the rest, as does this command.",
                    code="reembed_waits",
                )
