"""More work than hands: a backlog met by many workers at once, and readers that all want the database."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, select, text

from memcairn.core.deps import Deps
from memcairn.core.ingest import ingest
from memcairn.core.planning import keep_statistics_up
from memcairn.domain.events import EventStatus, NewEvent
from memcairn.domain.keys import Principal
from memcairn.domain.memories import MemoryStatus
from memcairn.pipeline.worker import Worker
from memcairn.store import jobs
from memcairn.store.database import Database
from memcairn.store.postgres import PostgresDatabase
from memcairn.store.schema import events, memories, memory_sources
from tests.build import ORG, make
from tests.faults.scale import times

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

BACKLOG = times(600, 50_000)
SESSIONS = 20
WORKERS = times(6, 20)
READERS = times(60, 400)


@pytest.fixture
async def crowd(deps: Deps, request: pytest.FixtureRequest) -> AsyncIterator[Deps]:
    """With connections for every worker, as each would have some of its own in a process of its own."""
    if not isinstance(deps.db, PostgresDatabase):
        yield deps
        return
    opened = PostgresDatabase(request.getfixturevalue("_postgres_url"), connections=2 * WORKERS)
    yield replace(deps, db=opened)
    await opened.close()


async def test_a_backlog_is_worked_off_once_in_the_order_of_each_actor(
    crowd: Deps, principal: Principal, monkeypatch: pytest.MonkeyPatch, record_property: Any
) -> None:
    per_batch = BACKLOG // SESSIONS // 5
    for batch in range(5):
        for session in range(SESSIONS):
            said = [
                make(
                    NewEvent,
                    actor_id=f"a{session}",
                    session_id=f"s{session}",
                    content=f"Parcel {session} {batch} {number} went to the harbour.",
                )
                for number in range(per_batch)
            ]
            await ingest(crowd, principal, said)
    claims: list[float] = []
    claimed: Counter[str] = Counter()
    order: dict[str, list[str]] = {}
    claim = jobs.claim

    def timed(connection: Connection, worker_id: str, now: Any, *, limit: int) -> Any:
        started = time.perf_counter()
        taken = claim(connection, worker_id, now, limit=8)
        claims.append(time.perf_counter() - started)
        for job in taken:
            claimed[job.job_id] += 1
            order.setdefault(job.serial_key, []).append(job.job_id)
        return taken

    monkeypatch.setattr(jobs, "claim", timed)
    started = time.perf_counter()

    async def work() -> None:
        worker = Worker(crowd)
        while await worker.run_once() or await crowd.db.read(_unfinished):
            pass

    upkeep = asyncio.create_task(keep_statistics_up(crowd.db))
    await asyncio.gather(*(work() for _ in range(WORKERS)))
    upkeep.cancel()
    seconds = time.perf_counter() - started

    said_at, kept = await crowd.db.read(_outcome)
    quick, slow = sorted(claims[: len(claims) // 2]), sorted(claims[len(claims) // 2 :])
    p99s = [each[int(0.99 * (len(each) - 1))] * 1e3 for each in (quick, slow)]
    figure = f"backlog: {BACKLOG} events | workers: {WORKERS} | {BACKLOG / seconds:.0f} events/s"
    record_property("figure", f"{figure} | claim p99: {p99s[0]:.0f} ms, later {p99s[1]:.0f} ms | executed twice: 0")
    assert set(said_at) == {EventStatus.COMPLETED.value}
    assert kept == dict.fromkeys(kept, 1)
    assert len(kept) == len(said_at) == per_batch * 5 * SESSIONS
    assert set(claimed.values()) == {1}
    assert all(taken == sorted(taken) for taken in order.values())


async def test_readers_that_all_want_the_database_get_it_and_leave_nothing_behind(
    database: Database, record_property: Any
) -> None:
    def slow(connection: Connection) -> int:
        time.sleep(0.005)
        return int(connection.execute(text("SELECT 1")).scalar_one())

    tasks = [asyncio.create_task(database.read(slow)) for _ in range(READERS)]
    await asyncio.sleep(0.02)
    left = tasks[::2]
    for task in left:
        task.cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    again = await asyncio.gather(*(database.read(slow) for _ in range(20)))

    gone = sum(isinstance(answer, asyncio.CancelledError) for answer in answers)
    record_property("figure", f"readers: {READERS} | left while they waited: {gone} | connections lost: 0")
    assert {answer for answer in answers if not isinstance(answer, asyncio.CancelledError)} == {1}
    assert gone > 0
    assert again == [1] * 20


def _unfinished(connection: Connection) -> bool:
    counts = jobs.count_by_status(connection)
    return counts["queued"] + counts["running"] > 0


def _outcome(connection: Connection) -> tuple[list[str], dict[str, int]]:
    """The status of each event, and how many live memories of its words rest on each."""
    said = list(connection.execute(select(events.c.status).where(events.c.org_id == ORG)).scalars())
    resting = (
        select(memory_sources.c.event_id)
        .join(
            memories,
            (memories.c.org_id == memory_sources.c.org_id) & (memories.c.memory_id == memory_sources.c.memory_id),
        )
        .where(memories.c.org_id == ORG, memories.c.type == "message", memories.c.status == MemoryStatus.ACTIVE.value)
    )
    return said, dict(Counter(connection.execute(resting).scalars()))
