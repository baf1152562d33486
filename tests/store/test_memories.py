"""Memories at rest: what they say, what they rest on, what became of them, and lists that page exactly."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from memcairn.domain.events import Event
from memcairn.domain.memories import Entity, Memory, MemoryKind, MemoryStatus
from memcairn.domain.scopes import Level, Scope, actor_scope
from memcairn.store import events, memories, sessions
from memcairn.store.database import Database
from memcairn.store.memories import SORTS, Mark, MemoryFilter, MemoryRow, NewChange
from tests.build import NOW, ORG, at, digest, make

pytestmark = pytest.mark.anyio

ANY = MemoryFilter()


@pytest.fixture
async def heard(database: Database) -> list[Event]:
    """Three events for memories to rest on."""
    spoken = [make(Event, event_id=f"e{n}", position=n, content=f"word {n}") for n in (1, 2, 3)]

    def say(connection: Connection) -> None:
        sessions.reserve(connection, ORG, {"s1": 3}, NOW)
        events.add(connection, spoken, [digest(event.content) for event in spoken])

    await database.write(say)
    return spoken


async def store(db: Database, *stored: Memory) -> None:
    await db.write(memories.add, [make(MemoryRow, memory=memory, digest=memory.text) for memory in stored])


async def one(db: Database, memory_id: str) -> Memory:
    [found] = await db.read(memories.by_ids, ORG, [memory_id])
    return found


async def page(
    db: Database,
    where: MemoryFilter = ANY,
    *,
    sort: str = "observed_at_desc",
    after: Mark | None = None,
    limit: int = 100,
) -> list[Memory]:
    return await db.read(memories.page, ORG, where, sort=sort, after=after, limit=limit)


class TestRoundTrip:
    async def test_a_memory_comes_back_as_it_went_in(self, database: Database, heard: Sequence[Event]) -> None:
        memory = make(
            Memory,
            scope=Scope(Level.ROLE, role_id="nurse"),
            session_id="s1",
            position=3,
            kind=MemoryKind.PROCEDURAL,
            status=MemoryStatus.ARCHIVED,
            text="Zürich \U0001f600",
            title="A title",
            slot="home",
            tags=("one", "two"),
            entities=(Entity("Zürich", "PLACE"),),
            strength=2.5,
            recall_count=4,
            last_recalled_at=at(3),
            pinned=True,
            valid_from=at(1),
            valid_to=at(2),
            supersedes="older",
            metadata={"deep": [1, None, {"é": 0.5}]},
            source_event_ids=("e2", "e1"),
        )

        await store(database, memory)

        assert await one(database, memory.memory_id) == memory

    @pytest.mark.parametrize("wrong", [{"strength": 5.1}, {"strength": -0.1}, {"confidence": 1.1}])
    async def test_values_out_of_range_are_refused(self, database: Database, wrong: dict[str, Any]) -> None:
        with pytest.raises(IntegrityError):
            await store(database, make(Memory, **wrong))

    async def test_ids_are_answered_in_the_order_asked_for(self, database: Database) -> None:
        await store(database, *(make(Memory, memory_id=name) for name in "abc"))

        found = await database.read(memories.by_ids, ORG, ["c", "nobody", "a"])

        assert [memory.memory_id for memory in found] == ["c", "a"]
        assert await database.read(memories.by_ids, "other", ["a"]) == []


class TestSources:
    async def test_a_source_is_added_behind_the_others(self, database: Database, heard: Sequence[Event]) -> None:
        await store(database, make(Memory, memory_id="m", source_event_ids=("e3",)))

        await database.write(memories.add_source, ORG, "m", "e1")

        assert (await one(database, "m")).source_event_ids == ("e3", "e1")

    async def test_a_deleted_event_is_no_source(self, database: Database, heard: Sequence[Event]) -> None:
        await store(database, make(Memory, memory_id="m", source_event_ids=("e1", "e2")))

        await database.write(events.mark_deleted, ORG, ["e1"], NOW)

        assert (await one(database, "m")).source_event_ids == ("e2",)

    async def test_memories_are_found_by_what_they_rest_on(self, database: Database, heard: Sequence[Event]) -> None:
        await store(
            database,
            make(Memory, memory_id="a", source_event_ids=("e1", "e2")),
            make(Memory, memory_id="b", source_event_ids=("e2",), type="message"),
            make(Memory, memory_id="c", source_event_ids=("e3",)),
        )
        await database.write(memories.mark_deleted, ORG, ["c"], NOW)

        assert sorted(await database.read(memories.ids_by_sources, ORG, ["e1", "e2", "e3"])) == ["a", "b"]
        assert await database.read(memories.verbatim_of, ORG, ["e1", "e2", "e3"]) == ["b"]
        assert await database.read(memories.ids_by_sources, "other", ["e1"]) == []

    async def test_erasing_takes_links_and_history_along(self, database: Database, heard: Sequence[Event]) -> None:
        await store(database, make(Memory, memory_id="m", source_event_ids=("e1",)))
        await database.write(memories.note_changes, ORG, [NewChange("m", "created", "because")], NOW)

        assert await database.write(memories.erase, ORG, ["m", "nobody"]) == 1

        assert await database.read(memories.source_ids, ORG, ["m"]) == {}
        assert await database.read(memories.history, ORG, "m") == []


class TestChanging:
    async def test_history_keeps_every_change_in_its_order(self, database: Database) -> None:
        await store(database, make(Memory, memory_id="m"))
        changes = [NewChange("m", f"c{n}", f"reason {n}", {"strength": n} if n else None) for n in range(3)]

        await database.write(memories.note_changes, ORG, changes, NOW)

        found = await database.read(memories.history, ORG, "m")
        assert [(c.change, c.reason, c.before) for c in found] == [(c.change, c.reason, c.before) for c in changes]

    async def test_recall_is_counted_on_top_of_what_is_stored(self, database: Database) -> None:
        await store(database, make(Memory, memory_id="m", recall_count=2))

        await database.write(memories.reinforce, ORG, {"m": 1.3, "gone": 2.0}, {"m": 3, "gone": 1}, at(5))

        changed = await one(database, "m")
        assert (changed.strength, changed.recall_count, changed.last_recalled_at) == (1.3, 5, at(5))

    async def test_a_deleted_memory_is_in_no_answer_and_cannot_change(self, database: Database) -> None:
        await store(database, make(Memory, memory_id="m", text="secret"))

        assert await database.write(memories.mark_deleted, ORG, ["m"], NOW) == 1

        assert await database.read(memories.by_ids, ORG, ["m"]) == []
        assert await page(database) == []
        assert await database.read(memories.known, ORG, "actor:ann", digests=["secret"], slots=[]) == []
        assert await database.write(memories.change, ORG, "m", {"text": "changed"}) == 0
        assert await database.write(memories.mark_deleted, ORG, ["m"], NOW) == 0

    async def test_another_org_changes_nothing(self, database: Database) -> None:
        memory = make(Memory, memory_id="m")
        await store(database, memory)

        await database.write(memories.change, "other", "m", {"text": "changed"})
        await database.write(memories.reinforce, "other", {"m": 2.0}, {"m": 1}, NOW)
        await database.write(memories.mark_deleted, "other", ["m"], NOW)
        await database.write(memories.erase, "other", ["m"])

        assert await one(database, "m") == memory


class TestKnown:
    async def test_equal_words_and_equal_slots_of_one_scope_oldest_first(self, database: Database) -> None:
        rows = [
            MemoryRow(make(Memory, memory_id="same", observed_at=at(2)), digest="d1"),
            MemoryRow(make(Memory, memory_id="slot", observed_at=at(1)), "x", slot_key="ann|home", value="porto"),
            MemoryRow(make(Memory, memory_id="both", observed_at=at(3)), digest="d1", slot_key="ann|home"),
            MemoryRow(make(Memory, memory_id="neither"), digest="y"),
            MemoryRow(make(Memory, memory_id="bob", scope=actor_scope("bob")), digest="d1", slot_key="ann|home"),
        ]
        await database.write(memories.add, rows)

        known = await database.read(memories.known, ORG, "actor:ann", digests=["d1"], slots=["ann|home"])

        assert [(each.memory.memory_id, each.digest, each.value) for each in known] == [
            ("slot", "x", "porto"),
            ("same", "d1", None),
            ("both", "d1", None),
        ]


class TestPages:
    @pytest.mark.parametrize("sort", sorted(SORTS))
    async def test_pages_hold_every_memory_once_in_order(self, database: Database, sort: str) -> None:
        stored = [
            make(
                Memory,
                memory_id=f"m{n:02}",
                strength=n % 3 * 0.1,
                confidence=n % 4 * 0.25,
                observed_at=at(n % 5),
                created_at=at(n % 2),
            )
            for n in range(17)
        ]
        await store(database, *stored)
        column, descending = SORTS[sort]

        listed: list[Memory] = []
        after = None
        while found := await page(database, sort=sort, after=after, limit=3):
            listed += found
            after = Mark(getattr(found[-1], column.name), found[-1].memory_id)

        places = [(getattr(memory, column.name), memory.memory_id) for memory in listed]
        assert places == sorted(places, reverse=descending)
        assert {memory.memory_id for memory in listed} == {memory.memory_id for memory in stored}
        assert len(listed) == len(stored)

    @pytest.mark.parametrize(
        ("where", "expected"),
        [
            (MemoryFilter(actor_id="bob"), ["b"]),
            (MemoryFilter(session_id="s9"), ["c"]),
            (MemoryFilter(kind="episodic"), ["d"]),
            (MemoryFilter(type="norm", level="actor"), ["e"]),
            (MemoryFilter(status="superseded"), ["f"]),
            (MemoryFilter(level="role", role_id="nurse"), ["g"]),
            (MemoryFilter(team_id="night"), []),
            (MemoryFilter(text="100%"), ["h"]),
            (MemoryFilter(text="ARE 100"), ["h", "i"]),
        ],
    )
    async def test_filters_are_conditions_that_all_hold(
        self, database: Database, where: MemoryFilter, expected: list[str]
    ) -> None:
        await store(
            database,
            make(Memory, memory_id="a"),
            make(Memory, memory_id="b", scope=actor_scope("bob")),
            make(Memory, memory_id="c", session_id="s9"),
            make(Memory, memory_id="d", kind=MemoryKind.EPISODIC),
            make(Memory, memory_id="e", type="norm"),
            make(Memory, memory_id="f", status=MemoryStatus.SUPERSEDED),
            make(Memory, memory_id="g", scope=Scope(Level.ROLE, role_id="nurse")),
            make(Memory, memory_id="h", text="These are 100% sure."),
            make(Memory, memory_id="i", text="These are 1000 sure."),
        )

        assert sorted(memory.memory_id for memory in await page(database, where)) == expected

    async def test_the_newest_comes_first_however_close(self, database: Database) -> None:
        tick = timedelta(microseconds=1)
        await store(database, *(make(Memory, memory_id=f"m{n}", observed_at=NOW + n * tick) for n in range(3)))

        assert [memory.memory_id for memory in await page(database)] == ["m2", "m1", "m0"]
