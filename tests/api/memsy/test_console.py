"""Memories, their statistics and actors, as a console lists them."""

from datetime import timedelta
from typing import Any

import pytest

from memcairn.domain.clock import FrozenClock
from memcairn.domain.keys import KeyScope
from tests.api.memsy.conftest import Door
from tests.build import ORG

pytestmark = pytest.mark.anyio

FIELDS = {
    *("memory_id", "org_id", "scope", "type", "kind", "memory_kind", "status", "text", "confidence", "strength"),
    *("recall_count", "decay_half_life_days", "pinned", "tags", "entity_refs", "source_event_ids", "source_urls"),
    *("summary", "payload", "last_recalled_at", "effective_from", "effective_to", "observed_at", "created_at"),
    "updated_at",
}


async def listed(door: Door, **query: Any) -> list[str]:
    return [each["text"] for each in (await door.json("/console/memories", **query))["items"]]


async def test_a_memory_is_shown_with_every_field(door: Door) -> None:
    [event_id] = await door.say("I moved to Lisbon.", ts="2025-12-24T00:00:00Z")
    await door.work()

    [shown] = (await door.json("/console/memories", type="fact"))["items"]

    assert shown.keys() >= FIELDS
    assert shown["org_id"] == ORG
    assert shown["scope"] == {"level": "actor", "actor_id": "ann", "role_id": None, "team_id": None}
    assert (shown["kind"], shown["memory_kind"], shown["status"]) == ("semantic", "semantic", "active")
    assert shown["entity_refs"] == [{"name": "Lisbon", "type": "PLACE"}]
    assert shown["source_event_ids"] == [event_id]
    assert (shown["source_urls"], shown["summary"], shown["pinned"]) == ([], None, False)
    assert shown["decay_half_life_days"] == 30.0
    assert shown["observed_at"] == "2025-12-24T00:00:00Z"
    assert shown["created_at"] == "2026-01-01T00:00:00Z"
    assert await door.json(f"/console/memories/{shown['memory_id']}") == shown


async def test_a_memory_nobody_knows_is_not_found_and_a_name_that_is_no_uuid_is_refused(door: Door) -> None:
    unknown = await door.get("/console/memories/00000000-0000-7000-8000-000000000000")
    no_uuid = await door.get("/console/memories/mem_1")

    assert (unknown.status_code, no_uuid.status_code) == (404, 422)


async def test_a_memory_that_has_risen_tells_how_many_people_it_rests_on(door: Door) -> None:
    for person in ("una", "vic", "wim"):
        await door.say("We always board the ship at the north gate.", actor_id=person, role_id="pilots")
    await door.work()
    [risen] = [
        each
        for each in (await door.json("/console/memories"))["items"]
        if each["scope"] == {"level": "role", "actor_id": None, "role_id": "pilots", "team_id": None}
    ]
    reader = await door.key_with(KeyScope.READ)

    lineage = (await door.json(f"/console/memories/{risen['memory_id']}"))["payload"]["lineage"]
    to_reader = (await door.ask("GET", f"/console/memories/{risen['memory_id']}", key=reader)).json()

    assert (lineage["actors"], lineage["needed"]) == (3, 3)
    assert len(lineage["supporting_memory_ids"]) == lineage["memories"] == 3
    assert to_reader["payload"]["lineage"] == lineage | {"supporting_memory_ids": None}
    assert not any(name in str(to_reader) for name in ("una", "vic", "wim"))


async def test_memories_are_filtered(door: Door) -> None:
    await door.say("I moved to Lisbon.", "I moved to Porto.")
    await door.say("My favourite colour is green.", actor_id="ben")
    await door.work()

    assert set(await listed(door, actor_id="ben", kind="semantic")) == {"ben's favourite colour is green"}
    assert set(await listed(door, type="fact")) == {"ann lives in Porto"}
    assert set(await listed(door, type="fact", status="superseded")) == {"ann lives in Lisbon"}
    assert set(await listed(door, search="COLOUR")) == {
        "My favourite colour is green.",
        "ben's favourite colour is green",
    }
    assert await listed(door, search="100%") == []
    assert await listed(door, actor_id="nobody") == []


async def test_memories_come_in_pages_that_neither_repeat_nor_skip(door: Door) -> None:
    await door.say(*(f"The harbour log speaks of ship number {number}." for number in range(7)))
    await door.work()
    total = (await door.json("/console/memories"))["total"]
    pages = [await door.json("/console/memories", limit=3, offset=offset) for offset in range(0, total + 3, 3)]

    ids = [each["memory_id"] for page in pages for each in page["items"]]

    assert {page["total"] for page in pages} == {total}
    assert (pages[1]["limit"], pages[1]["offset"]) == (3, 3)
    assert pages[-1]["items"] == []
    assert len(ids) == len(set(ids)) == total >= 7


async def test_memories_are_sorted_in_five_ways(door: Door, clock: FrozenClock) -> None:
    await door.say("The harbour log speaks of ships.", ts="2025-06-02T00:00:00Z")
    await door.work()
    clock.advance(timedelta(hours=1))
    await door.say("I moved to Lisbon.", ts="2025-06-01T00:00:00Z")
    await door.work()
    await door.search("Where does ann live?")
    await door.work()

    async def values(sort: str, field: str) -> list[Any]:
        return [each[field] for each in (await door.json("/console/memories", sort=sort))["items"]]

    for sort, field in (
        ("observed_at_desc", "observed_at"),
        ("strength_desc", "strength"),
        ("confidence_desc", "confidence"),
        ("created_at_desc", "created_at"),
    ):
        found = await values(sort, field)
        assert found == sorted(found, reverse=True)
        assert len(set(found)) > 1
    assert await values("observed_at_asc", "observed_at") == (await values("observed_at_desc", "observed_at"))[::-1]
    assert await values("observed_at_desc", "observed_at") == await values("", "observed_at")


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "offset=-1", "sort=newest", "status=gone", "kind=dream", "limit=1e3", "offset=9e18"],
)
async def test_a_list_of_memories_that_cannot_be_is_refused(door: Door, query: str) -> None:
    assert (await door.get(f"/console/memories?{query}")).status_code == 422


async def test_statistics_count_what_there_is(door: Door) -> None:
    await door.say("I moved to Lisbon.", "I moved to Porto.")
    await door.work()
    every = [
        each
        for status in ("active", "superseded")
        for each in (await door.json("/console/memories", status=status))["items"]
    ]

    stats = await door.json("/console/memories/stats")

    assert stats["total"] == stats["total_memories"] == len(every)
    assert stats["active_memories"] == stats["by_status"]["active"] == len(every) - 1
    assert stats["by_kind"]["episodic"] == sum(each["memory_kind"] == "episodic" for each in every)
    assert stats["by_type"]["fact"] == 2
    assert stats["avg_confidence"] == pytest.approx(sum(each["confidence"] for each in every) / len(every), abs=1e-3)
    assert stats["avg_strength"] == 1.0
    assert {"name": "Porto", "type": "PLACE", "count": 3} in stats["top_entities"]
    assert sum(bucket["count"] for bucket in stats["confidence_buckets"]) == len(every)
    assert [bucket["bucket"] for bucket in stats["confidence_buckets"]][-1] == "0.8-1.0"
    assert stats["date_range"] == {"earliest": "2026-01-01T00:00:00Z", "latest": "2026-01-01T00:00:00Z"}


async def test_statistics_of_nothing_are_noughts(door: Door) -> None:
    stats = await door.json("/console/memories/stats")

    assert (stats["total"], stats["avg_confidence"], stats["avg_strength"]) == (0, 0.0, 0.0)
    assert stats["date_range"] == {"earliest": None, "latest": None}


async def test_actors_are_those_who_have_memories(door: Door, clock: FrozenClock) -> None:
    await door.say("I moved to Lisbon.", actor_id="slack:T0/B7 x")
    await door.work()
    clock.advance(timedelta(hours=1))
    await door.say("I moved to Porto.", actor_id="ann")
    await door.say("ok", actor_id="silent")
    await door.work()

    every = await door.json("/actors")

    assert [each["actor_id"] for each in every["items"]] == ["ann", "slack:T0/B7 x"]
    assert (every["total"], every["limit"], every["offset"], every["truncated"]) == (2, 100, 0, False)
    shown = every["items"][1]
    assert (shown["first_memory_at"], shown["last_memory_at"]) == ("2026-01-01T00:00:00Z",) * 2
    assert shown["memory_count"] == shown["active_memory_count"] == 3
    assert shown["scope_levels"] == ["actor"]
    assert isinstance(shown["role_ids"], list)
    assert isinstance(shown["team_ids"], list)
    assert await door.json("/actors/slack%3AT0%2FB7%20x") == shown
    assert (await door.get("/actors/silent")).status_code == 404


async def test_actors_are_sorted_filtered_and_paged(door: Door, clock: FrozenClock) -> None:
    for actor_id in ("Ben", "ann", "carl_50%"):
        await door.say("I moved to Lisbon.", actor_id=actor_id)
        await door.work()
        clock.advance(timedelta(minutes=2))

    async def ids(**query: Any) -> list[str]:
        return [each["actor_id"] for each in (await door.json("/actors", **query))["items"]]

    assert await ids() == ["carl_50%", "ann", "Ben"]
    assert await ids(sort="first_memory_asc") == ["Ben", "ann", "carl_50%"]
    assert await ids(sort="last_memory_desc") == ["carl_50%", "ann", "Ben"]
    assert await ids(sort="actor_id_asc") == ["Ben", "ann", "carl_50%"]
    assert await ids(q="AN") == ["ann"]
    assert await ids(q="_50%") == ["carl_50%"]
    assert await ids(limit=1, offset=1) == ["ann"]
    assert (await door.json("/actors", q="b", limit=1, offset=9)) == {
        "items": [],
        "total": 1,
        "limit": 1,
        "offset": 9,
        "truncated": False,
    }
    assert await ids(org_id=ORG, limit=500) == await ids()


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "offset=-1", "sort=memory_count_desc"])
async def test_a_list_of_actors_that_cannot_be_is_refused(door: Door, query: str) -> None:
    assert (await door.get(f"/actors?{query}")).status_code == 422
