"""Work that takes longer than a lease: it stays in the hands of who does it, and is done once."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import Connection

from memcairn.core.deps import Deps
from memcairn.core.ingest import ingest, statuses
from memcairn.core.jobs import list_jobs
from memcairn.domain.clock import SystemClock
from memcairn.domain.errors import Unavailable
from memcairn.domain.events import EventStatus, NewEvent
from memcairn.domain.jobs import Job
from memcairn.domain.keys import Principal
from memcairn.pipeline import worker
from memcairn.pipeline.worker import Worker
from memcairn.providers.fake import FakeEmbedder
from memcairn.store import jobs
from tests.build import make
from tests.faults.scale import times

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

LEASE_SECONDS = 0.8
EVENTS = times(5, 40)


class SlowEmbedder(FakeEmbedder):
    """Takes its time, and notes what it was asked for."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds
        self.asked: Counter[str] = Counter()
        self._lock = threading.Lock()

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        with self._lock:
            self.asked.update(texts)
        time.sleep(self.seconds)
        return super().embed(texts)


@pytest.fixture(autouse=True)
def _short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "LEASE", timedelta(seconds=LEASE_SECONDS))
    monkeypatch.setattr(worker, "HEARTBEAT_EVERY", timedelta(seconds=LEASE_SECONDS / 6))


async def test_a_job_of_several_leases_is_carried_out_once(
    deps: Deps, principal: Principal, record_property: Any
) -> None:
    slow = SlowEmbedder(times(2, 10) * LEASE_SECONDS)
    deps = replace(deps, embedder=slow, clock=SystemClock())
    event_ids = await ingest(deps, principal, [make(NewEvent, content="The heron nests behind the chapel.")])

    await _work_until_done(deps, principal, event_ids)

    record_property(
        "figure", f"leases a job took: {slow.seconds / LEASE_SECONDS:g} | executions: {max(slow.asked.values())}"
    )
    assert set(slow.asked.values()) == {1}


async def test_jobs_claimed_together_stay_claimed_while_each_takes_a_part_of_a_lease(
    deps: Deps, principal: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "BATCH_SIZE", 1)
    monkeypatch.setattr(worker, "HEARTBEAT_EVERY", timedelta(seconds=LEASE_SECONDS / 3))
    slow = SlowEmbedder(0.3 * LEASE_SECONDS)
    deps = replace(deps, embedder=slow, clock=SystemClock())
    event_ids: list[str] = []
    for number in range(EVENTS):
        event = make(NewEvent, actor_id=f"a{number}", session_id=f"s{number}", content=f"Crate {number} stays here.")
        event_ids += await ingest(deps, principal, [event])

    await _work_until_done(deps, principal, event_ids)

    assert set(slow.asked.values()) == {1}


async def test_a_heartbeat_that_fails_once_costs_neither_the_lease_nor_the_work(
    deps: Deps, principal: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    beat, failures = jobs.heartbeat, [Unavailable("The disk is full.", code="storage_full")]

    def heartbeat(connection: Connection, held: Sequence[Job], now: Any) -> None:
        if failures:
            raise failures.pop()
        beat(connection, held, now)

    monkeypatch.setattr(jobs, "heartbeat", heartbeat)
    slow = SlowEmbedder(2 * LEASE_SECONDS)
    deps = replace(deps, embedder=slow, clock=SystemClock())
    event_ids = await ingest(deps, principal, [make(NewEvent, content="The heron nests behind the chapel.")])

    await _work_until_done(deps, principal, event_ids)

    assert failures == []
    assert set(slow.asked.values()) == {1}


async def _work_until_done(deps: Deps, principal: Principal, event_ids: Sequence[str]) -> None:
    """Two workers side by side until nothing is left to do."""
    workers = [Worker(deps) for _ in range(2)]
    running = [asyncio.create_task(each.run()) for each in workers]
    async with asyncio.timeout(60):
        while (await list_jobs(deps, principal, status=None, limit=1)).items:  # noqa: ASYNC110 -- it lies in the database
            await asyncio.sleep(LEASE_SECONDS / 4)
    for each in workers:
        each.stop()
    await asyncio.gather(*running)
    states = await statuses(deps, principal, event_ids)
    assert {state.status for state in states} == {EventStatus.COMPLETED}
