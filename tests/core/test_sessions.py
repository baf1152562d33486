"""Sessions: made, merged, listed, hidden with all that rests on them, and revived without it."""

import asyncio

import pytest

from memcairn.core import messages, sessions, users
from memcairn.core.deps import Deps
from memcairn.core.idempotency import repeatable_request
from memcairn.core.ingest import ingest
from memcairn.core.sessions import create_session, delete_session, get_session, list_sessions, update_session
from memcairn.domain.conversations import Session
from memcairn.domain.errors import Conflict, Forbidden, NotFound
from memcairn.domain.events import NewEvent
from memcairn.domain.filters import parse_filter
from memcairn.domain.keys import KeyScope, Principal
from memcairn.domain.memories import Memory, MemoryStatus
from memcairn.domain.pool import Trait
from memcairn.store import memories as memory_rows
from tests.build import NOW, ORG, at, make
from tests.core.talk import contents, everything_read, found, kept, process, rows, say

pytestmark = pytest.mark.anyio

STRANGER = Principal("other", "k", frozenset({KeyScope.ADMIN}))


class TestMaking:
    async def test_a_session_carries_what_it_was_made_with(self, deps: Deps, principal: Principal) -> None:
        await users.create_user(deps, principal, "ann")

        made = await create_session(deps, principal, "a b/ü", user_id="ann", metadata={"topic": {"x": 1}})

        assert made == await get_session(deps, principal, "a b/ü")
        assert made == Session(
            ORG, "a b/ü", made.session_uuid, 1, "ann", {"topic": {"x": 1}}, created_at=NOW, updated_at=NOW
        )

    async def test_a_second_one_is_refused_and_burns_no_number(self, deps: Deps, principal: Principal) -> None:
        await create_session(deps, principal, "s1")

        with pytest.raises(Conflict, match="'s1' exists already"):
            await create_session(deps, principal, "s1")

        assert (await create_session(deps, principal, "s2")).number == 2

    async def test_a_deleted_one_keeps_its_id(self, deps: Deps, principal: Principal) -> None:
        await create_session(deps, principal, "s1")
        await delete_session(deps, principal, "s1")

        with pytest.raises(Conflict):
            await create_session(deps, principal, "s1")

    async def test_an_unknown_user_is_refused_and_leaves_nothing(self, deps: Deps, principal: Principal) -> None:
        with pytest.raises(NotFound, match="no user 'nobody'"):
            await create_session(deps, principal, "s1", user_id="nobody")

        with pytest.raises(NotFound, match="no session 's1'"):
            await get_session(deps, principal, "s1")
        assert (await create_session(deps, principal, "s1")).number == 1

    async def test_of_ten_at_once_one_makes_it(self, deps: Deps, principal: Principal) -> None:
        tries = (create_session(deps, principal, "s1") for _ in range(10))

        outcomes = await asyncio.gather(*tries, return_exceptions=True)

        assert sorted(type(each).__name__ for each in outcomes) == ["Conflict"] * 9 + ["Session"]

    async def test_repeating_a_request_gives_the_first_answer(self, deps: Deps, principal: Principal) -> None:
        repeatable = repeatable_request("k", "POST", {})
        first = await create_session(deps, principal, "s1", metadata={"a": 1}, repeatable=repeatable)

        assert await create_session(deps, principal, "s1", metadata={"a": 1}, repeatable=repeatable) == first

    async def test_another_org_sees_nothing_of_it(self, deps: Deps, principal: Principal) -> None:
        await create_session(deps, principal, "s1")

        with pytest.raises(NotFound):
            await get_session(deps, STRANGER, "s1")
        with pytest.raises(NotFound):
            await update_session(deps, STRANGER, "s1", metadata={})
        with pytest.raises(NotFound):
            await delete_session(deps, STRANGER, "s1")

    async def test_reading_and_writing_need_their_rights(self, deps: Deps) -> None:
        reader = Principal(ORG, "k", frozenset({KeyScope.READ}))
        writer = Principal(ORG, "k", frozenset({KeyScope.WRITE}))

        with pytest.raises(Forbidden):
            await create_session(deps, reader, "s1")
        await create_session(deps, writer, "s1")
        with pytest.raises(Forbidden):
            await get_session(deps, writer, "s1")


class TestMetadata:
    async def test_updates_merge_level_by_level(self, deps: Deps, principal: Principal) -> None:
        await create_session(deps, principal, "s1", metadata={"a": {"x": 1, "y": [1]}, "b": 1})

        changed = await update_session(deps, principal, "s1", metadata={"a": {"y": [2]}, "b": None})

        assert changed.metadata == {"a": {"x": 1, "y": [2]}, "b": None}

    async def test_concurrent_updates_of_different_keys_all_survive(self, deps: Deps, principal: Principal) -> None:
        await create_session(deps, principal, "s1")

        updates = (update_session(deps, principal, "s1", metadata={"at": {str(n): n}}) for n in range(20))
        await asyncio.gather(*updates)

        changed = await get_session(deps, principal, "s1")
        assert changed.metadata == {"at": {str(n): n for n in range(20)}}

    async def test_an_update_without_metadata_leaves_it_null(self, deps: Deps, principal: Principal) -> None:
        await create_session(deps, principal, "s1")

        assert (await update_session(deps, principal, "s1")).metadata is None


class TestListing:
    async def test_pages_hold_each_session_once_while_others_come_and_go(
        self, deps: Deps, principal: Principal
    ) -> None:
        for n in range(7):
            await create_session(deps, principal, f"s{n}")

        first = await list_sessions(deps, principal, limit=3)
        await delete_session(deps, principal, "s0")
        await delete_session(deps, principal, "s4")
        await create_session(deps, principal, "s7")
        second = await list_sessions(deps, principal, limit=3, cursor=first.next_cursor)
        third = await list_sessions(deps, principal, limit=3, cursor=second.next_cursor)

        ids = [session.session_id for page in (first, second, third) for session in page.items]
        assert ids == ["s0", "s1", "s2", "s3", "s5", "s6", "s7"]
        assert third.next_cursor is None

    async def test_filters_by_user_and_metadata_hold_before_the_limit(self, deps: Deps, principal: Principal) -> None:
        await users.create_user(deps, principal, "ann")
        for n in range(6):
            await create_session(deps, principal, f"s{n}", user_id="ann" if n % 2 else None, metadata={"n": n})

        large = parse_filter({"jsonpath": "$ ? (@.n >= 3)"})
        page = await list_sessions(deps, principal, user_id="ann", metadata=large, limit=1)

        assert [session.session_id for session in page.items] == ["s3"]
        rest = await list_sessions(deps, principal, user_id="ann", metadata=large, limit=9, cursor=page.next_cursor)
        assert [session.session_id for session in rest.items] == ["s5"]

    async def test_the_whole_list_is_ordered_by_number(self, deps: Deps, principal: Principal) -> None:
        for n in (3, 1, 2):
            await say(deps, principal, f"s{n}", "hello there")

        listed = await sessions.sessions_after(deps, principal, limit=None)

        assert [(session.session_id, session.number) for session in listed] == [("s3", 1), ("s1", 2), ("s2", 3)]
        after = await sessions.sessions_after(deps, principal, after_number=1, limit=1)
        assert [session.session_id for session in after] == ["s1"]


class TestDeleting:
    async def test_everything_said_in_it_is_gone_from_every_read(self, deps: Deps, principal: Principal) -> None:
        await say(deps, principal, "s1", "I live in Lisbon near the zanzibar cafe.", "The zanzibar opens at nine.")
        await process(deps)
        await say(deps, principal, "s1", "Unprocessed zanzibar words.")
        assert "zanzibar" in await everything_read(deps, principal, "zanzibar")

        hidden = await delete_session(deps, principal, "s1")

        assert hidden == 3
        assert "zanzibar" not in await everything_read(deps, principal, "zanzibar")
        with pytest.raises(NotFound):
            await get_session(deps, principal, "s1")

    async def test_work_that_waits_for_it_does_nothing(self, deps: Deps, principal: Principal) -> None:
        await say(deps, principal, "s1", "I live in Lisbon.")
        await delete_session(deps, principal, "s1")

        await process(deps)

        assert await kept(deps, principal) == []
        assert await rows(deps, "SELECT * FROM jobs") == []

    async def test_a_second_time_it_is_not_found(self, deps: Deps, principal: Principal) -> None:
        await say(deps, principal, "s1", "hello there")
        await delete_session(deps, principal, "s1")

        with pytest.raises(NotFound):
            await delete_session(deps, principal, "s1")

    async def test_writing_revives_the_session_and_not_its_messages(self, deps: Deps, principal: Principal) -> None:
        await create_session(deps, principal, "s1", metadata={"kept": True})
        await say(deps, principal, "s1", "old words", "older words")
        await delete_session(deps, principal, "s1")

        await say(deps, principal, "s1", "new words")

        assert await contents(deps, principal, "s1") == ["new words"]
        assert (await get_session(deps, principal, "s1")).metadata == {"kept": True}
        [newest] = await messages.last_messages(deps, principal, "s1", 5)
        assert newest.position == 3

    async def test_updating_revives_it_too(self, deps: Deps, principal: Principal) -> None:
        await say(deps, principal, "s1", "old words")
        await delete_session(deps, principal, "s1")

        revived = await update_session(deps, principal, "s1")

        assert revived.deleted_at is None
        assert await contents(deps, principal, "s1") == []

    async def test_only_an_org_s_own_is_touched(self, deps: Deps, principal: Principal) -> None:
        await say(deps, principal, "s1", "The heron nests here.")
        await say(deps, principal, "s2", "The ferry leaves at noon.")
        await process(deps)

        await delete_session(deps, principal, "s1")

        assert await kept(deps, principal) == ["The ferry leaves at noon."]
        assert await found(deps, principal, "ferry") == ["The ferry leaves at noon."]


async def said_by_ann(deps: Deps, principal: Principal, session_id: str, words: str, hour: int) -> str:
    new = make(NewEvent, actor_id="ann", session_id=session_id, content=words, name="Ann", occurred_at=at(hour))
    [event_id] = await ingest(deps, principal, [new])
    await process(deps)
    return event_id


class TestWhatRestsOnSeveral:
    async def test_it_stays_in_the_words_of_the_source_that_is_left(self, deps: Deps, principal: Principal) -> None:
        await said_by_ann(deps, principal, "s1", "I live in Lisbon!", 1)
        second = await said_by_ann(deps, principal, "s2", "i live in lisbon", 2)
        [before] = await homes(deps, principal)
        assert len(before.source_event_ids) == 2

        await delete_session(deps, principal, "s1")

        [after] = await homes(deps, principal)
        assert after.memory_id == before.memory_id
        assert (after.session_id, after.position, after.observed_at) == ("s2", 1, at(2))
        assert after.source_event_ids == (second,)
        assert "I live in Lisbon!" not in await everything_read(deps, principal, "lisbon")
        [row] = await rows(deps, "SELECT session_id, source FROM index_rows WHERE memory_id = :id", id=after.memory_id)
        assert tuple(row) == ("s2", second)

    async def test_losing_a_later_source_changes_nothing_else(self, deps: Deps, principal: Principal) -> None:
        first = await said_by_ann(deps, principal, "s1", "I live in Lisbon.", 1)
        second = await said_by_ann(deps, principal, "s2", "I live in Lisbon.", 2)
        [before] = await homes(deps, principal)

        await delete_session(deps, principal, "s2")

        [after] = await homes(deps, principal)
        assert after.source_event_ids == (first,)
        assert (after.text, after.session_id, after.strength) == (before.text, "s1", before.strength)
        assert second not in await everything_read(deps, principal, "lisbon")


class TestWhatWasSuperseded:
    async def test_it_holds_again_when_the_correction_is_deleted(self, deps: Deps, principal: Principal) -> None:
        await said_by_ann(deps, principal, "s1", "I live in Lisbon.", 1)
        await said_by_ann(deps, principal, "s2", "I live in Porto now.", 2)
        assert await values(deps, principal) == {"lisbon": "superseded", "porto": "active"}

        await delete_session(deps, principal, "s2")

        [home] = await homes(deps, principal)
        assert (home.status, home.valid_to) == (MemoryStatus.ACTIVE, None)
        assert "Porto" not in await everything_read(deps, principal, "Where does Ann live?")
        indexed = await rows(deps, "SELECT memory_id, traits & :outdated FROM index_rows", outdated=Trait.OUTDATED)
        assert home.memory_id in {row[0] for row in indexed}
        assert {row[1] for row in indexed} == {0}
        assert await found(deps, principal, "Where does Ann live?") == ["Ann lives in Lisbon"]

    async def test_it_stays_closed_while_something_later_still_contradicts(
        self, deps: Deps, principal: Principal
    ) -> None:
        for session_id, city, hour in (("s1", "Lisbon", 1), ("s2", "Porto", 2), ("s3", "Faro", 3)):
            await said_by_ann(deps, principal, session_id, f"I live in {city}.", hour)

        await delete_session(deps, principal, "s2")

        assert await values(deps, principal) == {"lisbon": "superseded", "faro": "active"}
        lisbon, faro = sorted(await homes(deps, principal), key=lambda memory: memory.observed_at)
        assert lisbon.valid_to == at(3)
        assert faro.supersedes == lisbon.memory_id

    async def test_the_whole_chain_can_be_undone_from_the_end(self, deps: Deps, principal: Principal) -> None:
        for session_id, city, hour in (("s1", "Lisbon", 1), ("s2", "Porto", 2), ("s3", "Faro", 3)):
            await said_by_ann(deps, principal, session_id, f"I live in {city}.", hour)

        await delete_session(deps, principal, "s3")
        assert await values(deps, principal) == {"lisbon": "superseded", "porto": "active"}
        await delete_session(deps, principal, "s2")
        assert await values(deps, principal) == {"lisbon": "active"}

    async def test_what_came_late_holds_again_too(self, deps: Deps, principal: Principal) -> None:
        await said_by_ann(deps, principal, "s2", "I live in Porto.", 2)
        await said_by_ann(deps, principal, "s1", "I live in Lisbon.", 1)
        assert await values(deps, principal) == {"lisbon": "superseded", "porto": "active"}

        await delete_session(deps, principal, "s2")

        assert await values(deps, principal) == {"lisbon": "active"}

    async def test_it_does_not_come_back_without_its_own_source(self, deps: Deps, principal: Principal) -> None:
        await said_by_ann(deps, principal, "s1", "I live in Lisbon.", 1)
        await said_by_ann(deps, principal, "s2", "I live in Porto.", 2)

        await delete_session(deps, principal, "s1")
        await delete_session(deps, principal, "s2")

        assert await values(deps, principal) == {}


async def homes(deps: Deps, principal: Principal) -> list[Memory]:
    """The memories that fill Ann's slot, in any status."""
    found_rows = await rows(
        deps, "SELECT memory_id FROM memories WHERE slot IS NOT NULL AND deleted_at IS NULL ORDER BY memory_id"
    )
    return await deps.db.read(memory_rows.by_ids, principal.org_id, [row.memory_id for row in found_rows])


async def values(deps: Deps, principal: Principal) -> dict[str, str]:
    """Each value of Ann's home, and its status."""
    return {
        memory.text.rstrip(".!").split()[-1].lower(): memory.status.value for memory in await homes(deps, principal)
    }
