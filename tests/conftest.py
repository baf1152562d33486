"""What every test shares: a migrated database on a real file, the dependencies of the core, and no network."""

import asyncio
import gc
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from memcairn.core.deps import Deps
from memcairn.domain.clock import FrozenClock
from memcairn.domain.keys import ALL_SCOPES, Principal
from memcairn.observability.metrics import Metrics
from memcairn.providers.fake import FakeEmbedder
from memcairn.store import orgs
from memcairn.store.database import Database, SqliteDatabase, sqlite_engine
from memcairn.store.migrate import migrate
from memcairn.store.postgres import PostgresDatabase
from tests.build import NOW, ON_BOTH, ORG, index_on
from tests.postgres import DURABLE, PostgresServer, empty_tables, own_server, running_server

pytest_plugins = ("tests.faults.figures",)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module", autouse=True)
def _left_behind_is_not_counted_again() -> Iterator[None]:
    """What a module left in memory is not looked through again: after thousands of tests that would take seconds."""
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect

    def connect_nearby(self: socket.socket, address: Any) -> None:
        nearby = self.family == socket.AF_UNIX or address[0] in ("127.0.0.1", "::1", "localhost")
        assert nearby, f"a test tried to reach {address}"
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_nearby)


@pytest.fixture(scope="session")
def _migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Migrating takes longer than most tests; each gets a copy of this file, with the org `default` in it."""
    path = tmp_path_factory.mktemp("migrated") / "memory.db"
    engine = sqlite_engine(path, query_only=False)
    with engine.begin() as connection:
        migrate(connection)
        orgs.add(connection, ORG, "Default", NOW)
    engine.dispose()
    return path


@pytest.fixture
def database_file(_migrated_file: Path, tmp_path: Path) -> Path:
    """A migrated SQLite file that nobody has open."""
    return Path(shutil.copy(_migrated_file, tmp_path / "memory.db"))


@pytest.fixture
async def sqlite_database(database_file: Path, anyio_backend: str) -> AsyncIterator[SqliteDatabase]:
    opened = SqliteDatabase(database_file)
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def durable_postgres_server() -> Iterator[PostgresServer]:
    """One more, whose processes a test may kill: those on the other one notice nothing."""
    with own_server(DURABLE) as server:
        yield server


@pytest.fixture(scope="session")
def _postgres_url(postgres_server: PostgresServer) -> str:
    return postgres_server.migrated()


@pytest.fixture(scope="session")
def _postgres_database(_postgres_url: str) -> Iterator[PostgresDatabase]:
    """Opened once, as connecting takes longer than most tests; each finds it emptied."""
    opened = PostgresDatabase(_postgres_url, connections=8)
    yield opened
    asyncio.run(opened.close())


@pytest.fixture
async def postgres_database(_postgres_database: PostgresDatabase, anyio_backend: str) -> PostgresDatabase:
    """A migrated database with the org `default` in it. Shared by all tests: close another one, not this."""
    await _postgres_database.write(empty_tables)
    return _postgres_database


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test of behaviour runs once on each database; one that looks into the file, or says so, on SQLite alone."""
    about_the_file = not {"database_file", "sqlite_database"}.isdisjoint(metafunc.fixturenames)
    for name in ("database", "data_place"):
        if name not in metafunc.fixturenames:
            continue
        if about_the_file or metafunc.definition.get_closest_marker("sqlite"):
            metafunc.parametrize(name, ["sqlite"], indirect=True)
        else:
            metafunc.parametrize(name, ON_BOTH, indirect=True)


@pytest.fixture
def data_place(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """The settings of a server whose data is in `tmp_path`, or in an emptied Postgres database."""
    if request.param == "sqlite":
        request.getfixturevalue("database_file")
        return {"data_dir": tmp_path, "database_url": None}
    request.getfixturevalue("postgres_database")
    return {"data_dir": tmp_path, "database_url": request.getfixturevalue("_postgres_url"), "database_connections": 4}


@pytest.fixture
def database(request: pytest.FixtureRequest) -> Database:
    opened: Database = request.getfixturevalue(f"{request.param}_database")
    return opened


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def deps(database: Database, clock: FrozenClock) -> Deps:
    return Deps(db=database, index=index_on(database), embedder=FakeEmbedder(), clock=clock, metrics=Metrics())


@pytest.fixture
def principal() -> Principal:
    """An admin of the org `default`."""
    return Principal(ORG, "test-key", ALL_SCOPES)
