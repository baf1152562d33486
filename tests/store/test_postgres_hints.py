"""Hints between processes on one Postgres: who has something to do hears of it, and nothing rests on that."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from pydantic import SecretStr
from sqlalchemy import Connection, text

from memcairn.app import running
from memcairn.core.deps import Deps, Wakeup
from memcairn.core.ingest import ingest, statuses
from memcairn.core.keys import ensure_default_org
from memcairn.domain.clock import FrozenClock
from memcairn.domain.events import EventStatus, NewEvent
from memcairn.domain.keys import Principal
from memcairn.observability.metrics import Metrics
from memcairn.pipeline import worker as workers
from memcairn.pipeline.worker import Worker
from memcairn.providers.fake import FakeEmbedder
from memcairn.settings import Settings
from memcairn.store.index.postgres import PostgresIndex
from memcairn.store.postgres import PostgresDatabase
from memcairn.store.postgres_hints import CHANNEL, TELL_EVERY_SECONDS
from tests.build import make
from tests.postgres import PostgresServer

pytestmark = [pytest.mark.anyio, pytest.mark.postgres]

PATIENCE_SECONDS = 30


@pytest.fixture
def place(postgres_server: PostgresServer) -> str:
    """A database of its own: who else listens there would be counted."""
    return postgres_server.migrated()


@asynccontextmanager
async def another(url: str, *, connections: int = 4) -> AsyncIterator[PostgresDatabase]:
    """As another process would open it."""
    opened = PostgresDatabase(url, connections=connections)
    try:
        yield opened
    finally:
        await opened.close()


def listeners(connection: Connection) -> list[int]:
    """The backends that listen now."""
    # The last statement of a backend that does nothing else.
    found = text("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query = :query")
    return list(connection.execute(found, {"query": f"LISTEN {CHANNEL}"}).scalars())


def end_all(connection: Connection, pids: list[int]) -> None:
    for pid in pids:
        connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})


async def until(fulfilled: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not fulfilled():  # noqa: ASYNC110 -- asked from the outside
            await asyncio.sleep(0.02)


async def listening(database: PostgresDatabase, *, but: list[int]) -> list[int]:
    """The backends that listen, once there is one beside `but`."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (found := sorted({*await database.read(listeners)} - {*but})):  # noqa: ASYNC110 -- Postgres knows
            await asyncio.sleep(0.02)
    return found


async def test_others_hear_once_of_what_is_told_at_once_and_the_teller_does_not(place: str) -> None:
    own: list[str] = []
    heard: list[str] = []
    async with another(place) as teller, another(place) as listener:
        teller.listen(lambda: own.append("work"))
        first = await listening(teller, but=[])
        listener.listen(lambda: heard.append("work"))
        await listening(teller, but=first)
        for _ in range(200):
            teller.tell()
        await until(lambda: heard)
        await asyncio.sleep(0.1)

    assert heard == ["work"]
    assert own == []


async def test_hints_come_again_after_the_connection_was_lost(place: str) -> None:
    heard: list[str] = []
    async with another(place) as teller, another(place) as listener:
        listener.listen(lambda: heard.append("work"))
        lost = await listening(teller, but=[])
        await teller.write(end_all, lost)
        await listening(teller, but=lost)
        teller.tell()
        await until(lambda: heard)


async def test_the_only_connection_for_reads_is_not_spent_on_listening(place: str) -> None:
    async with another(place, connections=2) as small:
        small.listen(lambda: None)

        assert await small.read(lambda c: c.execute(text("SELECT 1")).scalar_one()) == 1


async def test_a_worker_elsewhere_begins_before_it_would_have_looked(
    place: str,
    clock: FrozenClock,
    principal: Principal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workers, "POLL_SECONDS", 10 * PATIENCE_SECONDS)
    async with another(place) as database, another(place) as elsewhere:
        here, there = (
            Deps(db=db, index=PostgresIndex(), embedder=FakeEmbedder(), clock=clock, metrics=Metrics())
            for db in (database, elsewhere)
        )
        await ensure_default_org(here)
        here.wakeup.to_others = database.tell
        elsewhere.listen(there.wakeup.hear)
        await listening(database, but=[])
        worker = Worker(there)
        working = asyncio.create_task(worker.run())
        event_ids = await ingest(here, principal, [make(NewEvent, content="I live in Lisbon.")])

        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await statuses(here, principal, event_ids))[0].status is EventStatus.PENDING:  # noqa: ASYNC110 -- it lies in the database
                await asyncio.sleep(0.05)
        worker.stop()
        await working


async def test_a_server_tells_the_workers_of_other_processes(place: str, principal: Principal) -> None:
    heard: list[str] = []
    settings = Settings(database_url=SecretStr(place), worker=False)
    async with another(place) as elsewhere, running(settings, local_key="a key for this test") as server:
        elsewhere.listen(lambda: heard.append("work"))
        await listening(elsewhere, but=[])
        await ingest(server.services.deps, principal, [make(NewEvent, content="I live in Lisbon.")])
        await until(lambda: heard)


async def test_a_worker_inside_a_server_hears_of_work_done_elsewhere(place: str) -> None:
    settings = Settings(database_url=SecretStr(place))
    async with another(place) as elsewhere, running(settings, local_key="a key for this test") as server:
        await listening(elsewhere, but=[])
        assert not server.services.deps.wakeup.pouring(PATIENCE_SECONDS)
        for _ in range(2):
            elsewhere.tell()
            await asyncio.sleep(2 * TELL_EVERY_SECONDS)
        await until(lambda: server.services.deps.wakeup.pouring(PATIENCE_SECONDS))


async def test_a_wakeup_tells_others_of_what_was_done_here_and_not_of_what_it_heard() -> None:
    told: list[str] = []
    wakeup = Wakeup()
    wakeup.to_others = lambda: told.append("others")
    wakeup.to_worker = lambda: told.append("worker")

    wakeup.set()
    wakeup.hear()

    assert told == ["worker", "others", "worker"]
