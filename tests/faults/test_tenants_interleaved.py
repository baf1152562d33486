"""Orgs that use equal ids at the same moment: threads and tasks are made to change places, no row changes owner."""

import asyncio
import random
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from memcairn.core.deps import Deps
from memcairn.domain.summaries import Utterance
from memcairn.pipeline.worker import Worker
from memcairn.providers.base import Reranking
from memcairn.providers.fake import FakeEmbedder
from memcairn.store.database import Database
from memcairn.store.schema import metadata
from tests.api.organisation import Server
from tests.faults.doors import OPERATIONS as VENDORS
from tests.faults.scale import times
from tests.faults.tenants import OPERATIONS, TEXT_TAG, Tenant, new_tag

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

TENANTS = 4
ROUNDS = times(2, 60)
SHARED = {kind: ["shared"] for kind in ("session", "user", "actor", "role", "team", "collection")}
"""The ids that every org uses for things of its own."""
SEED = 20_260_105

WRITES = [
    "POST /v1/events",
    "POST /v1/sessions/{session_id}/messages",
    "POST /v1/users",
    "POST /v1/roles",
    "POST /v1/teams",
    "POST /v1/collections",
    "POST /v1/collections/{name}/documents",
    "PATCH /v1/sessions/{session_id}",
    "PATCH /v1/org",
    "POST /v1/keys",
    "POST /memsy/v1/ingest",
    "POST /zep/api/v1/sessions/{session_id}/memory",
]
READS = [
    "POST /v1/search",
    "POST /v1/context",
    "GET /v1/events",
    "GET /v1/memories",
    "GET /v1/sessions/{session_id}/messages",
    "GET /v1/sessions/{session_id}/summaries",
    "POST /v1/sessions/{session_id}/search",
    "POST /v1/collections/{name}/search",
    "GET /v1/roles",
    "GET /v1/usage/summary",
    "POST /memsy/v1/search",
    "GET /zep/api/v1/sessions/{session_id}/memory",
]
ALL = {**OPERATIONS, **VENDORS}


class SwitchingDatabase:
    """Lets others have their turn before and after each transaction."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._rng = random.Random(SEED)
        self.switches = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    async def read(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await self._between(self._db.read(fn, *args, **kwargs))

    async def peek(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await self._between(self._db.peek(fn, *args, **kwargs))

    async def write(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await self._between(self._db.write(fn, *args, **kwargs))

    async def _between(self, work: Any) -> Any:
        await self._switch()
        result = await work
        await self._switch()
        return result

    async def _switch(self) -> None:
        for _ in range(self._rng.randrange(4)):
            self.switches += 1
            await asyncio.sleep(0)


@dataclass
class Overheard:
    """What the providers were given since `forget`."""

    texts: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, texts: Sequence[str]) -> None:
        with self.lock:
            self.texts.extend(texts)


class EchoingEmbedder(FakeEmbedder):
    """Notes every text."""

    def __init__(self, overheard: Overheard) -> None:
        super().__init__()
        self._overheard = overheard

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self._overheard.note(texts)
        return super().embed(texts)


class EchoingSummariser:
    """Says again all that it was told."""

    name = "echo"

    def __init__(self, overheard: Overheard) -> None:
        self._overheard = overheard

    def summarise(self, previous: str | None, said: Sequence[Utterance]) -> str:
        prompt = "\n".join([previous or "", *(f"{each.speaker}: {each.text}" for each in said)])
        self._overheard.note([prompt])
        return prompt


class EchoingReranker:
    """Notes every text, and likes each of them as much."""

    model = "echo"

    def __init__(self, overheard: Overheard) -> None:
        self._overheard = overheard

    def rerank(self, query: str, texts: Sequence[str], *, seconds: float) -> NDArray[np.float64]:
        self._overheard.note([query, *texts])
        return np.zeros(len(texts))


@pytest.fixture
def overheard() -> Overheard:
    return Overheard()


@pytest.fixture
def server(deps: Deps, overheard: Overheard) -> Server:
    thinking = replace(
        deps,
        embedder=EchoingEmbedder(overheard),
        summariser=EchoingSummariser(overheard),
        summary_window=4,
        reranking=Reranking(EchoingReranker(overheard), seconds=5, weight=0.5, candidates=30),
    )
    return Server(thinking)


@pytest.fixture
async def tenants(server: Server, anyio_backend: str) -> AsyncIterator[list[Tenant]]:
    rng = random.Random(SEED)
    async with AsyncExitStack() as stack:
        made = []
        for number in range(TENANTS):
            tag = new_tag(number, rng)
            client = await stack.enter_async_context(server.with_key(await server.add_org(tag)))
            made.append(Tenant(number, client, tag, random.Random(rng.random()), dict(SHARED)))
        yield made


@pytest.fixture
def _many_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_many_switches")
async def test_rows_written_at_once_under_equal_ids_land_with_their_writer(
    server: Server, tenants: list[Tenant], record_property: Any
) -> None:
    switching = SwitchingDatabase(server.deps.db)
    restless = Server(replace(server.deps, db=switching))
    worker = Worker(restless.deps)
    working = asyncio.create_task(worker.run())
    shown: list[str] = []

    async def live(tenant: Tenant) -> None:
        async with restless.with_key(tenant.client.headers["Authorization"].removeprefix("Bearer ")) as client:
            own = replace(tenant, client=client)
            for number in range(ROUNDS):
                order = [*WRITES, *READS]
                tenant.rng.shuffle(order)
                for route in WRITES if number == 0 else order:
                    response, _ = await own.ask(route, ALL[route](own.pick))
                    assert response.status_code < 500, response.text
                    shown.extend(f"{route}: {tag}" for tag in set(TEXT_TAG.findall(response.text)) - {tenant.tag})

    await asyncio.gather(*(live(tenant) for tenant in tenants for _ in range(2)))
    worker.stop()
    await working
    await server.work()

    rows = await server.deps.db.read(_rows_with_tags)
    misfiled = [f"{table} of {org_id} holds {tags}" for table, org_id, tags in rows if tags - {org_id}]
    figure = f"orgs: {TENANTS} | switches: {switching.switches} | rows: {len(rows)} | misfiled: {len(misfiled)}"
    record_property("figure", figure)
    assert (misfiled, shown) == ([], [])
    assert {org_id for _, org_id, _ in rows} >= {tenant.tag for tenant in tenants}
    assert {"events", "memories", "summaries", "documents"} <= {table for table, _, _ in rows}


async def test_nothing_of_one_org_reaches_the_models_or_answers_of_another(
    server: Server, tenants: list[Tenant], overheard: Overheard, record_property: Any
) -> None:
    first, second = tenants[0], tenants[1]
    for tenant in (first, second):
        for _ in range(3):
            for route in WRITES:
                await tenant.ask(route, ALL[route](tenant.pick))
        if tenant is first:
            await server.work()
            for route in READS:
                await tenant.ask(route, ALL[route](tenant.pick))
            assert first.tag in " ".join(overheard.texts)
            overheard.texts.clear()
    await server.work()
    answers = [(await second.ask(route, ALL[route](second.pick)))[0].text for route in READS]

    leaks = [text for text in [*overheard.texts, *answers] if first.tag in text]
    figure = f"texts given to models: {len(overheard.texts)} | answers: {len(answers)} | leaks: {len(leaks)}"
    record_property("figure", figure)
    assert leaks == []
    assert second.tag in " ".join(overheard.texts)
    assert sum(second.tag in answer for answer in answers) > len(READS) // 2


def _rows_with_tags(connection: Connection) -> list[tuple[str, str, set[str]]]:
    """Every row of every org in which somebody's tag stands: table, org, tags."""
    found = []
    for table in metadata.sorted_tables:
        if "org_id" in table.c:
            for row in connection.execute(select(table)).mappings():
                tags = set(TEXT_TAG.findall(repr({name: row[name] for name in row if name != "org_id"})))
                if tags:
                    found.append((table.name, row["org_id"], tags))
    return found
