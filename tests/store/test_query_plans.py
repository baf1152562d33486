"""What SQLite goes through for a question: the rows asked for, however many others the org has."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from memcairn.domain.events import Event
from memcairn.domain.memories import Memory
from memcairn.domain.scopes import EVERYTHING
from memcairn.store import events, memories, orgs, provenance, rows, schema, session_search, support
from memcairn.store.database import SqliteDatabase
from memcairn.store.events import EventFilter
from memcairn.store.index import wide
from memcairn.store.index_schema import index_rows
from memcairn.store.memories import MemoryFilter, MemoryRow
from memcairn.store.provenance import Place, SourceFilter
from memcairn.store.schema import sessions
from tests.build import NOW, ORG, digest, make

pytestmark = pytest.mark.anyio

BY_THEIR_IDS = "SEARCH events USING INDEX sqlite_autoindex_events_1 (org_id=? AND event_id=?)"
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
        if statement.startswith(("SELECT", "UPDATE", "WITH"))
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
    assert set(found) == {BY_THEIR_IDS}


OF_A_PERSON = {
    "SEARCH events USING INDEX ix_events_org_id_actor_id_created_at (org_id=? AND actor_id=?)",
    "SEARCH events USING INDEX sqlite_autoindex_events_2 (org_id=? AND session_id=?)",
}


@pytest.mark.parametrize("count", [0, 1, 40])
async def test_events_of_a_person_are_read_by_the_person_and_the_sessions(
    sqlite_database: SqliteDatabase, count: int
) -> None:
    sessions_of = [f"s{number}" for number in range(count)]

    def to_erase(connection: Connection) -> object:
        return events.to_erase_of(connection, ORG, actor_id="ann", session_ids=sessions_of, limit=60)

    def hide(connection: Connection) -> object:
        return events.hide_some_of(connection, ORG, actor_id="ann", session_ids=sessions_of, now=NOW, limit=60)

    for ask in (to_erase, hide):
        found = await sqlite_database.write(plans, ask, table="events")
        assert {plan.replace(" COVERING", "") for plan in found} - {BY_THEIR_IDS} == OF_A_PERSON


@pytest.mark.parametrize("after", [None, Place(NOW, 3, "e1")])
@pytest.mark.parametrize("source", [SourceFilter(actor_id="ann"), SourceFilter(session_id="s1", actor_id="ann")])
async def test_events_of_a_source_are_read_by_its_session_or_actor(
    sqlite_database: SqliteDatabase, source: SourceFilter, after: Place | None
) -> None:
    def ask(connection: Connection) -> object:
        return provenance.came_from(connection, ORG, source, after=after, limit=60)

    [plan] = await sqlite_database.read(plans, ask, table="events")
    assert "(org_id=? AND session_id=?" in plan or "(org_id=? AND actor_id=?" in plan


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


AFTER_EVENT = events.Mark(NOW, 3, "e1")
AFTER_MEMORY = memories.Mark(NOW, "m1")

LISTS: dict[str, tuple[str, str, Callable[[Connection], object]]] = {
    "events of a session": (
        "events",
        "session_id=?",
        lambda c: events.page(c, ORG, EventFilter(session_id="s"), after=AFTER_EVENT, limit=50),
    ),
    "events of an actor": (
        "events",
        "actor_id=?",
        lambda c: events.page(c, ORG, EventFilter(actor_id="a"), after=AFTER_EVENT, limit=50),
    ),
    "events, further on": (
        "events",
        "(created_at,position,event_id)>(?,?,?)",
        lambda c: events.page(c, ORG, EventFilter(), after=AFTER_EVENT, limit=50),
    ),
    "what a session said in a span of time": (
        "events",
        "session_id=?",
        lambda c: events.page_by_time(c, ORG, EventFilter(session_id="s"), newest_first=True, skip=0, limit=50),
    ),
    "memories of an actor, further on": (
        "memories",
        "actor_id=? AND (observed_at,memory_id)<(?,?)",
        lambda c: memories.page(
            c, ORG, MemoryFilter(actor_id="a"), sort="observed_at_desc", after=AFTER_MEMORY, limit=50
        ),
    ),
    "memories, further on": (
        "memories",
        "(observed_at,memory_id)<(?,?)",
        lambda c: memories.page(c, ORG, MemoryFilter(), sort="observed_at_desc", after=AFTER_MEMORY, limit=50),
    ),
    "memories as they were stored, further on": (
        "memories",
        "(created_at,memory_id)<(?,?)",
        lambda c: memories.page(c, ORG, MemoryFilter(), sort="created_at_desc", after=AFTER_MEMORY, limit=50),
    ),
    "memories of a session": (
        "memories",
        "session_id=?",
        lambda c: memories.page(c, ORG, MemoryFilter(session_id="s"), sort="observed_at_desc", limit=50),
    ),
    "an export, further on": (
        "events",
        "event_id>?",
        lambda c: rows.page(c, schema.events, after=[ORG, "e1"], limit=50, org_id=ORG),
    ),
}


@pytest.mark.parametrize("name", LISTS)
async def test_a_page_of_a_list_is_read_from_where_it_begins(sqlite_database: SqliteDatabase, name: str) -> None:
    table, read_by, ask = LISTS[name]

    found = await sqlite_database.read(plans, ask, table=table)

    assert found
    assert read_by in found[0]


@pytest.mark.parametrize("of_a_scope", [True, False])
async def test_neighbours_of_hits_are_read_by_their_places_in_sessions(
    sqlite_database: SqliteDatabase, of_a_scope: bool
) -> None:
    scope = "actor:ann" if of_a_scope else EVERYTHING

    def fill(connection: Connection) -> None:
        for number in (1, 2):
            row = {"org_id": ORG, "memory_id": f"m{number}", "segment": 0, "row_number": number, "position": number}
            row |= {"scope_key": "actor:ann", "session_id": f"s{number}", "source": "ann", "kind": "episodic"}
            row |= {"type": "message", "traits": 0, "occurred_at": 0, "terms": b""}
            connection.execute(insert(index_rows), row)

    def ask(connection: Connection) -> object:
        return wide.with_neighbours(connection, ORG, [scope], [1, 2])

    await sqlite_database.write(fill)
    by_number, *around = await sqlite_database.read(plans, ask)
    assert "row_number=?" in by_number
    assert len(around) == 2
    assert all("session_id=? AND position>? AND position<?" in plan for plan in around)
