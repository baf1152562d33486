"""A whole database goes into another one, row by row, however often it is broken off."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from memcairn.core.copying import DatabaseCopied, copy_database
from memcairn.core.deps import Deps
from memcairn.core.keys import create_org
from memcairn.core.reindexing import reindex_org
from memcairn.domain.errors import Conflict
from memcairn.domain.keys import Principal
from memcairn.store import copy_progress, rows
from memcairn.store.database import Database, SqliteDatabase
from memcairn.store.index.postgres import PostgresIndex
from memcairn.store.index.sqlite import SqliteIndex
from memcairn.store.migrate import migrate
from memcairn.store.postgres import PostgresDatabase
from memcairn.store.schema import metadata
from tests.build import ORG
from tests.core.full_org import answers, fill
from tests.postgres import PostgresServer

NAME = "sqlite:///somewhere/memory.db"

pytestmark = [pytest.mark.anyio, pytest.mark.sqlite]


class Power(Exception):
    """It went away."""


@pytest.fixture
async def filled(deps: Deps, principal: Principal) -> Deps:
    await fill(deps, principal)
    return deps


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def target(request: pytest.FixtureRequest, deps: Deps, tmp_path: Path) -> AsyncIterator[Deps]:
    """An empty database of either kind."""
    database: Database
    if request.param == "sqlite":
        database = SqliteDatabase(tmp_path / "copy.db")
        yield replace(deps, db=database, index=SqliteIndex())
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        database = PostgresDatabase(server.empty())
        yield replace(deps, db=database, index=PostgresIndex())
    await database.close()


async def copied(source: Deps, target: Deps, *, name: str = NAME, restart: bool = False) -> DatabaseCopied:
    return await copy_database(
        source.db, target, name=name, restart=restart, on_progress=lambda _part, _done, _all: None
    )


async def sums(deps: Deps) -> dict[str, tuple[int, str]]:
    def read(connection: Connection) -> dict[str, tuple[int, str]]:
        found = {}
        for table in rows.moved_tables():
            total = rows.RowHash()
            for values in rows.page(connection, table, after=None, limit=10_000):
                total.add(table, values)
            found[table.name] = (total.count, total.hexdigest)
        return found

    return await deps.db.read(read)


async def test_the_copy_holds_every_row_and_answers_alike(filled: Deps, target: Deps, principal: Principal) -> None:
    await create_org(filled, "neighbours")
    before = await answers(filled, principal)

    done = await copied(filled, target)

    assert await sums(target) == await sums(filled)
    assert done.rows == {name: count for name, (count, _) in (await sums(filled)).items()}
    assert done.indexed > 0
    assert done.resumed is False
    assert await answers(target, principal) == before
    assert (await reindex_org(target, ORG)).mended == 0


async def test_it_goes_there_and_back(filled: Deps, target: Deps, principal: Principal, tmp_path: Path) -> None:
    await copied(filled, target)
    database = SqliteDatabase(tmp_path / "back.db")
    back = replace(filled, db=database, index=SqliteIndex())

    await copied(target, back, name="the other one")

    assert await sums(back) == await sums(filled)
    assert await answers(back, principal) == await answers(filled, principal)
    await database.close()


async def test_a_copy_that_is_broken_off_goes_on_where_it_was(filled: Deps, target: Deps, principal: Principal) -> None:
    parts = [*(table.name for table in rows.moved_tables()), f"index of {ORG}", "comparing events"]
    begun = []
    for part in ("users", "memories", f"index of {ORG}", "comparing events"):

        def cut(told: str, done: int, _total: int, *, part: str = part) -> None:
            begun.append(told)
            if told == part:
                raise Power

        with pytest.raises(Power):
            await copy_database(filled.db, target, name=NAME, on_progress=cut)
        with pytest.raises(Conflict) as refused:
            await target.db.write(migrate)
        assert refused.value.code == "copy_unfinished"

    done = await copied(filled, target)

    assert set(parts) <= {*begun}
    assert done.resumed is True
    assert await sums(target) == await sums(filled)
    assert await answers(target, principal) == await answers(filled, principal)


async def test_rows_are_not_read_twice_after_a_break(filled: Deps, target: Deps) -> None:
    with pytest.raises(Power):
        await copy_database(filled.db, target, name=NAME, on_progress=_cut_at("sessions"))
    seen: list[tuple[str, int]] = []

    def see(part: str, done: int, _total: int) -> None:
        seen.append((part, done))

    await copy_database(filled.db, target, name=NAME, on_progress=see)

    users = [done for part, done in seen if part == "users"]
    assert users == [1]


async def test_a_target_that_holds_something_is_left_alone(filled: Deps, target: Deps) -> None:
    await target.db.write(migrate)
    await create_org(target, "neighbours")
    before = await sums(target)

    for restart in (False, True):
        with pytest.raises(Conflict) as refused:
            await copied(filled, target, restart=restart)
        assert refused.value.code == "target_not_empty"

    assert await sums(target) == before


async def test_an_unfinished_copy_of_another_source_is_refused_unless_begun_anew(filled: Deps, target: Deps) -> None:
    with pytest.raises(Power):
        await copy_database(filled.db, target, name="another one", on_progress=_cut_at("memories"))

    with pytest.raises(Conflict) as refused:
        await copied(filled, target)
    done = await copied(filled, target, restart=True)

    assert refused.value.code == "target_not_empty"
    assert "another one" in refused.value.message
    assert done.resumed is False
    assert await sums(target) == await sums(filled)


async def test_a_source_that_was_written_to_meanwhile_is_found_out(filled: Deps, target: Deps) -> None:
    changes = iter(["UPDATE users SET email = 'zoe@example.org'"])

    def change(part: str, _done: int, _total: int) -> None:
        if part.startswith("index of"):
            for statement in changes:
                asyncio.ensure_future(filled.db.write(_execute, statement))  # noqa: RUF006 -- done before the comparison

    with pytest.raises(Conflict) as refused:
        await copy_database(filled.db, target, name=NAME, on_progress=change)

    assert refused.value.code == "copy_differs"
    assert "users" in refused.value.message
    await copied(filled, target, restart=True)
    assert await sums(target) == await sums(filled)


async def test_a_source_of_another_schema_is_refused(filled: Deps, target: Deps) -> None:
    await filled.db.write(_execute, "CREATE TABLE precious (id INTEGER)")
    with pytest.raises(Conflict) as refused:
        await copied(filled, target)
    assert refused.value.code == "source_unknown_tables"

    await filled.db.write(_execute, "DROP TABLE precious")
    await filled.db.write(_execute, "UPDATE alembic_version SET version_num = '0001'")
    with pytest.raises(Conflict) as refused:
        await copied(filled, target)
    assert refused.value.code == "source_revision"


async def test_nothing_of_the_bookkeeping_is_left(filled: Deps, target: Deps) -> None:
    await copied(filled, target)

    assert await target.db.read(copy_progress.source_of) is None
    assert await target.db.write(migrate) == []


def test_jobs_are_copied_last_and_what_the_index_derives_not_at_all() -> None:
    names = [table.name for table in rows.moved_tables()]

    assert names[-1] == "jobs"
    assert metadata.tables.keys() - set(names) == {name for name in metadata.tables if name.startswith("index_")}


def _cut_at(part: str) -> Callable[[str, int, int], None]:
    def cut(told: str, _done: int, _total: int) -> None:
        if told == part:
            raise Power

    return cut


def _execute(connection: Connection, statement: str) -> None:
    connection.execute(text(statement))
