"""`/sessions/{session_id}/memory` of the Zep door: adding, reading and deleting what was said."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from memcairn.domain.clock import FrozenClock
from tests.api.zep.conftest import Door

pytestmark = pytest.mark.anyio

LINES = [f"Line {number} is about the garden wall and its {number} stones." for number in range(1, 31)]


def contents(memory: dict[str, Any]) -> list[str]:
    return [message["content"] for message in memory["messages"]]


async def test_adding_to_an_unknown_session_makes_it(door: Door) -> None:
    await door.say("s1", "Hello there.")

    session = await door.json("/sessions/s1")
    assert (session["user_id"], session["metadata"]) == (None, None)


@pytest.mark.parametrize("body", [{"messages": []}, {"messages": None}, {}])
async def test_adding_nothing_makes_the_session_too(door: Door, body: dict[str, Any]) -> None:
    answer = await door.post("/sessions/s1/memory", body)

    assert (answer.status_code, answer.text) == (200, "OK")
    assert await door.json("/sessions/s1/memory") == {"messages": []}


async def test_a_message_is_shown_whole(door: Door) -> None:
    await door.say("s1", "what is the time", metadata={"foo": "bar", "system": {"intent": "asks"}})

    [message] = (await door.json("/sessions/s1/memory"))["messages"]

    assert message == {
        "uuid": message["uuid"],
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "role": "human",
        "content": "what is the time",
        "metadata": {"foo": "bar", "system": {"intent": "asks"}},
        "token_count": message["token_count"],
    }
    assert message["token_count"] > 0


async def test_what_the_client_says_about_time_and_tokens_is_not_taken_for_the_servers_word(door: Door) -> None:
    await door.say("s1", "when was this", created_at="1999-01-01T00:00:00Z", token_count=9_000)
    await door.say("s1", "and this", created_at="no time at all")
    await door.say("s1", "and this one", created_at="0001-01-01T00:00:00Z")

    found = await door.messages("s1")

    assert [message["created_at"] for message in found] == ["2026-01-01T00:00:00Z"] * 3
    assert found[0]["token_count"] < 9_000


async def test_dates_in_a_text_start_from_when_the_client_says_it_was_said(door: Door) -> None:
    await door.say("s1", "I moved to Lisbon yesterday.", created_at="2024-05-17T10:00:00Z")
    await door.say("s1", "We will meet tomorrow in Oslo.", created_at="9999-12-31T23:59:59Z")
    await door.work()

    events = (await door.client.get("/v1/events", params={"session_id": "s1"})).json()["items"]

    assert [event["occurred_at"] for event in events] == ["2024-05-17T10:00:00Z", "9999-12-31T23:59:59Z"]
    assert [event["status"] for event in events] == ["completed", "completed"]


async def test_roles_and_contents_are_free_text_and_may_be_empty(door: Door) -> None:
    said = [
        {"role": "", "content": ""},
        {"role": "Oracle of Delphi", "content": " "},
        {"role": None, "content": None},
        {},
    ]
    await door.post("/sessions/s1/memory", {"messages": said})
    await door.work()

    found = await door.messages("s1")

    assert [(message["role"], message["content"]) for message in found] == [
        ("", ""),
        ("Oracle of Delphi", " "),
        ("", ""),
        ("", ""),
    ]


async def test_saying_it_twice_keeps_it_twice(door: Door) -> None:
    await door.say("s1", "Yes.", "Yes.")
    await door.say("s1", "Yes.")

    assert len(await door.messages("s1")) == 3


async def test_batches_that_race_make_one_session_and_do_not_mix(door: Door) -> None:
    batches = [[f"{batch}.{line}" for line in range(3)] for batch in range(10)]

    await asyncio.gather(*(door.say("s1", *batch) for batch in batches))

    found = [message["content"] for message in await door.messages("s1")]
    assert sorted(found[start : start + 3] for start in range(0, 30, 3)) == batches
    assert [session["id"] for session in await door.json("/sessions")] == [1]


async def test_a_very_long_message_is_kept_whole(door: Door) -> None:
    long = "A line about the garden wall. " * 4_000
    await door.say("s1", long)
    await door.work()

    assert [message["content"] for message in await door.messages("s1")] == [long]


async def test_memory_and_summary_beside_the_messages_are_ignored(door: Door) -> None:
    body = {"messages": [{"role": "ai", "content": "Hi."}], "metadata": {"x": 1}, "summary": {"content": "forged"}}
    await door.post("/sessions/s1/memory", body)

    assert set(await door.json("/sessions/s1/memory")) == {"messages"}
    assert (await door.json("/sessions/s1"))["metadata"] is None


@pytest.mark.parametrize(
    "message",
    [
        "text",
        {"role": 1, "content": "x"},
        {"role": "human", "content": ["x"]},
        {"role": "human", "content": "x", "uuid": "not-a-uuid"},
        {"role": "human", "content": "x", "metadata": []},
    ],
)
async def test_a_message_that_does_not_fit_refuses_the_whole_batch(door: Door, message: Any) -> None:
    answer = await door.post("/sessions/s1/memory", {"messages": [{"role": "human", "content": "fine"}, message]})

    assert answer.status_code == 400
    assert (await door.get("/sessions/s1")).status_code == 404


async def test_a_uuid_given_is_kept_and_an_empty_one_is_none(door: Door) -> None:
    known = str(uuid4())
    await door.say("s1", "one", uuid=known.upper())
    await door.say("s1", "two", uuid="")

    first, second = await door.messages("s1")

    assert first["uuid"] == known
    assert second["uuid"] not in ("", known)


async def test_a_known_uuid_updates_its_message_in_place(door: Door, clock: FrozenClock) -> None:
    known = str(uuid4())
    await door.say("s1", "See you Monday.", uuid=known, metadata={"a": {"x": 1}, "system": {"mine": 1}})
    await door.say("s1", "Fine by me.")
    clock.advance(timedelta(minutes=5))

    metadata = {"a": {"y": 2}, "system": {"forged": 1}}
    change = {"role": "user", "content": "See you Friday.", "uuid": known, "metadata": metadata}
    await door.post("/sessions/s1/memory", {"messages": [change]})

    changed, other = await door.messages("s1")
    assert (changed["uuid"], changed["role"], changed["content"]) == (known, "user", "See you Friday.")
    assert (changed["created_at"], changed["updated_at"]) == ("2026-01-01T00:00:00Z", "2026-01-01T00:05:00Z")
    assert changed["metadata"]["a"] == {"x": 1, "y": 2}
    assert changed["metadata"]["system"]["mine"] == 1
    assert "forged" not in changed["metadata"]["system"]
    assert other["content"] == "Fine by me."


async def test_an_updated_message_is_remembered_by_its_new_words_alone(door: Door) -> None:
    known = str(uuid4())
    await door.say("s1", "The spare key is under the flowerpot.", uuid=known)
    await door.work()

    await door.say("s1", "The spare key is with the neighbours.", uuid=known)
    await door.work()

    hits = (await door.client.post("/v1/search", json={"query": "where is the spare key"})).json()["hits"]
    assert any("neighbours" in hit["text"] for hit in hits)
    assert not any("flowerpot" in hit["text"] for hit in hits)


async def test_a_uuid_of_another_session_is_refused_and_nothing_is_stored(door: Door) -> None:
    known = str(uuid4())
    await door.say("s1", "mine", uuid=known)

    stolen = {"role": "human", "content": "stolen", "uuid": known}
    answer = await door.post("/sessions/s2/memory", {"messages": [{"role": "human", "content": "fine"}, stolen]})

    assert answer.status_code == 400
    assert (await door.get("/sessions/s2")).status_code == 404
    assert [message["content"] for message in await door.messages("s1")] == ["mine"]


async def test_updating_a_deleted_message_leaves_it_deleted(door: Door) -> None:
    known = str(uuid4())
    await door.say("s1", "old words", uuid=known)
    await door.delete("/sessions/s1/memory")

    await door.say("s1", "new words", uuid=known)
    await door.say("s1", "a fresh start")

    assert [message["content"] for message in await door.messages("s1")] == ["a fresh start"]


async def test_memory_without_a_number_is_the_newest_window(door: Door) -> None:
    await door.say("s1", *LINES[:11])
    assert contents(await door.json("/sessions/s1/memory")) == LINES[:11]

    await door.say("s1", *LINES[11:20])
    assert contents(await door.json("/sessions/s1/memory")) == LINES[8:20]
    assert contents(await door.json("/sessions/s1/memory", lastn=0)) == LINES[8:20]
    assert contents(await door.json("/sessions/s1/memory", lastn="")) == LINES[8:20]


async def test_a_number_asks_for_that_many_whatever_was_summarised(door: Door) -> None:
    await door.say("s1", *LINES[:20])
    await door.work()

    assert contents(await door.json("/sessions/s1/memory", lastn=3)) == LINES[17:20]
    assert contents(await door.json("/sessions/s1/memory", lastn=500)) == LINES[:20]


@pytest.mark.parametrize("lastn", ["-1", "many", "1.5"])
async def test_a_number_that_is_none_is_a_bad_request(door: Door, lastn: str) -> None:
    await door.say("s1", "Hello.")

    assert (await door.get("/sessions/s1/memory", lastn=lastn)).status_code == 400


async def test_twelve_messages_leave_six_and_a_summary(door: Door) -> None:
    await door.say("s1", *LINES[:12])
    every = await door.messages("s1")
    await door.work()

    memory = await door.json("/sessions/s1/memory")

    assert contents(memory) == LINES[6:12]
    summary = memory["summary"]
    assert set(summary) == {"uuid", "created_at", "content", "recent_message_uuid", "metadata", "token_count"}
    assert summary["recent_message_uuid"] == every[5]["uuid"]
    assert summary["content"].strip()
    assert summary["token_count"] > 0


async def test_a_batch_larger_than_the_window_is_summarised_whole(door: Door) -> None:
    await door.say("s1", *LINES)
    await door.work()

    memory = await door.json("/sessions/s1/memory")

    assert contents(memory) == LINES[24:]
    assert memory["summary"]["recent_message_uuid"] == (await door.messages("s1"))[23]["uuid"]


async def test_a_session_that_is_not_there_has_no_memory(door: Door) -> None:
    await door.say("gone", "Hello.")
    await door.delete("/sessions/gone/memory")

    assert (await door.get("/sessions/never/memory")).status_code == 404
    assert (await door.get("/sessions/gone/memory")).status_code == 404


async def test_deleting_the_memory_deletes_the_session_once(door: Door) -> None:
    await door.say("s1", *LINES[:14])
    await door.work()

    answer = await door.delete("/sessions/s1/memory")

    assert (answer.status_code, answer.text) == (200, "OK")
    assert (await door.get("/sessions/s1")).status_code == 404
    assert (await door.delete("/sessions/s1/memory")).status_code == 404
    assert await door.messages("s1") == []


async def test_saying_something_revives_the_session_and_not_what_was_said(door: Door) -> None:
    await door.post("/sessions", {"session_id": "s1", "metadata": {"kept": True}})
    await door.say("s1", *LINES[:14])
    await door.work()
    await door.delete("/sessions/s1/memory")

    await door.say("s1", "A fresh start.")
    await door.work()

    memory = await door.json("/sessions/s1/memory")
    assert contents(memory) == ["A fresh start."]
    assert "summary" not in memory
    assert (await door.json("/sessions/s1"))["metadata"] == {"kept": True}


async def test_events_of_other_doors_are_messages_with_a_role(door: Door) -> None:
    kinds = ["user_message", "assistant_message", "tool_result", "app_event"]
    events = [{"actor_id": "ann", "session_id": "s1", "kind": kind, "content": f"a {kind}"} for kind in kinds]
    await door.client.post("/v1/events", json={"events": events})

    found = await door.messages("s1")

    assert [message["role"] for message in found] == ["user", "assistant", "tool", "system"]


async def test_names_and_dates_stand_in_the_metadata_with_their_places(door: Door) -> None:
    await door.say("s1", "I met Octavia Butler in March 2024.", metadata={"foo": "bar"})

    [message] = await door.messages("s1")

    name = {"Start": 6, "End": 20, "Text": "Octavia Butler"}
    month = {"Start": 24, "End": 34, "Text": "March 2024"}
    assert message["metadata"] == {
        "foo": "bar",
        "system": {
            "entities": [
                {"Name": "Octavia Butler", "Label": "PERSON", "Matches": [name]},
                {"Name": "March 2024", "Label": "DATE", "Matches": [month]},
            ]
        },
    }
