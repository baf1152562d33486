"""What SQLite goes through for a search: the rows asked for, however many others the org has."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy.event import listen, remove

from memcairn.store import session_search
from memcairn.store.database import SqliteDatabase
from memcairn.store.index import wide
from tests.build import ORG

pytestmark = pytest.mark.anyio

OF_A_ROW = "sqlite_autoindex_index_rows"
"""The unique indexes of index rows: by memory and by number."""


def plans(connection: Connection, ask: Callable[[Connection], object]) -> list[str]:
    """How SQLite carries out each statement of `ask`."""
    asked: list[tuple[str, Any]] = []

    def note(*call: Any) -> None:
        asked.append((call[2], call[3]))

    listen(connection, "before_cursor_execute", note)
    ask(connection)
    remove(connection, "before_cursor_execute", note)
    return [
        row.detail
        for statement, bound in asked
        for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", bound)
        if "index_rows" in row.detail
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
