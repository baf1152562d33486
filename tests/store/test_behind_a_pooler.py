"""Behind a transaction pooler: no transaction needs what another one left in the session."""

import socket
from collections.abc import Iterator

import pytest
from sqlalchemy import make_url

from memcairn.core.deps import Deps
from memcairn.domain.clock import FrozenClock
from memcairn.observability.metrics import Metrics
from memcairn.providers.fake import FakeEmbedder
from memcairn.store.migrate import migrate
from memcairn.store.postgres import PostgresDatabase
from tests.api.organisation import Server, say
from tests.build import index_on
from tests.pooler import Pooler
from tests.postgres import PostgresServer

pytestmark = [pytest.mark.anyio, pytest.mark.postgres]

CONNECTIONS = 3


@pytest.fixture
def place(postgres_server: PostgresServer) -> str:
    return postgres_server.migrated()


@pytest.fixture
def pooler(place: str) -> Iterator[Pooler]:
    url = make_url(place)
    folder = url.query.get("host")

    def connect() -> socket.socket:
        if not isinstance(folder, str):
            return socket.create_connection((url.host or "127.0.0.1", url.port or 5432))
        connected = socket.socket(socket.AF_UNIX)
        connected.connect(f"{folder}/.s.PGSQL.{url.port or 5432}")
        return connected

    between = Pooler(connect, connections=CONNECTIONS)
    between.start()
    yield between
    between.stop()


async def test_a_server_works_though_each_transaction_has_another_session(place: str, pooler: Pooler) -> None:
    behind = make_url(place).set(host="127.0.0.1", port=pooler.port, query={})
    database = PostgresDatabase(behind.render_as_string(hide_password=False), connections=4)
    deps = Deps(db=database, index=index_on(database), embedder=FakeEmbedder(), clock=FrozenClock(), metrics=Metrics())
    server = Server(deps)
    database.listen(deps.wakeup.hear)
    deps.wakeup.to_others = database.tell

    assert await database.write(migrate) == []
    async with server.client() as client:
        for place_name in ("Lisbon", "Porto", "Braga"):
            await say(client, f"I live in {place_name}.", "I prefer tea to coffee.")
            await server.work()
            found = await client.post("/v1/search", json={"query": "Where do I live?", "actor_id": "ann"})
            assert place_name in found.json()["hits"][0]["text"]
    await database.close()

    assert next(pooler.transactions) > 10 * CONNECTIONS
