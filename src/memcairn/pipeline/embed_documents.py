"""Vectors for the documents of auto-embedded collections."""

import asyncio
from collections.abc import Sequence
from itertools import groupby

from sqlalchemy import Connection

from memcairn.core.deps import Deps
from memcairn.domain.jobs import Job
from memcairn.store import documents, jobs


async def embed_documents(deps: Deps, held: Sequence[Job]) -> None:
    """Embed the documents the jobs name and finish the jobs; LeaseLost if another worker has one by now.

    Documents that were deleted, changed or embedded meanwhile are passed over: a change queues a job of its own.
    """
    waiting = await deps.db.read(_read, held, deps.embedder.model)
    contents = [content for of_org in waiting.values() for content in of_org.values()]
    vectors = iter(await asyncio.to_thread(deps.embedder.embed, contents))
    made = {
        org_id: {document_uuid: (content, next(vectors)) for document_uuid, content in of_org.items()}
        for org_id, of_org in waiting.items()
    }

    def write(connection: Connection) -> None:
        jobs.finish(connection, held)
        for org_id, of_org in made.items():
            documents.set_vectors(connection, org_id, of_org, model=deps.embedder.model)

    await deps.db.write(write)


def _read(connection: Connection, held: Sequence[Job], model: str) -> dict[str, dict[str, str]]:
    """Per org, the content of each document that still wants a vector."""
    found: dict[str, dict[str, str]] = {}
    for org_id, its_jobs in groupby(sorted(held, key=_org), key=_org):
        uuids = [document_uuid for job in its_jobs for document_uuid in job.payload["document_uuids"]]
        found[org_id] = documents.unembedded(connection, org_id, uuids, model=model)
    return found


def _org(job: Job) -> str:
    return job.org_id
