"""`/sessions/{session_id}/messages` of the Zep door."""

from typing import Any
from uuid import uuid4

import pytest

from memcairn.api.zep.answers import MANY
from tests.api.zep.conftest import Door

pytestmark = pytest.mark.anyio


async def test_pages_are_numbered_from_one_and_run_oldest_first(door: Door) -> None:
    await door.say("s1", *"abcde")

    async def page(**query: Any) -> tuple[str, int, int]:
        found = await door.json("/sessions/s1/messages", **query)
        return "".join(each["content"] for each in found["messages"]), found["total_count"], found["row_count"]

    assert await page(limit=2, cursor=1) == ("ab", 5, 2)
    assert await page(limit=2, cursor=3) == ("e", 5, 1)
    assert await page(limit=2, cursor=4) == ("", 5, 0)
    assert await page(limit=2) == await page(limit=2, cursor=0) == await page(limit=2, cursor="x") == ("ab", 5, 2)
    assert await page() == await page(limit=0) == await page(limit="", cursor="") == ("abcde", 5, 5)
    assert await page(limit=2**40, cursor=2**40) == ("", 5, 0)


async def test_a_list_of_many_is_the_same_as_one_of_few(door: Door) -> None:
    lines = [f"line {number}" for number in range(MANY + 5)]
    await door.say("s1", *lines)

    assert [message["content"] for message in await door.messages("s1")] == lines


async def test_an_unknown_session_has_no_messages(door: Door) -> None:
    assert await door.json("/sessions/never/messages") == {"messages": [], "total_count": 0, "row_count": 0}


async def test_a_limit_that_is_no_number_is_a_bad_request(door: Door) -> None:
    assert (await door.get("/sessions/s1/messages", limit="two")).status_code == 400


async def test_one_message_is_read_by_its_uuid(door: Door) -> None:
    await door.say("s1", "first", "second")
    _, second = await door.messages("s1")

    assert await door.json(f"/sessions/s1/messages/{second['uuid']}") == second
    assert await door.json(f"/sessions/s1/messages/{second['uuid'].upper()}") == second


async def test_a_message_is_found_in_its_own_session_only(door: Door) -> None:
    await door.say("s1", "mine")
    await door.say("s2", "yours")
    [mine] = await door.messages("s1")

    assert (await door.get(f"/sessions/s2/messages/{mine['uuid']}")).status_code == 404
    assert (await door.patch(f"/sessions/s2/messages/{mine['uuid']}", {"metadata": {"a": 1}})).status_code == 404


async def test_what_is_no_uuid_is_a_bad_request_and_an_unknown_one_is_not_found(door: Door) -> None:
    await door.say("s1", "hello")
    unknown = uuid4()

    assert (await door.get("/sessions/s1/messages/not-a-uuid")).status_code == 400
    assert (await door.get(f"/sessions/s1/messages/{unknown}")).status_code == 404
    assert (await door.patch("/sessions/s1/messages/not-a-uuid", {"metadata": {"a": 1}})).status_code == 400
    assert (await door.patch(f"/sessions/s1/messages/{unknown}", {"metadata": {"a": 1}})).status_code == 404
    assert (await door.patch(f"/sessions/s1/messages/{unknown}", {})).status_code == 404


async def test_an_event_with_an_id_of_its_own_is_found_by_it(door: Door) -> None:
    event = {"event_id": "order-17", "actor_id": "ann", "session_id": "s1", "kind": "app_event", "content": "paid"}
    await door.client.post("/v1/events", json={"events": [event]})

    assert (await door.json("/sessions/s1/messages/order-17"))["content"] == "paid"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"metadata": {"a": {"y": 2}}}, {"a": {"x": 1, "y": 2}, "n": 1}),
        ({"metadata": {"n": None}}, {"a": {"x": 1}, "n": None}),
        ({"metadata": {"a": [1]}}, {"a": [1], "n": 1}),
        ({"mood": "calm"}, {"a": {"x": 1}, "n": 1, "mood": "calm"}),
        ({"metadata": {"system": {"forged": 1}, "b": 0}}, {"a": {"x": 1}, "n": 1, "b": 0}),
        ({"system": {"forged": 1}}, {"a": {"x": 1}, "n": 1}),
        ({"metadata": {}}, {"a": {"x": 1}, "n": 1}),
        ({"metadata": None}, {"a": {"x": 1}, "n": 1}),
        ({}, {"a": {"x": 1}, "n": 1}),
        ({"role": "ai", "content": "other", "mood": "calm"}, {"a": {"x": 1}, "n": 1}),
        ({"uuid": str(uuid4()), "metadata": {"b": 1}}, {"a": {"x": 1}, "n": 1, "b": 1}),
    ],
)
async def test_an_update_merges_metadata_and_nothing_else(
    door: Door, body: dict[str, Any], expected: dict[str, Any]
) -> None:
    await door.say("s1", "hello", metadata={"a": {"x": 1}, "n": 1})
    [message] = await door.messages("s1")

    answer = await door.patch(f"/sessions/s1/messages/{message['uuid']}", body)

    assert answer.status_code == 200
    assert answer.json() == message | {"metadata": expected}
    assert await door.messages("s1") == [answer.json()]


@pytest.mark.parametrize("body", [[], "text", {"metadata": "text"}, {"metadata": [1]}])
async def test_an_update_that_is_no_object_is_a_bad_request(door: Door, body: Any) -> None:
    await door.say("s1", "hello")
    [message] = await door.messages("s1")

    assert (await door.patch(f"/sessions/s1/messages/{message['uuid']}", body)).status_code == 400
