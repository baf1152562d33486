"""Memories by hand: edited with their history, deleted everywhere at once, listed exactly."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from memcairn.core.deps import Deps
from memcairn.core.indexing import prepare, reindex
from memcairn.core.memories import (
    MemoryFilter,
    delete_memory,
    get_memory,
    list_memories,
    memory_history,
    memory_sources,
    update_memory,
)
from memcairn.core.recall import STEPS_TO_MAX_STRENGTH, Recalls, write_recalls
from memcairn.core.search import SearchQuery, search
from memcairn.domain.clock import FrozenClock
from memcairn.domain.errors import Forbidden, Invalid, NotFound
from memcairn.domain.events import Event
from memcairn.domain.keys import KeyScope, Principal
from memcairn.domain.memories import HALF_LIFE_DAYS, MAX_STRENGTH, RECALL_STEP, Memory, MemoryStatus
from memcairn.store import events, memories, sessions
from memcairn.store.memories import MemoryRow
from tests.build import NOW, ORG, at, digest, make

pytestmark = pytest.mark.anyio

STRANGER = Principal("other", "k", frozenset({KeyScope.ADMIN}))


async def store(deps: Deps, *stored: Memory) -> None:
    """Memories with their index entries, as the pipeline leaves them."""
    prepared = await prepare(deps, [memory.text for memory in stored])

    def save(connection: Connection) -> None:
        memories.add(connection, [MemoryRow(memory, digest=memory.text) for memory in stored])
        for memory, cut in zip(stored, prepared, strict=True):
            reindex(connection, deps, memory, cut)

    await deps.db.write(save)


async def found(deps: Deps, principal: Principal, words: str) -> list[str]:
    hits = await search(deps, Recalls(), principal, SearchQuery(words))
    return sorted(hit.memory.text for hit in hits if hit.memory is not None)


class TestEditing:
    async def test_the_index_follows_the_text(self, deps: Deps, principal: Principal) -> None:
        await store(deps, make(Memory, memory_id="m", text="Ann lives in Lisbon."))

        changed = await update_memory(deps, principal, "m", {"text": "Ann lives in Faro."})

        assert changed.text == "Ann lives in Faro."
        assert await found(deps, principal, "faro") == ["Ann lives in Faro."]
        assert await found(deps, principal, "lisbon") != ["Ann lives in Lisbon."]

    async def test_history_keeps_what_was_replaced(self, deps: Deps, principal: Principal, clock: FrozenClock) -> None:
        await store(deps, make(Memory, memory_id="m", tags=("old",), confidence=0.5))
        clock.advance(timedelta(hours=1))

        await update_memory(deps, principal, "m", {"tags": ["new"], "confidence": 0.9})
        await update_memory(deps, principal, "m", {"pinned": True})

        history = await memory_history(deps, principal, "m")
        assert [(change.change, change.before) for change in history] == [
            ("edited", {"tags": ["old"], "confidence": 0.5}),
            ("edited", {"pinned": False}),
        ]
        assert (await get_memory(deps, principal, "m")).updated_at == at(1)

    async def test_saying_what_is_so_already_changes_nothing(
        self, deps: Deps, principal: Principal, clock: FrozenClock
    ) -> None:
        memory = make(Memory, memory_id="m", tags=("a",), title="T")
        await store(deps, memory)
        clock.advance(timedelta(hours=1))

        same = {
            "text": memory.text,
            "tags": ["a"],
            "title": "T",
            "status": None,
            "pinned": False,
            "half_life_days": None,
        }

        assert await update_memory(deps, principal, "m", same) == memory
        assert await memory_history(deps, principal, "m") == []

    @pytest.mark.parametrize(
        ("values", "field", "value"),
        [
            ({"title": "A title"}, "title", "A title"),
            ({"metadata": {"a": [1]}}, "metadata", {"a": [1]}),
            ({"half_life_days": 7.0}, "half_life_days", 7.0),
            ({"status": "archived"}, "status", MemoryStatus.ARCHIVED),
        ],
    )
    async def test_each_field_can_be_changed_alone(
        self, deps: Deps, principal: Principal, values: dict[str, Any], field: str, value: object
    ) -> None:
        before = make(Memory, memory_id="m")
        await store(deps, before)

        after = await update_memory(deps, principal, "m", values)

        differing = {name for name in Memory.__slots__ if getattr(after, name) != getattr(before, name)}
        assert differing <= {field, "updated_at"}
        assert getattr(after, field) == value

    async def test_an_archived_memory_is_not_found_until_it_is_active_again(
        self, deps: Deps, principal: Principal
    ) -> None:
        await store(deps, make(Memory, memory_id="m", text="Ann lives in Lisbon."))

        await update_memory(deps, principal, "m", {"status": "archived"})
        assert await found(deps, principal, "lisbon") == []

        await update_memory(deps, principal, "m", {"status": "active"})
        assert await found(deps, principal, "lisbon") == ["Ann lives in Lisbon."]

    async def test_a_stranger_finds_nothing_to_read_edit_or_delete(self, deps: Deps, principal: Principal) -> None:
        await store(deps, make(Memory, memory_id="m"))

        for attempt in (
            get_memory(deps, STRANGER, "m"),
            update_memory(deps, STRANGER, "m", {"text": "x"}),
            delete_memory(deps, STRANGER, "m"),
            memory_history(deps, STRANGER, "m"),
            memory_sources(deps, STRANGER, "m"),
        ):
            with pytest.raises(NotFound):
                await attempt

    async def test_reading_rights_do_not_change_anything(self, deps: Deps) -> None:
        reader = Principal(ORG, "k", frozenset({KeyScope.READ}))
        memory = make(Memory, memory_id="m")
        await store(deps, memory)

        with pytest.raises(Forbidden):
            await update_memory(deps, reader, "m", {"text": "x"})
        with pytest.raises(Forbidden):
            await delete_memory(deps, reader, "m")

        assert await get_memory(deps, reader, "m") == memory

    async def test_changing_needs_no_right_to_read(self, deps: Deps) -> None:
        writer = Principal(ORG, "k", frozenset({KeyScope.WRITE}))
        await store(deps, make(Memory, memory_id="m"))

        assert (await update_memory(deps, writer, "m", {"pinned": True})).pinned
        await delete_memory(deps, writer, "m")


class TestDeleting:
    async def test_it_is_gone_from_every_read_and_search(self, deps: Deps, principal: Principal) -> None:
        await store(deps, make(Memory, memory_id="m", text="Ann lives in Lisbon."), make(Memory, memory_id="n"))

        await delete_memory(deps, principal, "m")

        assert await found(deps, principal, "lisbon") == ["Ann lives in Lisbon."]  # the other one
        await delete_memory(deps, principal, "n")
        assert await found(deps, principal, "lisbon") == []
        assert (await list_memories(deps, principal, MemoryFilter(), sort="observed_at_desc", limit=9)).items == []
        for attempt in (get_memory, memory_history, memory_sources, delete_memory):
            with pytest.raises(NotFound):
                await attempt(deps, principal, "m")

    async def test_its_events_stay(self, deps: Deps, principal: Principal) -> None:
        spoken = [make(Event, event_id=f"e{n}", position=n) for n in (1, 2)]

        def say(connection: Connection) -> None:
            sessions.reserve(connection, ORG, {"s1": 2}, NOW)
            events.add(connection, spoken, [digest(event.event_id) for event in spoken])

        await deps.db.write(say)
        await store(deps, make(Memory, memory_id="m", source_event_ids=("e2", "e1")))
        assert await memory_sources(deps, principal, "m") == spoken[::-1]

        await delete_memory(deps, principal, "m")

        assert await deps.db.read(events.by_ids, ORG, ["e1", "e2"]) == spoken


class TestListing:
    @pytest.mark.parametrize(
        "sort", ["observed_at_desc", "observed_at_asc", "created_at_desc", "strength_desc", "confidence_desc"]
    )
    async def test_pages_are_exact_while_memories_are_deleted(
        self, deps: Deps, principal: Principal, sort: str
    ) -> None:
        stored = [
            make(
                Memory,
                memory_id=f"m{n}",
                observed_at=at(n % 4),
                created_at=at(n % 3),
                strength=n % 5 / 2,
                confidence=n % 2 / 3,
            )
            for n in range(12)
        ]
        await store(deps, *stored)
        [before] = [await list_memories(deps, principal, MemoryFilter(), sort=sort, limit=100)]
        order = [memory.memory_id for memory in before.items]

        seen: list[str] = []
        cursor, gone = None, [order[1], order[4], order[9]]
        while True:
            page = await list_memories(deps, principal, MemoryFilter(), sort=sort, limit=3, cursor=cursor)
            seen += [memory.memory_id for memory in page.items]
            if len(seen) == 3:  # the second of the first page, and two of those to come
                for memory_id in gone:
                    await delete_memory(deps, principal, memory_id)
            cursor = page.next_cursor
            if cursor is None:
                break

        assert sorted(order) == sorted(memory.memory_id for memory in stored)
        assert seen == [memory_id for memory_id in order if memory_id not in gone[1:]]

    async def test_the_last_page_has_no_cursor(self, deps: Deps, principal: Principal) -> None:
        await store(deps, make(Memory), make(Memory))

        exactly = await list_memories(deps, principal, MemoryFilter(), sort="observed_at_desc", limit=2)

        assert len(exactly.items) == 2
        assert exactly.next_cursor is None

    async def test_a_cursor_of_another_order_is_refused(self, deps: Deps, principal: Principal) -> None:
        await store(deps, make(Memory), make(Memory))
        page = await list_memories(deps, principal, MemoryFilter(), sort="observed_at_desc", limit=1)

        with pytest.raises(Invalid):
            await list_memories(
                deps, principal, MemoryFilter(), sort="observed_at_asc", limit=1, cursor=page.next_cursor
            )


class TestRecall:
    async def test_it_makes_a_memory_stronger_once_it_is_written(
        self, deps: Deps, principal: Principal, clock: FrozenClock
    ) -> None:
        await store(deps, make(Memory, memory_id="m", text="Ann lives in Lisbon."))
        recalls = Recalls()
        for _ in range(3):
            await search(deps, recalls, principal, SearchQuery("lisbon"))
        assert (await get_memory(deps, principal, "m")).recall_count == 0

        await write_recalls(deps, recalls)
        await write_recalls(deps, recalls)

        recalled = await get_memory(deps, principal, "m")
        assert recalled.recall_count == 3
        assert recalled.strength == pytest.approx(1.0 + 3 * RECALL_STEP)
        assert recalled.last_recalled_at == NOW

    async def test_what_decayed_meanwhile_is_raised_from_where_it_stands(
        self, deps: Deps, principal: Principal, clock: FrozenClock
    ) -> None:
        await store(deps, make(Memory, memory_id="m", strength=2.0))
        clock.advance(timedelta(days=HALF_LIFE_DAYS))
        recalls = Recalls()
        recalls.note(ORG, ["m"])

        await write_recalls(deps, recalls)

        assert (await get_memory(deps, principal, "m")).strength == pytest.approx(1.0 + RECALL_STEP)

    async def test_any_number_of_recalls_ends_at_the_limit(self, deps: Deps, principal: Principal) -> None:
        await store(deps, make(Memory, memory_id="m", strength=0.0))
        recalls = Recalls()
        for _ in range(STEPS_TO_MAX_STRENGTH + 10):
            recalls.note(ORG, ["m", "gone"])

        await write_recalls(deps, recalls)

        recalled = await get_memory(deps, principal, "m")
        assert recalled.strength == pytest.approx(MAX_STRENGTH)
        assert recalled.recall_count == STEPS_TO_MAX_STRENGTH + 10
