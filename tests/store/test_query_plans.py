"""What SQLite goes through for a question: the rows asked for, however many others the org has."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from memcairn.domain.events import Event
from memcairn.domain.memories import Memory
from memcairn.store import events, memories, orgs, session_search, support
from memcairn.store.database import SqliteDatabase
from memcairn.store.index import wide
from memcairn.store.memories import MemoryRow
from memcairn.store.schema import sessions
from tests.build import NOW, ORG, digest, make

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
        if statement.startswith(("SELECT", "UPDATE"))
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


ASKED_BY_IDS: dict[str, tuple[str, str, Callable[[Connection, Sequence[str]], object]]] = {
    "what rests on events": ("memory_sources", "event_id", lambda c, ids: memories.ids_by_sources(c, ORG, ids)),
    "what memories support": (
        "memory_support",
        "supporting_memory_id",
        lambda c, ids: support.affected_by(c, ORG, ids),
    ),
    "where memories are kept": ("memory_groups", "memory_id", lambda c, ids: support.places(c, ORG, ids)),
    "known memories": (
        "memories",
        "memory_id",
        lambda c, ids: memories.known(c, ORG, "actor:ann", digests=[], slots=[], memory_ids=ids),
    ),
}


@pytest.mark.parametrize("asked", [1, 2, 50, 500])
@pytest.mark.parametrize("question", ASKED_BY_IDS)
async def test_what_is_asked_for_by_ids_is_read_by_them(
    sqlite_database: SqliteDatabase, question: str, asked: int
) -> None:
    table, column, ask = ASKED_BY_IDS[question]
    ids = [f"id{number}" for number in range(asked)]

    [plan] = await sqlite_database.read(plans, lambda connection: ask(connection, ids), table=table)

    assert plan.endswith(f"(org_id=? AND {column}=?)")


@pytest.mark.parametrize("asked", [1, 50])
async def test_events_are_hidden_by_their_ids(sqlite_database: SqliteDatabase, asked: int) -> None:
    def ask(connection: Connection) -> object:
        return events.mark_deleted(connection, ORG, [f"e{number}" for number in range(asked)], NOW)

    found = await sqlite_database.write(plans, ask, table="events")
    assert set(found) == {"SEARCH events USING INDEX sqlite_autoindex_events_1 (org_id=? AND event_id=?)"}


@pytest.mark.parametrize("table", ["events", "memory_sources"])
async def test_what_memories_carry_is_read_by_their_events(sqlite_database: SqliteDatabase, table: str) -> None:
    def fill(connection: Connection) -> None:
        orgs.add(connection, "other", "Other", NOW)
        session = {"org_id": "other", "session_id": "s1", "session_uuid": "u1", "number": 1}
        connection.execute(insert(sessions), session | {"created_at": NOW, "updated_at": NOW})
        event = make(Event, org_id="other", event_id="e1", session_id="s1")
        events.add(connection, [event], [digest("e1")])
        memory = make(Memory, org_id="other", memory_id="m1", session_id="s1", source_event_ids=["e1"])
        memories.add(connection, [MemoryRow(memory, digest="d")])

    def ask(connection: Connection) -> object:
        carried = support.carried(connection, "other", ["m1", "m2"])
        assert set(carried) == {"m1"}
        return carried

    await sqlite_database.write(fill)
    found = await sqlite_database.read(plans, ask, table=table)
    assert found
    assert all("(org_id=? AND " in plan for plan in found)


async def test_what_has_risen_to_a_scope_is_read_by_that_scope(sqlite_database: SqliteDatabase) -> None:
    def ask(connection: Connection) -> object:
        return support.risen(connection, ORG, "role:nurse")

    for table in ("memories", "memory_groups"):
        [plan] = await sqlite_database.read(plans, ask, table=table)
        assert "(org_id=? AND " in plan
