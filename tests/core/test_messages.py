"""Messages: added in order, rewritten by id, read in pages, hidden, brought back, kept from the purge."""

import asyncio
from typing import Any

import pytest

from memcairn.core.deps import Deps
from memcairn.core.idempotency import repeatable_request
from memcairn.core.ingest import ingest
from memcairn.core.memories import MemoryFilter, list_memories
from memcairn.core.messages import (
    add_messages,
    delete_message,
    get_message,
    hold_message,
    last_messages,
    list_messages,
    message_page,
    restore_message,
    update_message_metadata,
)
from memcairn.core.sessions import create_session, delete_session, get_session
from memcairn.core.summaries import latest_summary
from memcairn.core.users import create_user
from memcairn.domain.clock import FrozenClock
from memcairn.domain.conversations import NewMessage
from memcairn.domain.errors import Conflict, Forbidden, NotFound
from memcairn.domain.events import EventKind, EventStatus, NewEvent
from memcairn.domain.keys import KeyScope, Principal
from memcairn.pipeline.worker import Worker
from memcairn.store import jobs
from tests.build import ORG, at, make
from tests.core.talk import contents, everything_read, found, kept, process, rows, say

pytestmark = pytest.mark.anyio

STRANGER = Principal("other", "k", frozenset({KeyScope.ADMIN}))


class TestAdding:
    async def test_a_message_is_kept_as_it_was_given(self, deps: Deps, principal: Principal) -> None:
        said = NewMessage(
            "human", "Moin!", name="Ann", metadata={"a": 1}, message_id="m1", occurred_at=at(7), token_count=42
        )

        assert await add_messages(deps, principal, "s1", [said]) == ["m1"]

        kept_as = await get_message(deps, principal, "s1", "m1")
        assert (kept_as.role, kept_as.content, kept_as.name) == ("human", "Moin!", "Ann")
        assert (kept_as.kind, kept_as.position, kept_as.token_count) == (EventKind.USER_MESSAGE, 1, 42)
        assert (kept_as.metadata, kept_as.occurred_at) == ({"a": 1}, at(7))

    async def test_tokens_are_counted_when_nobody_says_how_many(self, deps: Deps, principal: Principal) -> None:
        await say(deps, principal, "s1", "Four words are here.", token_count=0)

        [message] = await last_messages(deps, principal, "s1", 1)
        assert message.token_count == 5

    async def test_equal_messages_are_several_messages(self, deps: Deps, principal: Principal) -> None:
        await say(deps, principal, "s1", "again", "again")
        await say(deps, principal, "s1", "again")

        assert await contents(deps, principal, "s1") == ["again", "again", "again"]

    async def test_the_session_is_made_even_for_no_message(self, deps: Deps, principal: Principal) -> None:
        assert await add_messages(deps, principal, "s1", []) == []

        assert (await get_session(deps, principal, "s1")).user_id is None
        assert await contents(deps, principal, "s1") == []

    async def test_ten_at_once_make_one_session_and_keep_their_batches_whole(
        self, deps: Deps, principal: Principal
    ) -> None:
        batches = [[f"{n}a", f"{n}b", f"{n}c"] for n in range(10)]

        await asyncio.gather(*(say(deps, principal, "s1", *batch) for batch in batches))

        told = await contents(deps, principal, "s1")
        assert sorted(told[start : start + 3] for start in range(0, 30, 3)) == batches

    async def test_it_becomes_a_memory_of_the_session_s_user(self, deps: Deps, principal: Principal) -> None:
        await create_user(deps, principal, "ann")
        await create_session(deps, principal, "s1", user_id="ann")
        await say(deps, principal, "s1", "The heron nests here.")
        await say(deps, principal, "s2", "The ferry leaves at noon.")
        await process(deps)

        assert await kept(deps, principal, actor_id="ann") == ["The heron nests here."]
        assert await kept(deps, principal, actor_id="session:s2") == ["The ferry leaves at noon."]

    async def test_a_repeated_request_adds_nothing(self, deps: Deps, principal: Principal) -> None:
        repeatable = repeatable_request("k", "POST", {})
        said = [NewMessage("user", "once")]

        first = await add_messages(deps, principal, "s1", said, repeatable=repeatable)

        assert await add_messages(deps, principal, "s1", said, repeatable=repeatable) == first
        assert await contents(deps, principal, "s1") == ["once"]

    async def test_it_needs_the_right_to_write(self, deps: Deps) -> None:
        with pytest.raises(Forbidden):
            await say(deps, Principal(ORG, "k", frozenset({KeyScope.READ})), "s1", "hello")


class TestRewriting:
    async def test_the_new_words_take_the_place_of_the_old(
        self, deps: Deps, principal: Principal, clock: FrozenClock
    ) -> None:
        await say(deps, principal, "s1", "The zanzibar is closed.", message_id="m1", metadata={"a": {"x": 1}})
        await say(deps, principal, "s1", "After it.")
        await process(deps)

        await say(deps, principal, "s1", "The harbour is closed.", message_id="m1", metadata={"a": {"y": 2}})

        assert "zanzibar" not in await everything_read(deps, principal, "zanzibar")
        assert await found(deps, principal, "harbour closed") == ["After it.", "The harbour is closed."]
        await process(deps)
        assert await kept(deps, principal) == ["After it.", "The harbour is closed."]
        message = await get_message(deps, principal, "s1", "m1")
        assert (message.position, message.metadata) == (1, {"a": {"x": 1, "y": 2}})
        assert message.status is EventStatus.COMPLETED

    async def test_the_same_words_are_not_derived_again(self, deps: Deps, principal: Principal) -> None:
        await say(deps, principal, "s1", "The heron nests here.", message_id="m1")
        await process(deps)

        await say(deps, principal, "s1", "The heron nests here.", message_id="m1", metadata={"seen": True})

        assert await rows(deps, "SELECT * FROM jobs") == []
        assert (await get_message(deps, principal, "s1", "m1")).metadata == {"seen": True}

    async def test_of_one_id_twice_in_a_batch_the_last_counts(self, deps: Deps, principal: Principal) -> None:
        said = [NewMessage("user", words, message_id="m1") for words in ("first", "second")]

        assert await add_messages(deps, principal, "s1", said) == ["m1", "m1"]

        assert await contents(deps, principal, "s1") == ["second"]

    async def test_the_id_of_another_session_is_refused_and_nothing_stored(
        self, deps: Deps, principal: Principal
    ) -> None:
        await say(deps, principal, "s1", "mine", message_id="m1")

        with pytest.raises(Conflict, match="'m1' is taken"):
            await add_messages(
                deps, principal, "s2", [NewMessage("user", "new"), NewMessage("user", "yours", message_id="m1")]
            )

        assert await contents(deps, principal, "s1") == ["mine"]
        with pytest.raises(NotFound):
            await get_session(deps, principal, "s2")

    async def test_a_deleted_message_changes_and_stays_deleted(self, deps: Deps, principal: Principal) -> None:
        await say(deps, principal, "s1", "The heron nests here.", message_id="m1")
        await process(deps)
        await delete_message(deps, principal, "s1", "m1")

        await say(deps, principal, "s1", "The ferry leaves at noon.", message_id="m1")
        await process(deps)

        assert await contents(deps, principal, "s1") == []
        assert await kept(deps, principal) == []
        restored = await restore_message(deps, principal, "s1", "m1")
        assert restored.content == "The ferry leaves at noon."

    async def test_a_worker_that_read_the_old_words_writes_nothing_of_them(
        self, deps: Deps, principal: Principal
    ) -> None:
        await say(deps, principal, "s1", "The zanzibar is closed.", message_id="m1")
        embed = deps.embedder.embed
        interrupted = False

        class Rewriting:
            """Rewrites the message while the worker holds no connection, as another request may."""

            model, dimensions = deps.embedder.model, deps.embedder.dimensions

            def embed(self, texts: Any) -> Any:
                nonlocal interrupted
                if not interrupted:
                    interrupted = True
                    again = say(deps, principal, "s1", "The harbour is closed.", message_id="m1")
                    asyncio.run_coroutine_threadsafe(again, loop).result(10)
                return embed(texts)

        loop = asyncio.get_running_loop()
        slow = make_deps(deps, embedder=Rewriting())
        while await Worker(slow).run_once():
            pass

        assert interrupted
        assert await kept(deps, principal) == ["The harbour is closed."]


def make_deps(deps: Deps, **changes: Any) -> Deps:
    values = {name: getattr(deps, name) for name in Deps.__slots__}
    return Deps(**{**values, **changes})


class TestReading:
    async def test_the_last_ones_come_oldest_first(self, deps: Deps, principal: Principal) -> None:
        await say(deps, principal, "s1", *(f"m{n}" for n in range(30)))

        newest = await last_messages(deps, principal, "s1", 3)

        assert [event.content for event in newest] == ["m27", "m28", "m29"]

    async def test_numbered_pages_tell_the_total(self, deps: Deps, principal: Principal) -> None:
        ids = await say(deps, principal, "s1", *(f"m{n}" for n in range(7)))
        await delete_message(deps, principal, "s1", ids[1])

        second = await message_page(deps, principal, "s1", page=2, size=3)
        behind = await message_page(deps, principal, "s1", page=10**30, size=3)

        assert ([event.content for event in second.items], second.total) == (["m4", "m5", "m6"], 6)
        assert (behind.items, behind.total) == ([], 6)

    async def test_pages_by_cursor_are_exact_while_messages_come_and_go(self, deps: Deps, principal: Principal) -> None:
        ids = await say(deps, principal, "s1", *(f"m{n}" for n in range(5)))

        first = await list_messages(deps, principal, "s1", limit=2)
        await delete_message(deps, principal, "s1", ids[0])
        await delete_message(deps, principal, "s1", ids[3])
        await say(deps, principal, "s1", "m5")
        second = await list_messages(deps, principal, "s1", limit=2, cursor=first.next_cursor)
        third = await list_messages(deps, principal, "s1", limit=2, cursor=second.next_cursor)

        told = [event.content for page in (first, second, third) for event in page.items]
        assert told == ["m0", "m1", "m2", "m4", "m5"]
        assert third.next_cursor is None

    async def test_events_of_any_door_are_its_messages(self, deps: Deps, principal: Principal) -> None:
        await ingest(deps, principal, [make(NewEvent, session_id="s1", content="From elsewhere.")])
        await say(deps, principal, "s1", "From here.")

        assert await contents(deps, principal, "s1") == ["From elsewhere.", "From here."]

    async def test_a_session_nobody_made_is_not_found(self, deps: Deps, principal: Principal) -> None:
        for reading in (
            last_messages(deps, principal, "s1", 3),
            message_page(deps, principal, "s1", page=1, size=None),
            list_messages(deps, principal, "s1", limit=3),
        ):
            with pytest.raises(NotFound, match="no session 's1'"):
                await reading

    async def test_a_message_is_found_in_its_own_session_and_org_alone(self, deps: Deps, principal: Principal) -> None:
        await say(deps, principal, "s1", "mine", message_id="m1")

        with pytest.raises(NotFound, match="no message 'm1' in the session 's2'"):
            await get_message(deps, principal, "s2", "m1")
        with pytest.raises(NotFound):
            await get_message(deps, STRANGER, "s1", "m1")
        with pytest.raises(NotFound):
            await delete_message(deps, STRANGER, "s1", "m1")


class TestMetadata:
    async def test_concurrent_updates_of_different_keys_all_survive(self, deps: Deps, principal: Principal) -> None:
        await say(deps, principal, "s1", "hello", message_id="m1")

        await asyncio.gather(
            *(update_message_metadata(deps, principal, "s1", "m1", metadata={"k": {str(n): n}}) for n in range(20))
        )

        message = await get_message(deps, principal, "s1", "m1")
        assert message.metadata == {"k": {str(n): n for n in range(20)}}

    async def test_an_update_leaves_the_words_and_their_tokens(self, deps: Deps, principal: Principal) -> None:
        await say(deps, principal, "s1", "hello", message_id="m1", token_count=9)

        changed = await update_message_metadata(deps, principal, "s1", "m1", metadata={"a": 1})

        assert (changed.content, changed.token_count) == ("hello", 9)


class TestDeleting:
    async def test_a_deleted_message_is_in_no_read(self, deps: Deps, principal: Principal) -> None:
        await say(deps, principal, "s1", "The zanzibar opens at nine.", message_id="m1")
        await say(deps, principal, "s1", "The ferry leaves at noon.")
        await process(deps)

        await delete_message(deps, principal, "s1", "m1")

        assert "zanzibar" not in await everything_read(deps, principal, "zanzibar")
        assert await contents(deps, principal, "s1") == ["The ferry leaves at noon."]
        with pytest.raises(NotFound):
            await get_message(deps, principal, "s1", "m1")
        with pytest.raises(NotFound):
            await delete_message(deps, principal, "s1", "m1")

    async def test_the_summary_that_covers_it_goes_with_it(self, deps: Deps, principal: Principal) -> None:
        await say(deps, principal, "s1", "The zanzibar in Tromsø opened on 4 May.", message_id="m1")
        await say(deps, principal, "s1", *(f"We met {n} people from Oslo on Monday." for n in range(14)))
        await process(deps)
        summary = await latest_summary(deps, principal, "s1")
        assert summary is not None
        assert "zanzibar" in summary.content

        await delete_message(deps, principal, "s1", "m1")

        assert await latest_summary(deps, principal, "s1") is None
        await process(deps)
        renewed = await latest_summary(deps, principal, "s1")
        assert renewed is not None
        assert "zanzibar" not in renewed.content

    async def test_restored_it_is_read_and_derived_again(self, deps: Deps, principal: Principal) -> None:
        [message_id] = await say(deps, principal, "s1", "The zanzibar opens at nine.")
        await process(deps)
        await delete_message(deps, principal, "s1", message_id)

        restored = await restore_message(deps, principal, "s1", message_id)

        assert (restored.status, restored.deleted_at) == (EventStatus.PENDING, None)
        assert await found(deps, principal, "zanzibar") == ["The zanzibar opens at nine."]
        await process(deps)
        assert await kept(deps, principal) == ["The zanzibar opens at nine."]

    async def test_restoring_revives_a_deleted_session_for_it_alone(self, deps: Deps, principal: Principal) -> None:
        ids = await say(deps, principal, "s1", "one", "two")
        await delete_session(deps, principal, "s1")

        await restore_message(deps, principal, "s1", ids[1])

        assert await contents(deps, principal, "s1") == ["two"]

    async def test_restoring_what_is_there_changes_nothing(self, deps: Deps, principal: Principal) -> None:
        [message_id] = await say(deps, principal, "s1", "The heron nests here.")
        await process(deps)

        restored = await restore_message(deps, principal, "s1", message_id)

        assert restored.status is EventStatus.COMPLETED
        assert await rows(deps, "SELECT * FROM jobs") == []

    async def test_a_repetition_restored_strengthens_the_same_memory_again(
        self, deps: Deps, principal: Principal
    ) -> None:
        await say(deps, principal, "s1", "I live in Lisbon.")
        await process(deps)
        [again] = await say(deps, principal, "s1", "I live in Lisbon.", occurred_at=at(3, day=2))
        await process(deps)
        await delete_message(deps, principal, "s1", again)
        assert await sources_of_the_fact(deps, principal) == 1

        await restore_message(deps, principal, "s1", again)
        await process(deps)

        assert await sources_of_the_fact(deps, principal) == 2

    async def test_holding_tells_whether_it_is_deleted(self, deps: Deps, principal: Principal) -> None:
        [message_id] = await say(deps, principal, "s1", "keep this")

        assert (await hold_message(deps, principal, "s1", message_id, held=True)).deleted_at is None
        await delete_message(deps, principal, "s1", message_id)
        assert (await hold_message(deps, principal, "s1", message_id, held=True)).deleted_at is not None
        with pytest.raises(NotFound):
            await hold_message(deps, principal, "s1", "nobody", held=True)

    async def test_a_job_taken_before_the_deletion_leaves_nothing(
        self, deps: Deps, principal: Principal, clock: FrozenClock
    ) -> None:
        [message_id] = await say(deps, principal, "s1", "The zanzibar opens at nine.")
        claimed = await deps.db.write(jobs.claim, "w", clock.now(), limit=9)
        await deps.db.write(jobs.give_back, claimed, clock.now())

        await delete_message(deps, principal, "s1", message_id)
        await process(deps)

        assert await kept(deps, principal) == []


async def sources_of_the_fact(deps: Deps, principal: Principal) -> int:
    """On how many messages the one fact there is rests."""
    page = await list_memories(deps, principal, MemoryFilter(type="fact"), sort="created_at_desc", limit=9)
    [fact] = page.items
    return len(fact.source_event_ids)
