"""Bringing a database to the schema of the program, on either database."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    insert,
    select,
    text,
)

from memcairn.domain.errors import Conflict
from memcairn.store import postgres_schema
from memcairn.store.database import Database, SqliteDatabase
from memcairn.store.migrate import current_revision, head_revision, known_revisions, migrate
from memcairn.store.postgres import PostgresDatabase
from memcairn.store.schema import metadata
from tests.build import NOW, ON_BOTH
from tests.faults.scale import times

pytestmark = pytest.mark.anyio


Rows = Mapping[str, Mapping[str, str]]
"""The row of each table, its values in words."""


class Places:
    """Databases without a table, each of which can be opened by several at once."""

    def __init__(self, new: Callable[[], Callable[[], Database]]) -> None:
        self._new = new
        self._opened: list[Database] = []

    def open(self, count: int = 1) -> list[Database]:
        """One new place, opened `count` times."""
        open_again = self._new()
        opened = [open_again() for _ in range(count)]
        self._opened += opened
        return opened

    async def close(self) -> None:
        for database in self._opened:
            await database.close()


@pytest.fixture(params=ON_BOTH)
async def places(request: pytest.FixtureRequest, tmp_path: Path, anyio_backend: str) -> AsyncIterator[Places]:
    def new_file() -> Callable[[], Database]:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.db"
        path.touch()
        return lambda: SqliteDatabase(path)

    def new_on_server() -> Callable[[], Database]:
        url = request.getfixturevalue("postgres_server").empty()
        return lambda: PostgresDatabase(url, connections=2)

    found = Places(new_file if request.param == "sqlite" else new_on_server)
    yield found
    await found.close()


def differences(connection: Connection) -> list[object]:
    """What the tables of the database lack or have too much, but for what is the index's alone on one of the two."""
    own = {
        *("words", "mapped", "ix_index_rows_words", "ix_index_rows_unmapped"),
        *("memory_words", *(f"memory_words_{part}" for part in ("config", "content", "data", "docsize", "idx"))),
    }

    def is_ours(_object: object, name: str | None, _kind: str, _reflected: object, _compared_to: object) -> bool:
        return name not in own

    context = MigrationContext.configure(
        connection, opts={"include_object": is_ours, "compare_type": True, "target_metadata": metadata}
    )
    return list(compare_metadata(context, metadata))


async def test_an_empty_database_becomes_what_the_schema_says(places: Places) -> None:
    [database] = places.open()

    applied = await database.write(migrate)

    assert applied
    assert await database.read(differences) == []
    assert await database.read(current_revision) == head_revision() == applied[-1]


async def test_migrating_again_does_nothing(database: Database) -> None:
    assert await database.write(migrate) == []


async def test_a_database_of_a_newer_program_is_refused_and_left_alone(places: Places) -> None:
    [database] = places.open()
    await database.write(migrate)
    await database.write(lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9999'")))

    with pytest.raises(Conflict, match="9999") as refused:
        await database.write(migrate)

    assert refused.value.code == "database_newer"
    assert await database.read(current_revision) == "9999"


async def test_servers_that_start_at_once_migrate_one_after_the_other(places: Places) -> None:
    several = places.open(3)

    applied = await asyncio.gather(*(database.write(migrate) for database in several))

    assert sorted(map(bool, applied)) == [False, False, True]
    assert await several[0].read(differences) == []


async def test_a_migration_that_ends_half_way_leaves_nothing_and_can_be_run_again(places: Places) -> None:
    class PowerCut(BaseException):
        pass

    def interrupted(connection: Connection) -> None:
        migrate(connection)
        raise PowerCut

    [database] = places.open()

    with pytest.raises(PowerCut):
        await database.write(interrupted)

    assert await database.read(current_revision) is None
    assert await database.write(migrate)
    assert await database.read(differences) == []


@pytest.mark.parametrize("revision", known_revisions()[:-1][:: times(4, 1)])
async def test_what_any_earlier_program_stored_is_there_after_a_migration_cut_short_and_run_again(
    places: Places, revision: str
) -> None:
    class PowerCut(BaseException):
        pass

    def interrupted(connection: Connection) -> None:
        migrate(connection)
        raise PowerCut

    [database] = places.open()
    before = await database.write(_filled_at, revision)
    with pytest.raises(PowerCut):
        await database.write(interrupted)
    assert await database.read(current_revision) == revision

    await database.write(migrate)

    assert before
    assert await database.read(_kept, before) == before
    assert await database.read(differences) == []


def _filled_at(connection: Connection, revision: str) -> Rows:
    """A database of an earlier revision with a row in each table; the rows."""
    if connection.dialect.name == "postgresql":
        postgres_schema.prepare(connection)
    config = Config()
    config.set_main_option("script_location", str(files("memcairn.store") / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
    found = MetaData()
    found.reflect(connection, only=lambda name, _: name in metadata.tables)
    for table in found.sorted_tables:
        connection.execute(insert(table), {column.name: _some(column) for column in table.columns})
    return _rows(connection, found)


def _some(column: Column[Any]) -> Any:
    """A value that fits a column, the same in every column of the kind: so rows refer to each other."""
    if isinstance(column.type, JSON):
        return {} if column.name in ("metadata", "payload", "before", "prompt_meta", "quotas") else []
    if column.table.name == "index_rows" and column.name == "vector":
        return None  # kept in another form on Postgres since it has an index there
    return next((value for kind, value in _FITTING if isinstance(column.type, kind)), None)


_FITTING = (
    (Boolean, False),
    (String, "one"),
    (Integer, 1),
    (Float, 1.0),
    (LargeBinary, b"\x07\0\0\0"),
    (DateTime, NOW),
)


def _rows(connection: Connection, found: MetaData) -> Rows:
    return {
        table.name: dict(zip(table.columns.keys(), map(repr, connection.execute(select(table)).one()), strict=True))
        for table in found.sorted_tables
    }


def _kept(connection: Connection, before: Rows) -> Rows:
    """What is there now of the columns there were before."""
    now = MetaData()
    now.reflect(connection, only=list(before))
    rows = _rows(connection, now)
    return {name: {column: rows[name].get(column, "") for column in values} for name, values in before.items()}


async def test_servers_in_one_process_do_not_mix_up_their_databases(places: Places) -> None:
    several = [places.open()[0] for _ in range(4)]

    await asyncio.gather(*(database.write(migrate) for database in several))

    for database in several:
        assert await database.read(differences) == []


@pytest.mark.postgres
async def test_on_postgres_every_text_is_ordered_as_sqlite_and_python_order_it(
    postgres_database: PostgresDatabase,
) -> None:
    collations = text(
        "SELECT DISTINCT collation_name FROM information_schema.columns WHERE table_schema = current_schema() "
        "AND collation_name IS NOT NULL AND table_name <> 'alembic_version'"
    )

    assert await postgres_database.read(lambda connection: list(connection.execute(collations).scalars())) == ["C"]
