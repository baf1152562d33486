"""What SQLite goes through for a question: the rows asked for, however many others the org has."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection

from memcairn.store import memories, session_search, support
from memcairn.store.database import SqliteDatabase
from memcairn.store.index import wide
from tests.build import ORG

pytestmark = pytest.mark.anyio

OF_A_ROW = "sqlite_autoindex_index_rows"
"""The unique indexes of index rows: by memory and by number."""


def plans(connection: Connection, ask: Callable[[Connection], object], *, table: str = "index_rows") -> list[str]:
    """How SQLite reads `table` in each statement of `ask`, whether or not SQLAlchemy carried it there."""
    driver: Any = connection.connection.driver_connection
    asked: list[str] = []
    driver.set_trace_callback(asked.append)
    ask(connection)
    driver.set_trace_callback(None)
    return [
        row[3]
        for statement in asked
        if statement.startswith("SELECT")
        for row in driver.execute(f"EXPLAIN QUERY PLAN {statement}")
        if f" {table} " in row[3]
    ]


async def test_vectors_of_a_few_rows_are_read_by_their_numbers(sqlite_database: SqliteDatabase) -> None:
    def ask(connection: Connection) -> object:
        return wide.vectors_by_number(connection, ORG, [1, 2, 3], model="m", dimensions=4)

    assert await sqlite_database.read(plans, ask) == [
        f"SEARCH index_rows USING INDEX {OF_A_ROW}_2 (org_id=? AND row_number=?)"
    ]


async def test_vectors_of_a_conversation_are_read_by_its_memories(sqlite_database: SqliteDatabase) -> None:
    def ask(connection: Connection) -> object:
        return session_search.rows_of_messages(connection, ORG, ["m1", "m2"])

    assert await sqlite_database.read(plans, ask) == [
        f"SEARCH index_rows USING INDEX {OF_A_ROW}_1 (org_id=? AND memory_id=?)"
    ]


@pytest.mark.parametrize("asked", [1, 2, 50, 500])
async def test_what_rests_on_some_events_is_read_by_those_events(sqlite_database: SqliteDatabase, asked: int) -> None:
    def ask(connection: Connection) -> object:
        return memories.ids_by_sources(connection, ORG, [f"e{number}" for number in range(asked)])

    [plan] = await sqlite_database.read(plans, ask, table="memory_sources")
    assert plan.endswith("(org_id=? AND event_id=?)")


@pytest.mark.parametrize("asked", [1, 50])
async def test_what_some_memories_support_is_read_by_those_memories(
    sqlite_database: SqliteDatabase, asked: int
) -> None:
    def ask(connection: Connection) -> object:
        return support.affected_by(connection, ORG, [f"m{number}" for number in range(asked)])

    [plan] = await sqlite_database.read(plans, ask, table="memory_support")
    assert plan.endswith("(org_id=? AND supporting_memory_id=?)")


@pytest.mark.parametrize("asked", [1, 50])
async def test_memories_that_are_known_by_their_ids_are_read_by_them(
    sqlite_database: SqliteDatabase, asked: int
) -> None:
    def ask(connection: Connection) -> object:
        ids = [f"m{number}" for number in range(asked)]
        return memories.known(connection, ORG, "actor:ann", digests=[], slots=[], memory_ids=ids)

    [plan] = await sqlite_database.read(plans, ask, table="memories")
    assert plan.endswith("(org_id=? AND memory_id=?)")
