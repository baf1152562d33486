"""New vectors for what is indexed already: after another embedder was chosen, or after one has failed."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from memcairn.core.deps import Deps
from memcairn.core.indexing import Prepared, embed_later, entries, prepare_now
from memcairn.core.reembedding import LAST_LOOK, SEEN_AGAIN_AFTER, continue_with, is_outdated
from memcairn.domain.errors import Unavailable
from memcairn.domain.jobs import Job, NewJob, Task
from memcairn.domain.memories import Memory, MemoryStatus
from memcairn.store import jobs, memories, vectors

MEMORIES_AT_ONCE = 200
NEURAL_AT_ONCE = 32
"""Of a model that takes milliseconds for a text: events get their turn between two batches."""
DOCUMENTS_AT_ONCE = 100

STEPS = ("documents", "summaries", "memories", "without")
"""In this order: documents are found by their vectors alone, memories by their words as well."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """What one job of an org does; `after` is the id its step goes on behind."""

    step: str
    after: str
    org_id: str = ""
    memory_ids: Sequence[str] = ()
    memories: Sequence[Memory] = ()
    by_assistant: frozenset[str] = frozenset()
    summaries: Mapping[str, str] = field(default_factory=dict)
    documents: Sequence[str] = ()


class NotEmbedded(Exception):
    """The embedder gave no usable vector for some texts."""


async def reembed(deps: Deps, held: Sequence[Job]) -> None:
    """Carry out one batch for each of these orgs and queue the next; LeaseLost if another worker has a job by now.

    Raises Unavailable while the embedder cannot be asked: nothing is changed then.
    """
    mine = [job for job in held if job.payload["model"] == deps.embedder.model]
    foreign = [job for job in held if job.payload["model"] != deps.embedder.model]
    for job in mine:
        batch = await deps.db.read(_next, deps, job)
        prepared, made = await asyncio.to_thread(_embedded, deps, batch)
        await deps.db.write(_write, deps, job, batch, prepared=prepared, made=made)
    foreign = await deps.db.write(_drop_outdated, deps, foreign) if foreign else []
    if foreign:
        raise Unavailable(
            f"{len(foreign)} batches wait for a process whose embedder is {foreign[0].payload['model']!r}; here it is "
            f"{deps.embedder.model!r}.",
            code="embedder_elsewhere",
        )


def _drop_outdated(connection: Connection, deps: Deps, foreign: Sequence[Job]) -> list[Job]:
    """The jobs that are left to another process: not those of an embedder that was chosen before this one."""
    outdated = {job.job_id for job in foreign if is_outdated(connection, deps, job)}
    jobs.finish(connection, [job for job in foreign if job.job_id in outdated])
    return [job for job in foreign if job.job_id not in outdated]


async def embed_memories(deps: Deps, held: Sequence[Job]) -> None:
    """Vectors for the memories these jobs name, whose texts the embedder has failed before.

    Those it fails again keep their job, which is then tried again, until it is dead.
    """
    for job in held:
        ids = [str(memory_id) for memory_id in job.payload["memory_ids"]]
        batch = await deps.db.read(_unembedded, job.org_id, ids, deps.embedder.model)
        prepared = await asyncio.to_thread(_prepared, deps, batch.memories)
        failed = [memory.memory_id for memory in batch.memories if _is_missing(prepared[memory.text])]
        await deps.db.write(_write_some, deps, job, batch, prepared=prepared, failed=frozenset(failed))
        if failed:
            raise NotEmbedded(f"{len(failed)} memories have no usable vector: {', '.join(failed[:5])}")


def _next(connection: Connection, deps: Deps, job: Job) -> _Batch | None:
    """The first step from the job's on that has something to do; None when there is nothing left."""
    org_id, step, after = job.org_id, str(job.payload["step"]), str(job.payload["after"])
    limit = NEURAL_AT_ONCE if deps.embedder.covers_all else MEMORIES_AT_ONCE
    steps = STEPS[:3] if step == LAST_LOOK else STEPS[STEPS.index(step) :]
    for each in steps:
        look = _Look(org_id, deps.embedder.model, after if each == step else "", limit)
        batch = _FIND[each](connection, look)
        if batch is not None:
            return batch
    return None


@dataclass(frozen=True, slots=True)
class _Look:
    """Where a step looks for its next batch: behind the id `after`, at most `limit` rows."""

    org_id: str
    model: str
    after: str
    limit: int


def _documents(connection: Connection, look: _Look) -> _Batch | None:
    uuids = vectors.documents_without(
        connection, look.org_id, model=look.model, after=look.after, limit=DOCUMENTS_AT_ONCE
    )
    return _Batch("documents", uuids[-1], documents=uuids) if uuids else None


def _summaries(connection: Connection, look: _Look) -> _Batch | None:
    found = vectors.summaries_without(connection, look.org_id, model=look.model, after=look.after, limit=look.limit)
    return _Batch("summaries", list(found)[-1], summaries=found) if found else None


def _of_other_models(connection: Connection, look: _Look) -> _Batch | None:
    other = vectors.other_model(connection, look.org_id, look.model)
    if other is None:
        return None
    ids = vectors.memories_of(connection, look.org_id, other, limit=look.limit)
    return _batch(connection, look.org_id, ids, step="memories", after="")


def _without(connection: Connection, look: _Look) -> _Batch | None:
    ids = vectors.memories_without(connection, look.org_id, after=look.after, limit=look.limit)
    return _batch(connection, look.org_id, ids, step="without", after=ids[-1]) if ids else None


_FIND: Mapping[str, Callable[[Connection, _Look], _Batch | None]] = {
    "documents": _documents,
    "summaries": _summaries,
    "memories": _of_other_models,
    "without": _without,
}


def _unembedded(connection: Connection, org_id: str, ids: Sequence[str], model: str) -> _Batch:
    indexed = vectors.indexed(connection, org_id, ids)
    left = [memory_id for memory_id, rows in indexed.items() if any(made_by != model for made_by, _ in rows)]
    return _batch(connection, org_id, left, step="memories", after="")


def _batch(connection: Connection, org_id: str, ids: Sequence[str], *, step: str, after: str) -> _Batch:
    indexed = vectors.indexed(connection, org_id, ids)
    spoken = frozenset(memory_id for memory_id, rows in indexed.items() if vectors.is_by_assistant(rows))
    found = memories.by_ids(connection, org_id, ids)
    return _Batch(step, after, org_id=org_id, memory_ids=ids, memories=found, by_assistant=spoken)


def _embedded(deps: Deps, batch: _Batch | None) -> tuple[Mapping[str, Prepared], Mapping[str, NDArray[np.float32]]]:
    """The texts of memories with their vectors, and the vectors of summaries."""
    if batch is None:
        return {}, {}
    made = deps.embedder.embed(list(batch.summaries.values()))
    return _prepared(deps, batch.memories), dict(zip(batch.summaries, made, strict=True))


def _prepared(deps: Deps, found: Sequence[Memory]) -> Mapping[str, Prepared]:
    texts = list(dict.fromkeys(memory.text for memory in found))
    return dict(zip(texts, prepare_now(deps, texts, needs_vectors=True), strict=True))


def _is_missing(prepared: Prepared) -> bool:
    return any(segment.missing for segment in prepared)


def _write(
    connection: Connection,
    deps: Deps,
    job: Job,
    batch: _Batch | None,
    *,
    prepared: Mapping[str, Prepared],
    made: Mapping[str, NDArray[np.float32]],
) -> None:
    jobs.finish(connection, [job])
    last_look = job.payload["step"] == LAST_LOOK
    if batch is None:
        if not last_look:
            continue_with(connection, deps, job, LAST_LOOK, "", delay=SEEN_AGAIN_AFTER)
        return
    vectors.set_summaries(connection, job.org_id, made, model=deps.embedder.model)
    if batch.documents:
        key = f"{job.org_id}:documents"
        new = NewJob(job.org_id, Task.EMBED_DOCUMENTS, key, {"document_uuids": list(batch.documents)})
        jobs.enqueue(connection, [new], deps.clock.now())
    _replace(connection, deps, batch, prepared)
    continue_with(connection, deps, job, batch.step, batch.after)


def _write_some(
    connection: Connection,
    deps: Deps,
    job: Job,
    batch: _Batch,
    *,
    prepared: Mapping[str, Prepared],
    failed: frozenset[str],
) -> None:
    if not failed:
        jobs.finish(connection, [job])
    _replace(connection, deps, batch, prepared, leave=failed)


def _replace(
    connection: Connection,
    deps: Deps,
    batch: _Batch,
    prepared: Mapping[str, Prepared],
    *,
    leave: frozenset[str] = frozenset(),
) -> None:
    """Index these memories again, but those that were rewritten meanwhile; take out those that are gone."""
    org_id = batch.org_id
    indexed = vectors.indexed(connection, org_id, [each for each in batch.memory_ids if each not in leave])
    if not indexed:
        return
    before = {memory.memory_id: memory.text for memory in batch.memories}
    found = memories.by_ids(connection, org_id, list(indexed))
    live = {memory.memory_id: memory for memory in found if memory.status is MemoryStatus.ACTIVE}
    changed = [
        memory
        for memory in live.values()
        if memory.text == before.get(memory.memory_id) and _is_news(indexed[memory.memory_id], prepared[memory.text])
    ]
    gone = [memory_id for memory_id in indexed if memory_id not in live]
    deps.index.remove(connection, org_id, [*gone, *(memory.memory_id for memory in changed)])
    new = [
        entry
        for memory in changed
        for entry in entries(memory, prepared[memory.text], by_assistant=memory.memory_id in batch.by_assistant)
    ]
    deps.index.put(connection, org_id, new, model=deps.embedder.model)
    embed_later(connection, deps, org_id, {memory.memory_id: prepared[memory.text] for memory in changed})


def _is_news(rows: Sequence[tuple[str | None, int]], prepared: Prepared) -> bool:
    """Not if there was no vector before and there is none now."""
    return any(model is not None for model, _ in rows) or any(segment.vector is not None for segment in prepared)
