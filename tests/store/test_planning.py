"""Statistics that keep up with a database that is being filled."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from sqlalchemy import Connection, text

from memcairn.core.planning import keep_statistics, keep_statistics_up
from memcairn.store import bulk, orgs, planning
from memcairn.store.database import SqliteDatabase
from memcairn.store.postgres import PostgresDatabase
from memcairn.store.schema import sessions
from tests.build import NOW
from tests.postgres import PostgresServer

SESSIONS = 6_000


@pytest.fixture
def fresh_url(postgres_server: PostgresServer) -> str:
    """A database nobody has analysed."""
    return postgres_server.migrated()


@pytest.fixture
async def fresh(fresh_url: str, anyio_backend: str) -> AsyncIterator[PostgresDatabase]:
    database = PostgresDatabase(fresh_url, connections=2)
    yield database
    await database.close()


async def fill(database: PostgresDatabase) -> None:
    made = {"metadata": None, "created_at": NOW, "updated_at": NOW}
    rows = [
        {"org_id": "large", "session_id": f"s{n}", "session_uuid": f"u{n}", "number": n, "user_id": None} | made
        for n in range(SESSIONS)
    ]

    def add(connection: Connection) -> None:
        orgs.add(connection, "large", "Large", NOW)
        bulk.add(connection, sessions, rows)

    await database.write(add)


def plan_of_a_reference_check(connection: Connection) -> Sequence[str]:
    """How Postgres looks for the row a foreign key refers to."""
    check = "SELECT 1 FROM ONLY sessions x WHERE org_id = 'large' AND session_id = 's5' FOR KEY SHARE OF x"
    return connection.execute(text(f"EXPLAIN {check}")).scalars().all()


@pytest.mark.postgres
@pytest.mark.anyio
async def test_references_into_a_new_database_are_looked_up_by_key(fresh: PostgresDatabase) -> None:
    await fill(fresh)

    analysed = await keep_statistics(fresh)

    assert analysed == ["sessions"]
    plan = "\n".join(await fresh.read(plan_of_a_reference_check))
    assert "Index Scan using pk_sessions" in plan
    assert "Filter" not in plan


@pytest.mark.postgres
@pytest.mark.anyio
async def test_a_table_is_analysed_again_when_it_has_grown_a_lot(fresh: PostgresDatabase) -> None:
    await fill(fresh)
    await keep_statistics(fresh)

    assert await keep_statistics(fresh) == []

    double = (
        "INSERT INTO sessions (org_id, session_id, session_uuid, number, last_position, created_at, updated_at) "
        "SELECT org_id, session_id || ' again ' || n, session_uuid, number + n * 100000, 0, created_at, updated_at "
        "FROM sessions, generate_series(1, 5) AS n WHERE org_id = 'large'"
    )
    await fresh.write(lambda connection: connection.execute(text(double)).close())
    assert await keep_statistics(fresh) == ["sessions"]


@pytest.mark.anyio
async def test_sqlite_needs_no_such_help(sqlite_database: SqliteDatabase) -> None:
    assert await sqlite_database.read(planning.outgrown) == ()


@pytest.mark.postgres
@pytest.mark.anyio
async def test_a_process_that_only_works_keeps_them_up_itself(
    fresh: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memcairn.core.planning.EVERY_SECONDS", 0.01)
    await fill(fresh)
    assert await fresh.read(planning.outgrown)

    upkeep = asyncio.create_task(keep_statistics_up(fresh))
    for _ in range(400):
        if not await fresh.read(planning.outgrown):
            break
        await asyncio.sleep(0.05)
    assert not await fresh.read(planning.outgrown)
    assert not upkeep.done()
    upkeep.cancel()
