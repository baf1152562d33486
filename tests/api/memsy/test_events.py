"""`/ingest`, `/status`, `/clear` and the list of events."""

from datetime import timedelta
from typing import Any

import pytest

from memcairn.domain.clock import FrozenClock
from memcairn.settings import Settings
from tests.api.memsy.conftest import Door, OpenDoor, event
from tests.build import ORG

pytestmark = pytest.mark.anyio


async def stored(door: Door, **query: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await door.json("/api/console/events", **query))["items"]
    return items


async def test_a_batch_is_answered_with_as_many_ids_in_order(door: Door) -> None:
    ids = await door.say(*(f"Line number {number}." for number in range(25)))

    assert len(set(ids)) == 25
    assert [each["event_id"] for each in await stored(door, sort="ts_asc")] == ids


async def test_nothing_to_take_is_taken(door: Door) -> None:
    assert await door.ingest() == []


async def test_what_repeats_within_a_minute_has_the_id_of_the_first(door: Door, clock: FrozenClock) -> None:
    first, other, again = await door.say("It rains.", "It snows.", "It rains.")
    clock.advance(timedelta(seconds=59))
    [later] = await door.say("It rains.", ts="2020-01-01T00:00:00Z", metadata='{"n": 1}', role_id="r")
    clock.advance(timedelta(seconds=2))
    [fresh] = await door.say("It rains.")

    assert again == first
    assert later == first
    assert len({first, other, fresh}) == 3


@pytest.mark.parametrize(
    "difference", [{"actor_id": "ben"}, {"session_id": "s2"}, {"kind": "app_event"}, {"content": "It rains"}]
)
async def test_what_differs_in_who_where_or_what_is_another_event(door: Door, difference: dict[str, str]) -> None:
    first, second = await door.ingest(event("It rains."), event("It rains.") | difference)

    assert first != second


async def test_ids_are_trimmed_blank_role_and_team_are_none_and_nul_is_gone(door: Door) -> None:
    await door.ingest(event("It\0 rains.", actor_id=" ann\0 ", session_id="\ts1 ", role_id=" ", team_id=" sales\0"))

    [event_there] = await stored(door)
    assert (event_there["actor_id"], event_there["session_id"], event_there["content"]) == ("ann", "s1", "It rains.")
    assert (event_there["role_id"], event_there["team_id"]) == (None, "sales")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ('{"plan": "pro", "n": {"a": [1]}}', {"plan": "pro", "n": {"a": [1]}}),
        ("not json", {"raw": "not json"}),
        ("[1, 2]", {"raw": "[1, 2]"}),
        ("7", {"raw": "7"}),
        ('{"n": NaN}', {"raw": '{"n": NaN}'}),
        ('{"a": "x\\u0000y"}', {"a": "xy"}),
        ("", {}),
        (None, {}),
    ],
)
async def test_metadata_is_a_text_and_never_an_error(door: Door, given: str | None, kept: dict[str, Any]) -> None:
    await door.say("It rains.", metadata=given)

    assert [each["metadata"] for each in await stored(door)] == [kept]


async def test_a_name_in_metadata_is_who_spoke(door: Door) -> None:
    await door.say("I moved to Lisbon.", actor_id="group", metadata='{"name": "Ben"}')
    await door.work()

    assert "Ben lives in Lisbon" in [each["content"] for each in await door.search("Where does Ben live?")]


@pytest.mark.parametrize("name", ['""', '" "', "7", '["Ben"]', '"' + "x" * 257 + '"'])
async def test_a_name_that_is_none_leaves_the_actor_the_speaker(door: Door, name: str) -> None:
    await door.say("I moved to Lisbon.", metadata=f'{{"name": {name}}}')
    await door.work()

    assert "ann lives in Lisbon" in [each["content"] for each in await door.search("Where does ann live?")]


async def test_the_time_said_is_kept_and_without_a_zone_it_is_utc(door: Door, clock: FrozenClock) -> None:
    await door.ingest(
        event("One.", ts="2026-03-15T16:22:10+02:00"),
        event("Two.", ts="2026-03-15T14:22:11"),
        event("Three.", ts=""),
        event("Four."),
    )

    times = {each["content"]: each["ts"] for each in await stored(door)}
    now = clock.now().isoformat().replace("+00:00", "Z")
    assert times == {"One.": "2026-03-15T14:22:10Z", "Two.": "2026-03-15T14:22:11Z", "Three.": now, "Four.": now}


@pytest.mark.parametrize(
    "broken",
    [
        {"actor_id": ""},
        {"actor_id": " \0"},
        {"actor_id": "x" * 257},
        {"actor_id": 7},
        {"session_id": "  "},
        {"session_id": None},
        {"kind": "comment"},
        {"kind": "User_Message"},
        {"content": ""},
        {"content": " \n"},
        {"content": "x" * 8_001},
        {"content": ["x"]},
        {"role_id": "x" * 257},
        {"ts": "yesterday"},
        {"ts": 1_700_000_000},
        {"metadata": {"plan": "pro"}},
        {"metadata": "x" * 4_097},
    ],
)
async def test_one_broken_event_and_nothing_of_the_batch_is_stored(door: Door, broken: dict[str, Any]) -> None:
    answer = await door.post("/ingest", {"events": [event("It rains."), event("It snows.") | broken]})

    assert answer.status_code == 422
    assert next(iter(broken)) in answer.json()["message"]
    assert await stored(door) == []


@pytest.mark.parametrize("body", [{}, {"events": None}, {"events": {}}, {"events": ["x"]}, {"events": [{}]}])
async def test_a_body_without_a_list_of_events_is_refused(door: Door, body: dict[str, Any]) -> None:
    assert (await door.post("/ingest", body)).status_code == 422


async def test_keys_in_camel_case_are_not_taken(door: Door) -> None:
    camel = {"actorId": "ann", "sessionId": "s1", "kind": "user_message", "content": "It rains."}

    assert (await door.post("/ingest", {"events": [camel]})).status_code == 422


async def test_fields_nobody_knows_are_ignored(door: Door) -> None:
    assert len(await door.ingest(event("It rains.", colour="red"))) == 1


async def test_a_batch_holds_a_thousand_events(door: Door) -> None:
    most = [event(f"Line {number}.") for number in range(1_000)]

    too_many = await door.post("/ingest", {"events": [*most, event("One more.")]})

    assert too_many.status_code == 422
    assert len(await door.ingest(*most)) == 1_000


async def test_how_long_a_content_may_be_is_a_setting(open_door: OpenDoor) -> None:
    door = await open_door(Settings(memsy_content_chars=12))

    assert (await door.post("/ingest", {"events": [event("x" * 12)]})).status_code == 200
    assert (await door.post("/ingest", {"events": [event("x" * 13)]})).status_code == 422


async def test_naming_the_own_org_is_fine_except_on_the_free_plan(door: Door, open_door: OpenDoor) -> None:
    free = await open_door(Settings(memsy_plan="free"))
    bodies = [
        ("/ingest", {"org_id": ORG, "events": [event("One.")]}),
        ("/ingest", {"events": [event("Two.", org_id=ORG)]}),
        ("/search", {"org_id": ORG, "query": "one"}),
    ]

    assert [(await door.post(path, body)).status_code for path, body in bodies] == [200] * 3
    refused = [await free.post(path, body) for path, body in bodies]
    assert [(answer.status_code, answer.json()["error"]) for answer in refused] == [(400, "org_id_not_allowed")] * 3
    assert refused[0].headers["x-plan"] == "free"


async def test_the_status_of_events_is_told_in_camel_case(door: Door) -> None:
    first, acknowledgement = await door.say("I moved to Lisbon.", "ok")
    await door.work()
    [waiting] = await door.say("I moved to Porto.")

    asked = [waiting, first, "nobody's", first, acknowledgement]
    answer = await door.post("/status", {"event_ids": asked})

    assert answer.status_code == 200
    assert answer.json() == {
        "completedIds": [first, first, acknowledgement],
        "failedIds": ["nobody's"],
        "pendingIds": [waiting],
        "total": 5,
        "statuses": {
            first: "completed",
            acknowledgement: "completed",
            waiting: "pending",
            "nobody's": "not_found",
        },
    }


async def test_the_status_of_five_hundred_events_can_be_asked_at_once(door: Door) -> None:
    most = await door.post("/status", {"event_ids": [f"e{number}" for number in range(500)]})
    too_many = await door.post("/status", {"event_ids": [f"e{number}" for number in range(501)]})
    none = await door.post("/status", {"event_ids": []})

    assert most.json()["total"] == 500
    assert too_many.status_code == 422
    assert none.json() == {"completedIds": [], "failedIds": [], "pendingIds": [], "total": 0, "statuses": {}}


async def test_clearing_a_conversation_hides_it_and_counts_its_events(door: Door) -> None:
    await door.say("I moved to Lisbon.", "My favourite colour is green.", session_id="one/two")
    await door.say("I play the oboe.", session_id="other")
    await door.work()

    cleared = await door.ask("DELETE", "/clear/one%2Ftwo")
    again = await door.ask("DELETE", "/v1/clear/one/two")

    assert (cleared.status_code, cleared.json()) == (200, {"deleted": 2})
    assert again.status_code == 404
    assert {each["metadata"]["session_id"] for each in await door.search("Lisbon green oboe")} == {"other"}


async def test_events_are_listed_by_the_time_they_were_said(door: Door) -> None:
    await door.ingest(
        event("Middle.", ts="2026-01-02T00:00:00Z"),
        event("First.", ts="2026-01-01T00:00:00Z", actor_id="ben"),
        event("Last.", ts="2026-01-03T00:00:00Z", session_id="s2", kind="tool_result"),
    )

    async def listed(**query: Any) -> list[str]:
        return [each["content"] for each in await stored(door, **query)]

    assert await listed() == ["Last.", "Middle.", "First."]
    assert await listed(sort="ts_asc") == ["First.", "Middle.", "Last."]
    assert await listed(limit=1, offset=1) == ["Middle."]
    assert await listed(actor_id="ben") == ["First."]
    assert await listed(session_id="s2", kind="tool_result") == ["Last."]
    page = await door.json("/api/console/events", limit=1, offset=5, kind="user_message")
    assert page == {"items": [], "total": 2, "limit": 1, "offset": 5}


async def test_an_event_is_shown_with_its_org_and_when_it_came(door: Door, clock: FrozenClock) -> None:
    [event_id] = await door.say("It rains.", ts="2025-01-01T00:00:00Z")

    [shown] = await stored(door)

    expected = {"event_id": event_id, "org_id": ORG, "actor_id": "ann", "session_id": "s1", "kind": "user_message"}
    assert expected.items() <= shown.items()
    assert shown["ts"] == "2025-01-01T00:00:00Z"
    assert shown["ingested_at"] == clock.now().isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=x", "offset=-1", "offset=1.5", "sort=newest", "kind=comment"]
)
async def test_a_list_of_events_that_cannot_be_is_refused(door: Door, query: str) -> None:
    assert (await door.get(f"/api/console/events?{query}")).status_code == 422
