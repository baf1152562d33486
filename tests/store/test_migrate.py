"""Bringing a database to the schema of the program."""

import asyncio
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text

from memcairn.domain.errors import Conflict
from memcairn.store.database import SqliteDatabase
from memcairn.store.migrate import current_revision, head_revision, migrate
from memcairn.store.schema import metadata

pytestmark = pytest.mark.anyio


def differences(connection: Connection) -> list[object]:
    """What the tables of the database lack or have too much; the word index keeps its own tables."""

    def is_ours(_object: object, name: str | None, kind: str, _reflected: object, _compared_to: object) -> bool:
        return not (kind == "table" and name is not None and name.startswith("memory_words"))

    context = MigrationContext.configure(
        connection, opts={"include_object": is_ours, "compare_type": True, "target_metadata": metadata}
    )
    return list(compare_metadata(context, metadata))


async def test_an_empty_database_becomes_what_the_schema_says(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "memory.db")

    applied = await database.write(migrate)

    assert applied
    assert await database.read(differences) == []
    assert await database.read(current_revision) == head_revision() == applied[-1]
    await database.close()


async def test_migrating_again_does_nothing(database: SqliteDatabase) -> None:
    assert await database.write(migrate) == []


async def test_a_database_of_a_newer_program_is_refused_and_left_alone(database: SqliteDatabase) -> None:
    await database.write(lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = '9999'")))

    with pytest.raises(Conflict, match="9999") as refused:
        await database.write(migrate)

    assert refused.value.code == "database_newer"
    assert await database.read(current_revision) == "9999"


async def test_two_processes_may_start_at_once(tmp_path: Path) -> None:
    both = [SqliteDatabase(tmp_path / "memory.db") for _ in range(2)]

    applied = await asyncio.gather(*(database.write(migrate) for database in both))

    assert sorted(map(bool, applied)) == [False, True]
    for database in both:
        await database.close()


async def test_servers_in_one_process_do_not_mix_up_their_databases(tmp_path: Path) -> None:
    several = [SqliteDatabase(tmp_path / f"{n}.db") for n in range(4)]

    await asyncio.gather(*(database.write(migrate) for database in several))

    for database in several:
        assert await database.read(differences) == []
        await database.close()
