"""`/search`: who sees what, which sessions, how many, and in what shape."""

from datetime import timedelta
from typing import Any

import pytest

from memcairn.domain.clock import FrozenClock
from memcairn.domain.ids import new_id
from memcairn.domain.memories import Memory
from memcairn.domain.scopes import Level, Scope
from memcairn.store import memories
from memcairn.store.memories import MemoryRow
from tests.api.memsy.conftest import Door, contents, event
from tests.build import entry, make

pytestmark = pytest.mark.anyio


async def put(door: Door, scope: Scope, text: str) -> None:
    """A memory that belongs to no conversation, as promotion writes it."""
    deps = door.services.deps
    memory = make(Memory, memory_id=new_id(), scope=scope, session_id=None, text=text, speaker=None)
    found = entry(text, memory_id=memory.memory_id, scope_key=scope.key, session_id=None, position=None)

    def save(connection: Any) -> None:
        memories.add(connection, [MemoryRow(memory, digest=text)])
        deps.index.put(connection, memory.org_id, [found], model=deps.embedder.model)

    await deps.db.write(save)


async def test_a_result_carries_everything_clients_read(door: Door) -> None:
    [event_id] = await door.say("I moved to Lisbon.", metadata='{"plan": "pro"}', ts="2026-01-01T00:00:00Z")
    await door.work()

    [found, *_] = await door.search("Where does ann live?")

    assert found["content"] == "ann lives in Lisbon"
    assert 0.4 <= found["score"] <= 0.99
    metadata = found["metadata"]
    assert metadata["title"] == "Home"
    assert metadata["summary"] is None
    assert (metadata["kind"], metadata["type"]) == ("semantic", "fact")
    assert metadata["tags"] == ["home"]
    assert metadata["entities"] == [{"name": "Lisbon", "type": "PLACE"}]
    assert metadata["session_id"] == "s1"
    assert metadata["scope"] == {"level": "actor", "actor_id": "ann", "role_id": None, "team_id": None}
    assert metadata["observed_at"] == "2026-01-01T00:00:00Z"
    assert metadata["strength"] == 1.0
    assert 0 < metadata["confidence"] <= 1
    assert metadata["source_event_ids"] == [event_id]
    assert metadata["source_metadata"] == [{"event_id": event_id, "metadata": {"plan": "pro"}}]
    assert "source_events" not in metadata


async def test_source_events_come_when_asked_for(door: Door) -> None:
    [event_id] = await door.say("I moved to Lisbon.")
    await door.work()

    [found, *_] = await door.search("Where does ann live?", include_source_events=True)

    said = {"event_id": event_id, "kind": "user_message", "content": "I moved to Lisbon."}
    assert found["metadata"]["source_events"] == [said | {"ts": "2026-01-01T00:00:00Z"}]


async def test_metadata_that_was_no_object_comes_back_raw(door: Door) -> None:
    [event_id] = await door.say("I moved to Lisbon.", metadata="from the phone")
    await door.work()

    [found, *_] = await door.search("Where does ann live?")

    assert found["metadata"]["source_metadata"] == [{"event_id": event_id, "raw": "from the phone"}]


async def test_at_most_five_sources_show_their_metadata(door: Door, clock: FrozenClock) -> None:
    for number in range(7):
        await door.say("I live in Lisbon.", metadata=f'{{"n": {number}}}')
        clock.advance(timedelta(minutes=2))
    await door.work()

    shown = [len(each["metadata"]["source_metadata"]) for each in await door.search("Where does ann live?")]

    assert max(shown) == 5


async def test_raw_text_that_waits_for_processing_is_no_result(door: Door) -> None:
    await door.say("I moved to Lisbon.")

    before = await door.search("Lisbon")
    await door.work()

    assert before == []
    assert await door.search("Lisbon")


async def test_an_actor_sees_its_own_and_without_one_everybody_is_seen(door: Door) -> None:
    await door.say("I moved to Lisbon.", actor_id="ann")
    await door.say("I moved to Lisbon too.", actor_id="ben")
    await door.work()

    async def seen(**fields: Any) -> set[str]:
        return {each["metadata"]["actor_id"] for each in await door.search("Lisbon", **fields)}

    assert await seen(actor_id="ann") == {"ann"}
    assert await seen(actor_id=" ben ") == {"ben"}
    assert await seen() == {"ann", "ben"}
    assert await seen(actor_id="nobody") == set()


async def test_roles_and_teams_add_what_was_promoted_to_them_and_take_nothing_away(door: Door) -> None:
    await door.say("The ship sails on Monday.", actor_id="ann")
    await door.work()
    await put(door, Scope(Level.ROLE, role_id="pilots"), "Pilots board the ship first.")
    await put(door, Scope(Level.TEAM, team_id="north"), "The north team owns the ship.")
    await put(door, Scope(Level.ORG), "Every ship has a bell.")

    async def levels(**fields: Any) -> set[str]:
        return {each["metadata"]["scope"]["level"] for each in await door.search("ship", limit=50, **fields)}

    assert await levels(actor_id="ann") == {"actor", "org"}
    assert await levels(actor_id="ann", role_ids=["pilots"]) == {"actor", "role", "org"}
    assert await levels(actor_id="ann", role_ids=["pilots"], team_ids=["north"]) == {"actor", "role", "team", "org"}
    assert await levels(actor_id="ann", role_ids=["cooks"]) == {"actor", "org"}
    assert await levels(role_ids=["cooks"]) == {"actor", "role", "team", "org"}


async def test_a_session_is_searched_alone_or_left_out_and_what_has_none_stays(door: Door) -> None:
    await door.say("The ship sails on Monday.", session_id="one")
    await door.say("The ship sails on Tuesday.", session_id="two")
    await door.work()
    await put(door, Scope(Level.ORG), "Every ship has a bell.")

    async def sessions(**fields: Any) -> set[str | None]:
        return {each["metadata"]["session_id"] for each in await door.search("ship", limit=50, **fields)}

    assert await sessions() == {"one", "two", None}
    assert await sessions(session_id="one") == {"one", None}
    assert await sessions(exclude_session_id="one") == {"two", None}
    assert await sessions(session_id="", exclude_session_id="one") == {"two", None}
    assert await sessions(session_id="one", exclude_session_id="") == {"one", None}
    assert await sessions(session_id=None, exclude_session_id=None) == {"one", "two", None}
    assert await sessions(session_id="nowhere") == {None}


async def test_both_session_filters_at_once_are_refused(door: Door) -> None:
    answer = await door.post("/search", {"query": "x", "session_id": "one", "exclude_session_id": "two"})

    assert answer.status_code == 422


@pytest.mark.parametrize("name", ["session_id", "exclude_session_id"])
@pytest.mark.parametrize("session_id", ["two words", "象", "a,b", " ", "x" * 257])
async def test_sessions_can_have_ids_that_no_search_takes(door: Door, name: str, session_id: str) -> None:
    if len(session_id.strip()) in range(1, 257):
        await door.say("The ship sails on Monday.", session_id=session_id)

    assert (await door.post("/search", {"query": "ship", name: session_id})).status_code == 422


async def test_ids_with_every_character_a_search_takes_are_searched(door: Door) -> None:
    await door.say("The ship sails on Monday.", session_id="Az09_-:.@/")
    await door.work()

    assert await door.search("ship", session_id="Az09_-:.@/")


async def test_the_limit_is_honoured_and_results_come_best_first(door: Door) -> None:
    await door.say(*(f"The ship number {number} sails on Monday." for number in range(12)))
    await door.work()

    scores = [each["score"] for each in await door.search("Which ship sails on Monday?", limit=5)]
    default = await door.search("Which ship sails on Monday?")

    assert len(scores) == 5
    assert scores == sorted(scores, reverse=True)
    assert len(default) == 10


async def test_the_threshold_is_a_floor_on_the_score(door: Door) -> None:
    await door.say("I moved to Lisbon.", "My favourite colour is green.")
    await door.work()
    every = await door.search("Where does ann live?")

    above = await door.search("Where does ann live?", threshold=0.4)

    assert contents(above) == contents([each for each in every if each["score"] >= 0.4])
    assert 0 < len(above) < len(every)
    assert await door.search("Where does ann live?", threshold=1.5) == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"query": ""},
        {"query": " \n"},
        {"query": None},
        {"query": "x", "limit": 0},
        {"query": "x", "limit": 101},
        {"query": "x", "limit": "many"},
        {"query": "x", "threshold": "high"},
        {"query": "x", "actor_id": ""},
        {"query": "x", "role_ids": "pilots"},
        {"query": "x", "team_ids": [7]},
        {"query": "x", "session_id": 7},
    ],
)
async def test_a_search_that_cannot_be_is_refused(door: Door, body: dict[str, Any]) -> None:
    assert (await door.post("/search", body)).status_code == 422


@pytest.mark.parametrize("query", ['"quoted" AND (NOT *', "象", "😀", "x" * 20_000, "a\0b"])
async def test_any_other_text_is_a_query(door: Door, query: str) -> None:
    assert (await door.post("/search", {"query": query})).status_code == 200


async def test_being_found_makes_a_memory_stronger_and_reading_it_does_not(door: Door, clock: FrozenClock) -> None:
    await door.say("I moved to Lisbon.")
    await door.work()

    async def home() -> dict[str, Any]:
        items = (await door.json("/console/memories", type="fact"))["items"]
        shown: dict[str, Any] = await door.json(f"/console/memories/{items[0]['memory_id']}")
        return shown

    before = await home()
    await door.search("Where does ann live?", include_source_events=True)
    await door.work()
    after = await home()

    assert (before["strength"], before["recall_count"], before["last_recalled_at"]) == (1.0, 0, None)
    assert 1.0 < after["strength"] <= 5.0
    assert (after["recall_count"], after["last_recalled_at"]) == (1, "2026-01-01T00:00:00Z")


async def test_strength_never_exceeds_five(door: Door) -> None:
    await door.say("I moved to Lisbon.")
    await door.work()
    for _ in range(42):
        await door.search("Where does ann live?")
        await door.work()

    [home] = (await door.json("/console/memories", type="fact"))["items"]

    assert home["strength"] == 5.0
    assert home["recall_count"] == 42


async def test_events_of_every_kind_are_found(door: Door) -> None:
    kinds = ("user_message", "assistant_message", "tool_result", "app_event")
    await door.ingest(*(event(f"The harbour log speaks of {kind}s.", kind=kind) for kind in kinds))
    await door.work()

    assert len(await door.search("What does the harbour log speak of?")) == 4
