"""What every test shares: a migrated database on a real file, the dependencies of the core, and no network."""

import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from memcairn.core.deps import Deps
from memcairn.domain.clock import FrozenClock
from memcairn.domain.keys import ALL_SCOPES, Principal
from memcairn.observability.metrics import Metrics
from memcairn.providers.fake import FakeEmbedder
from memcairn.store import orgs
from memcairn.store.database import SqliteDatabase, sqlite_engine
from memcairn.store.index.sqlite import SqliteIndex
from memcairn.store.migrate import migrate
from tests.build import NOW, ORG


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


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
    engine = sqlite_engine(path, begin="BEGIN IMMEDIATE", query_only=False)
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
async def database(database_file: Path, anyio_backend: str) -> AsyncIterator[SqliteDatabase]:
    opened = SqliteDatabase(database_file)
    yield opened
    await opened.close()


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def deps(database: SqliteDatabase, clock: FrozenClock) -> Deps:
    return Deps(db=database, index=SqliteIndex(), embedder=FakeEmbedder(), clock=clock, metrics=Metrics())


@pytest.fixture
def principal() -> Principal:
    """An admin of the org `default`."""
    return Principal(ORG, "test-key", ALL_SCOPES)
