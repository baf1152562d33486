"""Every table and every statement keeps to one org: the schema can be sharded by `org_id`."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import ForeignKeyConstraint, Table, UniqueConstraint, event, select, text

from memcairn.core import (
    actors,
    collections,
    documents,
    groups,
    jobs,
    memories,
    messages,
    sessions,
    summaries,
    usage,
    users,
)
from memcairn.core.deps import Deps
from memcairn.core.document_search import DocumentQuery, search_documents
from memcairn.core.events import EventFilter, list_events
from memcairn.core.idempotency import repeatable_request
from memcairn.core.ingest import ingest, statuses
from memcairn.core.purge import purge
from memcairn.core.recall import Recalls, write_recalls
from memcairn.core.search import SearchQuery, search
from memcairn.core.statistics import memory_stats
from memcairn.domain.collections import NewDocument
from memcairn.domain.conversations import NewMessage
from memcairn.domain.events import NewEvent
from memcairn.domain.groups import GroupKind
from memcairn.domain.keys import Principal
from memcairn.domain.memories import Memory
from memcairn.domain.usage import Dimension
from memcairn.pipeline.worker import Worker
from memcairn.store import wiping
from memcairn.store.database import SqliteDatabase
from memcairn.store.index.postgres import PostgresIndex
from memcairn.store.memories import MemoryFilter
from memcairn.store.postgres import PostgresDatabase
from memcairn.store.schema import metadata
from tests.build import ORG, make

TENANT_TABLES = [table for table in metadata.sorted_tables if table.info.get("tenancy") != "global"]
TABLE_NAMES = {table.name for table in TENANT_TABLES}
EXERCISED = {
    *("events", "sessions", "users", "summaries", "memories", "memory_sources", "memory_history"),
    *("index_rows", "index_scopes", "collections", "documents", "counters", "idempotency"),
    *("roles", "teams", "usage", "usage_months", "memory_tallies", "actor_tallies"),
}
"""Tables that the use-cases below must have reached, so that the recorder had something to hear."""

TOUCHED = re.compile(r"\b(?:FROM|INTO|UPDATE|JOIN|,)\s+\"?(\w+)\"?", re.IGNORECASE)
BOUND = re.compile(r"(?:\borg_id\s*=\s*(?:\?|%\(|'))|(?:\(org_id\b)", re.IGNORECASE)
UNSHARDABLE = re.compile(
    r"\bMERGE\s+INTO\b|\bLOCK\s+TABLE\b|\bTRUNCATE\b|\bpg_(?:try_)?advisory_lock|\bSET\s+SESSION\b|\bnextval\b"
    r"|^\s*SET\s+(?!LOCAL\b|TRANSACTION\b)|\bUPDATE\s+\w+\s+SET\s+(?:\w+\s*=\s*[^,]+,\s*)*org_id\s*=",
    re.IGNORECASE,
)
"""What a sharded database, or a transaction pooler before it, does not carry out."""


@pytest.mark.parametrize("table", TENANT_TABLES, ids=lambda table: table.name)
class TestTables:
    def test_the_org_comes_first_in_every_key(self, table: Table) -> None:
        keys: dict[str, Sequence[str]] = {"primary key": [column.name for column in table.primary_key]}
        for constraint in table.constraints:
            if isinstance(constraint, UniqueConstraint):
                keys[str(constraint.name)] = [column.name for column in constraint.columns]
        for index in table.indexes:
            keys[str(index.name)] = [column.name for column in index.columns]

        assert {name for name, columns in keys.items() if columns[0] != "org_id"} == set()

    def test_a_foreign_key_stays_inside_the_org(self, table: Table) -> None:
        for key in table.constraints:
            if isinstance(key, ForeignKeyConstraint):
                assert key.column_keys[0] == "org_id"
                assert key.elements[0].column.name == "org_id"
                assert key.referred_table.name in TABLE_NAMES

    def test_a_row_without_an_org_cannot_be(self, table: Table) -> None:
        assert table.c.org_id.nullable is False
        assert table.c.org_id.primary_key

    def test_no_number_comes_from_a_sequence_of_one_machine(self, table: Table) -> None:
        assert [column.name for column in table.c if column.identity is not None or column.default is not None] == [
            column.name for column in table.c if column.default is not None and column.default.is_scalar
        ]
        assert table.autoincrement_column is None or table.autoincrement_column.autoincrement is False

    def test_no_check_waits_for_the_end_of_the_transaction(self, table: Table) -> None:
        assert [str(constraint.name) for constraint in table.constraints if constraint.deferrable] == []

    def test_every_org_column_has_one_type(self, table: Table) -> None:
        assert str(table.c.org_id.type) == str(metadata.tables["orgs"].c.org_id.type)


def test_global_tables_are_few_and_known() -> None:
    assert {table.name for table in metadata.sorted_tables} - TABLE_NAMES == {"orgs", "api_keys", "jobs"}


def test_nothing_refers_to_the_queue_which_is_not_sharded() -> None:
    keys = [key for table in metadata.sorted_tables for key in table.foreign_key_constraints]

    assert "jobs" not in {key.referred_table.name for key in keys}


class Recorder:
    """What was executed on an engine, and which of it touched a tenant's table without saying whose."""

    def __init__(self) -> None:
        self.touched: set[str] = set()
        self.unbound: list[str] = []
        self.unshardable: list[str] = []

    def note(self, statement: str, parameters: Sequence[Any]) -> None:
        tenant_tables = TABLE_NAMES & set(TOUCHED.findall(statement))
        self.touched |= tenant_tables
        of_nobody = tenant_tables == {"counters"} and _holds(parameters, wiping.OF_ALL)
        if tenant_tables and not (BOUND.search(statement) and (_holds(parameters, ORG) or of_nobody)):
            self.unbound.append(statement)
        if UNSHARDABLE.search(statement) and not statement.startswith("PRAGMA"):
            self.unshardable.append(statement)


def _holds(parameters: Sequence[Any], org_id: str) -> bool:
    every_set = parameters if isinstance(parameters, list) else [parameters]
    return all(org_id in (each.values() if isinstance(each, dict) else each) for each in every_set)


@contextmanager
def recorded_by_driver(database: SqliteDatabase) -> Iterator[Recorder]:
    """As SQLite itself tells, with the values in their places: it hears statements that go past SQLAlchemy too."""
    recorder = Recorder()

    def note(statement: str) -> None:
        recorder.note(statement, [{ORG: ORG}] if f"'{ORG}'" in statement else [{}])

    def listen(driver: Any, _record: object = None) -> None:
        driver.set_trace_callback(note)

    for connection in (database._connection, *database._readers.connections):
        listen(connection.connection.dbapi_connection)
    event.listen(database._reader_engine, "connect", listen)
    yield recorder
    event.remove(database._reader_engine, "connect", listen)


@contextmanager
def recorded_by_psycopg(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    """What any cursor is given: statements that go past SQLAlchemy too."""
    recorder = Recorder()
    with monkeypatch.context() as patched:
        for name in ("execute", "executemany"):
            carry_out = getattr(psycopg.Cursor, name)

            def noted(cursor: object, sql: str, bound: Any = None, *, call: Any = carry_out, **options: Any) -> Any:
                recorder.note(sql, [] if bound is None else bound)
                return call(cursor, sql, bound, **options)

            patched.setattr(psycopg.Cursor, name, noted)
        yield recorder


@pytest.mark.anyio
async def test_every_statement_says_whose_rows_it_means(
    sqlite_database: SqliteDatabase, deps: Deps, principal: Principal
) -> None:
    with recorded_by_driver(sqlite_database) as recorder:
        await _remember(deps, principal)
        await _converse(deps, principal)
        await _file(deps, principal)
        await _organise(deps, principal)
        await _clean_up(deps, principal)

    assert recorder.unbound == []
    assert recorder.unshardable == []
    assert recorder.touched >= EXERCISED


@pytest.mark.anyio
@pytest.mark.postgres
async def test_every_statement_on_postgres_says_it_too(
    postgres_database: PostgresDatabase, deps: Deps, principal: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = replace(deps, db=postgres_database, index=PostgresIndex())
    with recorded_by_psycopg(monkeypatch) as recorder:
        await _remember(there, principal)
        await _converse(there, principal)
        await _file(there, principal)
        await _organise(there, principal)
        await _clean_up(there, principal)

    assert recorder.unbound == []
    assert recorder.unshardable == []
    assert recorder.touched >= EXERCISED


async def _remember(deps: Deps, principal: Principal) -> None:
    """Events, the memories made of them, and what a person may do with those."""
    spoken = ["I moved to Lisbon last week.", "I moved to Porto last week.", "I moved to Lisbon last week.", "thanks!"]
    new = [make(NewEvent, content=words, session_id=f"s{n % 2}") for n, words in enumerate(spoken)]
    repeatable = repeatable_request("once", "POST /v1/events", spoken)
    for _ in range(2):
        event_ids = await ingest(deps, principal, new, repeatable=repeatable)
    recalls = Recalls()
    await search(deps, recalls, principal, SearchQuery("where did I move?", actor_id="ann"))
    while await Worker(deps).run_once():
        pass
    for actor_id in (None, "ann"):
        query = SearchQuery("where did I move?", actor_id=actor_id, include_source_events=True, explain=True)
        assert await search(deps, recalls, principal, query)
    await write_recalls(deps, recalls)
    await statuses(deps, principal, event_ids)
    heard = EventFilter(session_id="s0")
    await _page_through(lambda cursor: list_events(deps, principal, heard, limit=1, cursor=cursor))
    everything = MemoryFilter(text="o")
    listed: list[Memory] = await _page_through(
        lambda cursor: memories.list_memories(deps, principal, everything, sort="strength_desc", limit=1, cursor=cursor)
    )
    assert listed
    changed, gone = listed[0].memory_id, listed[-1].memory_id
    await memories.update_memory(deps, principal, changed, {"text": "Ann moved to Faro."})
    await memories.memory_history(deps, principal, changed)
    await memories.memory_sources(deps, principal, changed)
    await memories.delete_memory(deps, principal, gone)
    await jobs.list_jobs(deps, principal, status=None, limit=10)


async def _converse(deps: Deps, principal: Principal) -> None:
    """A user, a session and messages up to a summary."""
    await users.create_user(deps, principal, "zoe")
    await users.update_user(deps, principal, "zoe", metadata={"likes": {"tea": True}})
    await sessions.create_session(deps, principal, "chat", user_id="zoe", metadata={"a": 1})
    said = [NewMessage(role="human", content=f"Message {n} is about Porto.") for n in range(3 * deps.summary_window)]
    message_ids = await messages.add_messages(deps, principal, "chat", said)
    await sessions.update_session(deps, principal, "chat", metadata={"b": 2})
    while await Worker(deps).run_once():
        pass
    assert await summaries.latest_summary(deps, principal, "chat") is not None
    await messages.delete_message(deps, principal, "chat", message_ids[0])
    await _page_through(lambda cursor: messages.list_messages(deps, principal, "chat", limit=20, cursor=cursor))
    await _page_through(lambda cursor: sessions.list_sessions(deps, principal, limit=1, cursor=cursor))
    await _page_through(lambda cursor: users.list_users(deps, principal, limit=1, cursor=cursor))
    await _page_through(lambda cursor: summaries.list_summaries(deps, principal, "chat", limit=1, cursor=cursor))


async def _file(deps: Deps, principal: Principal) -> None:
    """A collection of documents."""
    await collections.add_collection(deps, principal, "travels")
    new = [NewDocument(content=f"Trains of Porto, part {n}") for n in range(3)]
    uuids = await documents.add_documents(deps, principal, "travels", new)
    while await Worker(deps).run_once():
        pass
    found = await search_documents(deps, principal, "travels", DocumentQuery(text="trains"))
    assert len(found.items) == 3
    await documents.delete_documents(deps, principal, "travels", uuids[:1])
    await collections.list_collections(deps, principal, limit=5)
    await collections.delete_collection(deps, principal, "travels")


async def _organise(deps: Deps, principal: Principal) -> None:
    """What an admin of the org does."""
    for kind in GroupKind:
        made = await groups.create_group(deps, principal, kind, name="Pilots")
        await groups.update_group(deps, principal, kind, made.group_id, {"focus": "tides"})
        await groups.regenerate_prompt(deps, principal, kind, made.group_id)
        await groups.list_groups(deps, principal, kind, limit=1)
        await groups.delete_group(deps, principal, kind, made.group_id)
    for sort in ("last_memory_desc", "actor_id_asc"):
        await _everybody(deps, principal, sort)
    await actors.get_actor(deps, principal, "ann")
    for actor_id in (None, "ann"):
        await memory_stats(deps, principal, actor_id=actor_id)
    deps.meter.note(principal, Dimension.API_CALLS, 1, deps.clock.now())
    await usage.write_usage(deps)
    await usage.usage_summary(deps, principal)
    await usage.usage_timeseries(deps, principal, dimension=Dimension.API_CALLS)


async def _everybody(deps: Deps, principal: Principal, sort: str) -> None:
    await _page_through(lambda cursor: actors.list_actors(deps, principal, sort=sort, q="n", limit=1, cursor=cursor))


async def _clean_up(deps: Deps, principal: Principal) -> None:
    """Deleting, and removing what was deleted for good."""
    await sessions.delete_session(deps, principal, "chat")
    await users.erase_user(deps, principal, "zoe")
    await purge(deps, older_than=timedelta(0))


async def _page_through(load: Callable[[str | None], Any]) -> list[Any]:
    page = await load(None)
    items = [*page.items]
    while page.next_cursor is not None:
        page = await load(page.next_cursor)
        items += page.items
    return items


class TestTheRecorderItself:
    @pytest.mark.parametrize(
        ("statement", "parameters"),
        [
            ("SELECT * FROM events WHERE event_id = ?", ("e1",)),
            ("SELECT * FROM events WHERE org_id = ?", ("someone",)),
            ("UPDATE memories SET text = ? WHERE memory_id = ?", ("x", ORG)),
            ("DELETE FROM sessions", ()),
            ("SELECT * FROM orgs JOIN events ON events.org_id = orgs.org_id", ()),
            ("INSERT INTO events (event_id) VALUES (?)", [("e1",), ("e2",)]),
            ("INSERT INTO events (org_id, event_id) VALUES (?, ?)", [(ORG, "e1"), ("someone", "e2")]),
        ],
    )
    def test_a_statement_that_forgets_the_org_is_noticed(self, statement: str, parameters: Any) -> None:
        recorder = Recorder()

        recorder.note(statement, parameters)

        assert recorder.unbound == [statement]

    @pytest.mark.parametrize(
        ("statement", "parameters"),
        [
            ("SELECT * FROM events WHERE events.org_id = ? AND event_id = ?", (ORG, "e1")),
            ("INSERT INTO events (org_id, event_id) VALUES (?, ?)", (ORG, "e1")),
            ("SELECT * FROM api_keys WHERE key_id = ?", ("k",)),
            ("SELECT * FROM events WHERE events.org_id = %(org_id_1)s", {"org_id_1": ORG}),
        ],
    )
    def test_a_statement_that_names_it_passes(self, statement: str, parameters: Any) -> None:
        recorder = Recorder()

        recorder.note(statement, parameters)

        assert recorder.unbound == []

    @pytest.mark.parametrize(
        "statement",
        [
            "MERGE INTO events USING new ON events.org_id = ?",
            "LOCK TABLE events IN SHARE MODE",
            "TRUNCATE events",
            "SET statement_timeout = 5",
            "SELECT pg_advisory_lock(1)",
            "SELECT nextval('numbers')",
            "UPDATE events SET held = ?, org_id = ? WHERE org_id = ?",
        ],
    )
    def test_a_statement_no_cluster_carries_out_is_noticed(self, statement: str) -> None:
        recorder = Recorder()

        recorder.note(statement, (ORG,))

        assert recorder.unshardable == [statement]

    @pytest.mark.parametrize(
        "statement",
        [
            "SET LOCAL statement_timeout = 5",
            "UPDATE events SET held = ? WHERE org_id = ?",
            "SELECT pg_advisory_xact_lock(1)",
        ],
    )
    def test_one_that_it_carries_out_passes(self, statement: str) -> None:
        recorder = Recorder()

        recorder.note(statement, (ORG,))

        assert recorder.unshardable == []

    @pytest.mark.anyio
    async def test_it_hears_both_engines_of_a_database(self, sqlite_database: SqliteDatabase) -> None:
        with recorded_by_driver(sqlite_database) as recorder:
            await sqlite_database.read(lambda connection: connection.execute(text("SELECT 1 FROM events")).all())
            await sqlite_database.write(lambda connection: connection.execute(select(metadata.tables["users"])).all())

        assert recorder.touched == {"events", "users"}
        assert len(recorder.unbound) == 2
