"""The purge: only what was deleted goes, all of it, down to the last byte, and nobody has to wait."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert

from memcairn.core import purge as purging
from memcairn.core.deps import Deps
from memcairn.core.idempotency import repeatable_request
from memcairn.core.memories import MemoryFilter, delete_memory, list_memories, update_memory
from memcairn.core.messages import add_messages, delete_message, get_message, hold_message, restore_message
from memcairn.core.purge import purge, wipe
from memcairn.core.sessions import create_session, delete_session, get_session, update_session
from memcairn.domain.clock import FrozenClock
from memcairn.domain.conversations import NewMessage
from memcairn.domain.errors import NotFound
from memcairn.domain.keys import ALL_SCOPES, Principal
from memcairn.store import jobs, orgs, wiping
from memcairn.store import purge as purge_rows
from memcairn.store.database import SqliteDatabase
from memcairn.store.purge import Removed
from memcairn.store.schema import collections, documents
from tests.build import NOW, ORG
from tests.core.talk import contents, kept, process, rows, say

pytestmark = pytest.mark.anyio

AT_ONCE = timedelta(0)
CANARY = "xylocanary"
TABLES = "sessions events memories memory_sources memory_history summaries index_rows jobs idempotency".split()


def places_of(word: str, database_file: Path) -> Mapping[str, int]:
    """In which files beside the database a word occurs, in whatever case."""
    files = database_file.parent.glob(f"{database_file.name}*")
    counts = {file.name: file.read_bytes().lower().count(word.encode()) for file in files}
    return {name: count for name, count in counts.items() if count}


async def left(deps: Deps) -> dict[str, int]:
    """How many rows each table holds, without the empty ones."""
    counts = {}
    for table in TABLES:
        [[count]] = await rows(deps, f"SELECT count(*) FROM {table}")
        counts[table] = count
    return {table: count for table, count in counts.items() if count}


async def fill(deps: Deps, principal: Principal) -> str:
    """A session with a canary wherever a caller can put one, deleted; returns its id."""
    session_id = f"{CANARY}/session"
    repeatable = repeatable_request(f"{CANARY}-key", "POST", {})
    await create_session(deps, principal, session_id, metadata={CANARY: [CANARY]}, repeatable=repeatable)
    said = [
        NewMessage("user", f"I live in {CANARY}.", name=f"{CANARY} Ann", metadata={CANARY: CANARY}),
        NewMessage(CANARY, f"The {CANARY} opens at nine. " * 40, message_id=f"{CANARY}-message"),
        *(NewMessage("user", f"On Monday {n} people came to {CANARY}.") for n in range(14)),
    ]
    again = repeatable_request(f"{CANARY}-again", "POST", {})
    await add_messages(deps, principal, session_id, said, repeatable=again)
    await process(deps)
    page = await list_memories(deps, principal, MemoryFilter(type="fact"), sort="created_at_desc", limit=9)
    await update_memory(deps, principal, page.items[0].memory_id, {"text": f"by hand: {CANARY}", "tags": [CANARY]})
    await say(deps, principal, session_id, f"Unprocessed {CANARY}.")
    await give_up_on_jobs(deps)
    return session_id


async def give_up_on_jobs(deps: Deps) -> None:
    """Whatever waits is declared dead, with words of its events in the reason."""

    def fail(connection: Connection) -> None:
        for job in jobs.claim(connection, "w", deps.clock.now(), limit=99):
            last_attempt = replace(job, attempts=job.max_attempts)
            jobs.fail(connection, last_attempt, f"ValueError: {CANARY}", deps.clock.now(), retry_after=AT_ONCE)

    await deps.db.write(fail)


class TestWhatGoes:
    async def test_every_row_of_a_deleted_session_goes(self, deps: Deps, principal: Principal) -> None:
        await delete_session(deps, principal, await fill(deps, principal))

        report = await purge(deps, older_than=AT_ONCE)

        assert await left(deps) == {}
        assert report.wiped
        assert report.counts["events"] == 17
        assert report.counts.keys() == {
            "events", "idempotency", "jobs", "memories", "memory_history", "memory_sources", "sessions", "summaries"
        }  # fmt: skip

    async def test_what_was_not_deleted_stays(self, deps: Deps, principal: Principal) -> None:
        await say(deps, principal, "s1", "The heron nests here.", "The ferry leaves at noon.", message_id=None)
        [gone] = await say(deps, principal, "s1", "The zanzibar opens at nine.")
        await process(deps)
        await delete_message(deps, principal, "s1", gone)
        before = await left(deps)

        report = await purge(deps, older_than=AT_ONCE)

        assert report.counts == {"events": 1, "memories": 1, "memory_history": 1, "memory_sources": 1}
        after = await left(deps)
        assert {table: before[table] - after[table] for table in before} == {
            table: report.counts.get(table, 0) for table in before
        }
        assert await contents(deps, principal, "s1") == ["The heron nests here.", "The ferry leaves at noon."]
        assert await kept(deps, principal) == ["The ferry leaves at noon.", "The heron nests here."]

    async def test_what_was_deleted_lately_stays_restorable(
        self, deps: Deps, principal: Principal, clock: FrozenClock
    ) -> None:
        old, new = await say(deps, principal, "s1", "old", "new")
        await delete_message(deps, principal, "s1", old)
        clock.advance(timedelta(hours=2))
        await delete_message(deps, principal, "s1", new)

        await purge(deps, older_than=timedelta(hours=1))

        assert (await restore_message(deps, principal, "s1", new)).content == "new"
        with pytest.raises(NotFound):
            await restore_message(deps, principal, "s1", old)

    async def test_a_revived_session_keeps_what_is_new(self, deps: Deps, principal: Principal) -> None:
        await create_session(deps, principal, "s1", metadata={"a": 1})
        await say(deps, principal, "s1", "old")
        await delete_session(deps, principal, "s1")
        await say(deps, principal, "s1", "new")

        await purge(deps, older_than=AT_ONCE)

        assert await contents(deps, principal, "s1") == ["new"]
        assert (await get_session(deps, principal, "s1")).metadata == {"a": 1}

    async def test_afterwards_the_id_is_free(self, deps: Deps, principal: Principal) -> None:
        first = await create_session(deps, principal, "s1")
        await say(deps, principal, "s1", "old")
        await delete_session(deps, principal, "s1")
        await purge(deps, older_than=AT_ONCE)

        with pytest.raises(NotFound):
            await update_session(deps, principal, "s1")
        second = await create_session(deps, principal, "s1")

        assert second.session_uuid != first.session_uuid
        assert await contents(deps, principal, "s1") == []

    async def test_a_held_message_stays_with_its_session(self, deps: Deps, principal: Principal) -> None:
        held, other = await say(deps, principal, "s1", "held", "other")
        await hold_message(deps, principal, "s1", held, held=True)
        await delete_session(deps, principal, "s1")

        await purge(deps, older_than=AT_ONCE)

        assert (await restore_message(deps, principal, "s1", held)).content == "held"
        with pytest.raises(NotFound):
            await restore_message(deps, principal, "s1", other)

    async def test_no_longer_held_it_goes(self, deps: Deps, principal: Principal) -> None:
        [message_id] = await say(deps, principal, "s1", "held")
        await hold_message(deps, principal, "s1", message_id, held=True)
        await delete_session(deps, principal, "s1")
        await hold_message(deps, principal, "s1", message_id, held=False)

        await purge(deps, older_than=AT_ONCE)

        assert await left(deps) == {}

    async def test_only_the_org_asked_for_is_purged(self, deps: Deps, principal: Principal) -> None:
        await deps.db.write(orgs.add, "other", "Other", NOW)
        other = Principal("other", "k", ALL_SCOPES)
        for each in (principal, other):
            await say(deps, each, "s1", "words")
            await delete_session(deps, each, "s1")

        await purge(deps, older_than=AT_ONCE, org_id=ORG)

        assert await rows(deps, "SELECT org_id FROM sessions") == [("other",)]
        await purge(deps, older_than=AT_ONCE)
        assert await rows(deps, "SELECT org_id FROM sessions") == []

    async def test_deleted_documents_go_too(self, deps: Deps, principal: Principal) -> None:
        def add(connection: Connection) -> None:
            shared = {"org_id": ORG, "collection_id": "c", "metadata": {}, "created_at": NOW, "updated_at": NOW}
            of = {"name": "books", "embedding_dimensions": 8, "is_auto_embedded": True}
            connection.execute(insert(collections), shared | of)
            for uuid, deleted_at in (("kept", None), ("gone", NOW)):
                row = {"document_uuid": uuid, "content": uuid, "deleted_at": deleted_at}
                connection.execute(insert(documents), shared | row)

        await deps.db.write(add)

        assert (await purge(deps, older_than=AT_ONCE)).counts == {"documents": 1}
        assert await rows(deps, "SELECT document_uuid FROM documents") == [("kept",)]

    async def test_a_memory_deleted_by_hand_goes_and_is_not_derived_again(
        self, deps: Deps, principal: Principal
    ) -> None:
        [message_id] = await say(deps, principal, "s1", "The heron nests here.")
        await process(deps)
        page = await list_memories(deps, principal, MemoryFilter(), sort="created_at_desc", limit=9)
        await delete_memory(deps, principal, page.items[0].memory_id)

        await purge(deps, older_than=AT_ONCE)
        await process(deps)

        assert (await get_message(deps, principal, "s1", message_id)).content == "The heron nests here."
        assert await kept(deps, principal) == []
        assert "memories" not in await left(deps)

    async def test_a_job_keeps_the_events_that_are_left(self, deps: Deps, principal: Principal) -> None:
        gone, stays = await say(deps, principal, "s1", "The zanzibar opens at nine.", "The heron nests here.")
        await give_up_on_jobs(deps)
        await delete_message(deps, principal, "s1", gone)

        await purge(deps, older_than=AT_ONCE)

        [(payload, error)] = await rows(deps, "SELECT payload, error FROM jobs")
        assert stays in str(payload)
        assert (gone in payload, error) == (False, None)

    async def test_twice_at_once_does_no_harm(self, deps: Deps, principal: Principal) -> None:
        await delete_session(deps, principal, await fill(deps, principal))

        first, second = await asyncio.gather(*(purge(deps, older_than=AT_ONCE) for _ in range(2)))

        assert await left(deps) == {}
        assert first.counts.get("events", 0) + second.counts.get("events", 0) == 17


class TestTraces:
    async def test_not_a_byte_of_a_deleted_session_is_left(
        self, deps: Deps, principal: Principal, database_file: Path
    ) -> None:
        for n in range(40):
            await say(deps, principal, f"kept {n}", *(f"The heron number {m} nests here." for m in range(10)))
        await process(deps)
        session_id = await fill(deps, principal)
        assert places_of(CANARY, database_file)
        await delete_session(deps, principal, session_id)

        await purge(deps, older_than=AT_ONCE)

        assert places_of(CANARY, database_file) == {}
        await deps.db.close()
        assert places_of(CANARY, database_file) == {}

    async def test_not_a_byte_is_left_after_rows_were_moved_about(
        self, deps: Deps, principal: Principal, database_file: Path
    ) -> None:
        for n in range(60):
            word = CANARY if n % 2 else "heron"
            said = [NewMessage("user", f"{word} {n} {m} " * (m % 7 + 1)) for m in range(12)]
            await add_messages(deps, principal, f"{word}-{n * 7919 % 60}", said)
        await process(deps)
        listed = [
            row[0] for row in await rows(deps, f"SELECT session_id FROM sessions WHERE session_id LIKE '{CANARY}%'")
        ]
        for session_id in listed:
            await delete_session(deps, principal, session_id)

        await purge(deps, older_than=AT_ONCE)

        assert places_of(CANARY, database_file) == {}
        assert await rows(deps, "PRAGMA integrity_check") == [("ok",)]
        await deps.db.write(check_words)

    async def test_words_that_were_replaced_leave_no_byte(
        self, deps: Deps, principal: Principal, database_file: Path
    ) -> None:
        await say(deps, principal, "s1", f"The {CANARY} opens at nine.", message_id="m1")
        await process(deps)
        await say(deps, principal, "s1", "The heron nests here.", message_id="m1")
        await process(deps)

        await purge(deps, older_than=AT_ONCE)

        assert places_of(CANARY, database_file) == {}

    async def test_a_reader_in_the_way_leaves_it_owed_and_the_next_purge_finishes(
        self, deps: Deps, principal: Principal, database_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("memcairn.store.database.WIPE_TRIES", 3)
        await delete_session(deps, principal, await fill(deps, principal))
        entered, leave = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def look_on(connection: Connection) -> None:
            connection.exec_driver_sql("SELECT count(*) FROM events").all()
            loop.call_soon_threadsafe(entered.set)
            asyncio.run_coroutine_threadsafe(leave.wait(), loop).result(30)

        reading = asyncio.create_task(deps.db.read(look_on))
        await entered.wait()

        report = await purge(deps, older_than=AT_ONCE)

        assert not report.wiped
        leave.set()
        await reading
        assert await deps.db.read(wiping.owed)
        assert (await purge(deps, older_than=AT_ONCE)).wiped
        assert places_of(CANARY, database_file) == {}
        assert not await deps.db.read(wiping.owed)

    async def test_nothing_is_wiped_where_nothing_was_removed(self, deps: Deps, principal: Principal) -> None:
        await say(deps, principal, "s1", "The heron nests here.")

        report = await purge(deps, older_than=AT_ONCE)

        assert (report.counts, report.wiped) == ({}, True)
        assert await wipe(deps)

    async def test_a_second_process_that_has_the_file_open_brings_nothing_back(
        self, deps: Deps, principal: Principal, database_file: Path
    ) -> None:
        session_id = await fill(deps, principal)
        other = SqliteDatabase(database_file)
        await other.write(lambda c: c.exec_driver_sql("UPDATE events SET updated_at = updated_at").rowcount)
        await delete_session(deps, principal, session_id)

        await purge(deps, older_than=AT_ONCE)
        await other.write(orgs.add, "another", "Another", NOW)
        await other.close()

        assert places_of(CANARY, database_file) == {}


def check_words(connection: Connection) -> None:
    """Raises when the word index does not agree with itself."""
    connection.exec_driver_sql("INSERT INTO memory_words (memory_words) VALUES ('integrity-check')")


async def test_requests_go_on_between_the_pieces_of_a_purge(
    deps: Deps, principal: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purging, "ROWS_AT_ONCE", 2)
    await say(deps, principal, "s1", *(f"words {n}" for n in range(40)))
    await delete_session(deps, principal, "s1")
    purge_running = asyncio.create_task(purge(deps, older_than=AT_ONCE))
    seen = set()

    while not purge_running.done():
        await say(deps, principal, "s2", "meanwhile")
        [[count]] = await rows(deps, "SELECT count(*) FROM events WHERE session_id = 's1'")
        seen.add(count)

    assert len(seen - {0, 40}) >= 3
    await purge_running


@pytest.mark.parametrize(("step_seconds", "expected"), [(0.0, {5}), (60.0, {5, 10, 20, 40, 60})])
async def test_a_purge_takes_as_many_rows_at_once_as_writers_can_wait_for(
    deps: Deps, principal: Principal, monkeypatch: pytest.MonkeyPatch, step_seconds: float, expected: set[int]
) -> None:
    limits: list[int] = []
    remove = purge_rows.remove_some

    def noted(connection: Connection, org_id: str, until: datetime, *, limit: int) -> Removed:
        limits.append(limit)
        return remove(connection, org_id, until, limit=limit)

    monkeypatch.setattr(purge_rows, "remove_some", noted)
    monkeypatch.setattr(purging, "STEP_SECONDS", step_seconds)
    await say(deps, principal, "s1", *(f"words {n}" for n in range(100)))
    await delete_session(deps, principal, "s1")

    report = await purge(deps, older_than=AT_ONCE)

    assert report.counts["events"] == 100
    assert set(limits) == expected
