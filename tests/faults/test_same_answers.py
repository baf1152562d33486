"""One log of random calls, replayed on a server with SQLite and on one with Postgres: nobody can tell them apart."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import Connection, func, select

from memcairn.app import make_app
from memcairn.core.deps import Deps
from memcairn.core.services import Services, write_hints
from memcairn.domain.clock import FrozenClock
from memcairn.observability.metrics import Metrics
from memcairn.pipeline.worker import Worker
from memcairn.providers.fake import FakeEmbedder
from memcairn.settings import Settings
from memcairn.store.database import Database, SqliteDatabase
from memcairn.store.postgres import PostgresDatabase
from memcairn.store.schema import metadata
from tests.build import index_on
from tests.faults.random_calls import KEY_ID, SECRET, TOKEN, UUID, WORD, Call, RandomCalls
from tests.faults.scale import times

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.postgres, pytest.mark.timeout(times(240, 5_400))]

CALLS = times(500, 20_000)
SEED = 20_260_117
KEY = "a key of this test"
WORK_EVERY = 25
PAGES = 3
PAUSES = (0, 0, 0.000_001, 1, 60, 4_000)
"""Seconds between two calls."""
NOT_COMPARED = frozenset({"took_ms", "next_cursor", "request_id"})
OF_ONE_KIND = frozenset({"counters", "index_changes", "index_scopes", "index_slots", "index_terms"})
"""Tables that each of the databases uses in its own way."""


class Side:
    """One of the two servers; ids it makes are known by the order in which they were first shown."""

    def __init__(self, database: Database) -> None:
        self._clock = FrozenClock()
        deps = Deps(
            db=database,
            index=index_on(database),
            embedder=FakeEmbedder(),
            clock=self._clock,
            metrics=Metrics(),
            summary_window=6,
            promotion_min_actors=2,
        )
        self._services = Services(deps, local_key=KEY)
        transport = httpx2.ASGITransport(make_app(self._services, None, Settings()))
        self._client = httpx2.AsyncClient(transport=transport, base_url="http://test")
        self._client.headers["Authorization"] = f"Bearer {KEY}"
        self._tokens: dict[str, str] = {}
        self._ids: dict[str, str] = {}

    async def answers(self, call: Call) -> list[tuple[int, Any]]:
        """The answer, as far as servers may be compared, or its first pages."""
        query = {name: self._real(str(value)) for name, value in call.query.items()}
        answers = []
        while True:
            response = await self._client.request(
                call.method,
                self._real(call.path),
                params=query,
                headers=dict(call.headers),
                content=None if call.body is None else self._real(json.dumps(call.body, ensure_ascii=False)).encode(),
            )
            shown = json.loads(response.text) if response.text else None
            answers.append((response.status_code, _comparable(json.loads(self._told(response.text or "null")))))
            cursor = shown.get("next_cursor") if call.paged and isinstance(shown, dict) else None
            if cursor is None or len(answers) == PAGES:
                return answers
            query["cursor"] = cursor

    async def work(self) -> None:
        worker = Worker(self._services.deps)
        while await worker.run_once():
            pass
        await write_hints(self._services)

    async def rows(self) -> dict[str, int]:
        """How many rows each table holds."""
        return await self._services.deps.db.read(_counted)

    def wait(self, span: timedelta) -> None:
        self._clock.advance(span)

    async def close(self) -> None:
        await self._client.aclose()

    def _real(self, text: str) -> str:
        return TOKEN.sub(lambda found: self._ids[found[0]], text)

    def _told(self, text: str) -> str:
        def token(uuid: str) -> str:
            if uuid not in self._tokens:
                self._tokens[uuid] = f"«{len(self._tokens)}»"
                self._ids[self._tokens[uuid]] = uuid
            return self._tokens[uuid]

        text = SECRET.sub("a secret", UUID.sub(lambda found: token(found[0]), text))
        for key_id in KEY_ID.findall(text):
            token(key_id)
        for key_id in self._tokens.keys() & set(WORD.findall(text)):
            text = text.replace(key_id, self._tokens[key_id])
        return text


def _counted(connection: Connection) -> dict[str, int]:
    tables = [table for table in metadata.sorted_tables if table.name not in OF_ONE_KIND]
    return {table.name: connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables}


def _comparable(shown: Any) -> Any:
    if isinstance(shown, dict):
        return {name: _comparable(value) for name, value in shown.items() if name not in NOT_COMPARED}
    return [_comparable(each) for each in shown] if isinstance(shown, list) else shown


async def test_one_log_of_calls_gets_the_same_answers_from_both_databases(
    sqlite_database: SqliteDatabase, postgres_database: PostgresDatabase, record_property: Any
) -> None:
    log = RandomCalls(SEED)
    sides = [Side(sqlite_database), Side(postgres_database)]
    refused = 0
    for number in range(CALLS):
        call, pause = log.next(), timedelta(seconds=log.rng.choice(PAUSES))
        one, other = await asyncio.gather(*(side.answers(call) for side in sides))
        assert one == other, f"call {number}: {call}"
        assert max(status for status, _ in one) < 500, f"call {number}: {call}: {one}"
        refused += one[0][0] >= 400
        log.learn([shown for _, shown in one])
        for side in sides:
            side.wait(pause)
        if number % WORK_EVERY == 0:
            await asyncio.gather(*(side.work() for side in sides))
            rows = [await side.rows() for side in sides]
            assert rows[0] == rows[1], f"after call {number}: {call}"
    for side in sides:
        await side.close()
    record_property("figure", f"calls replayed on both: {CALLS} | refused alike: {refused} | differing answers: 0")
    assert refused < CALLS / 2
