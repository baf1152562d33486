"""`/sessions` of the Zep door."""

import asyncio
from typing import Any

import pytest

from memcairn.core.deps import Deps
from memcairn.domain.clock import FrozenClock
from tests.api.zep.conftest import Door

pytestmark = pytest.mark.anyio


async def add(door: Door, session_id: str, **fields: Any) -> dict[str, Any]:
    answer = await door.post("/sessions", {"session_id": session_id} | fields)
    assert answer.status_code == 201, answer.text
    session: dict[str, Any] = answer.json()
    return session


async def test_a_new_session_is_shown_whole(door: Door) -> None:
    made = await add(door, "s1", metadata={"foo": "bar", "system": {"kept": 1}}, created_at="1999", uuid="x", id=77)

    assert made == {
        "uuid": made["uuid"],
        "id": 1,
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "deleted_at": None,
        "session_id": "s1",
        "metadata": {"foo": "bar", "system": {"kept": 1}},
        "user_id": None,
    }
    assert await door.json("/sessions/s1") == made


async def test_a_session_without_metadata_says_null(door: Door) -> None:
    assert (await add(door, "s1"))["metadata"] is None


async def test_a_session_belongs_to_its_user(door: Door) -> None:
    await door.post("/user", {"user_id": "ann"})

    assert (await add(door, "s1", user_id="ann"))["user_id"] == "ann"


@pytest.mark.parametrize(
    "body",
    [{}, {"session_id": ""}, {"session_id": None}, {"session_id": "s" * 257}, {"session_id": "s", "user_id": "nobody"}],
)
async def test_a_session_that_cannot_be_is_a_bad_request_and_leaves_nothing(door: Door, body: dict[str, Any]) -> None:
    answer = await door.post("/sessions", body)

    assert answer.status_code == 400
    assert await door.json("/sessions") == []


async def test_an_empty_user_id_means_none(door: Door) -> None:
    assert (await add(door, "s1", user_id=""))["user_id"] is None


async def test_a_second_session_of_the_id_is_refused_even_when_the_first_is_deleted(door: Door) -> None:
    await add(door, "s1")

    assert (await door.post("/sessions", {"session_id": "s1"})).status_code == 400
    await door.delete("/sessions/s1/memory")
    assert (await door.post("/sessions", {"session_id": "s1"})).status_code == 400


async def test_a_refused_session_burns_no_number(door: Door) -> None:
    first = await add(door, "s1")
    await door.post("/sessions", {"session_id": "s1"})
    await door.post("/sessions", {"session_id": "s2", "user_id": "nobody"})

    assert (await add(door, "s3"))["id"] == first["id"] + 1


async def test_an_update_merges_metadata_and_leaves_system_alone(door: Door) -> None:
    await add(door, "s1", metadata={"a": {"x": 1}, "list": [1, 2], "n": 5, "system": {"mine": True}})

    change = {"a": {"y": None}, "list": [3], "n": 0, "system": {"forged": True}}
    answer = await door.patch("/sessions/s1", {"session_id": "s1", "metadata": change})

    expected = {"a": {"x": 1, "y": None}, "list": [3], "n": 0, "system": {"mine": True}}
    assert answer.status_code == 200
    assert answer.json()["metadata"] == expected
    assert (await door.json("/sessions/s1"))["metadata"] == expected


async def test_merges_that_race_all_survive(door: Door) -> None:
    await add(door, "s1", metadata={"all": {}})

    await asyncio.gather(*(door.patch("/sessions/s1", {"metadata": {"all": {str(n): n}}}) for n in range(10)))

    assert (await door.json("/sessions/s1"))["metadata"] == {"all": {str(n): n for n in range(10)}}


async def test_an_update_changes_metadata_only(door: Door, clock: FrozenClock) -> None:
    await door.post("/user", {"user_id": "ann"})
    made = await add(door, "s1", metadata={"a": 1})

    body = {"session_id": "another", "user_id": "ann", "metadata": {}, "deleted_at": "2020-01-01T00:00:00Z"}
    answer = await door.patch("/sessions/s1", body)

    assert answer.status_code == 200
    assert answer.json() == made


async def test_an_update_brings_a_deleted_session_back_without_its_messages(door: Door) -> None:
    await door.say("s1", "This is gone for good.")
    await door.delete("/sessions/s1/memory")

    answer = await door.patch("/sessions/s1", {"session_id": "s1"})

    assert answer.status_code == 200
    assert (await door.json("/sessions/s1"))["session_id"] == "s1"
    assert await door.messages("s1") == []


async def test_an_unknown_session_is_not_found(door: Door) -> None:
    assert (await door.get("/sessions/nobody")).status_code == 404
    assert (await door.patch("/sessions/nobody", {"metadata": {"a": 1}})).status_code == 404
    assert (await door.delete("/sessions/nobody/memory")).status_code == 404


async def test_sessions_are_listed_by_ascending_number_behind_the_cursor(door: Door) -> None:
    numbers = {name: (await add(door, name))["id"] for name in ("c", "a", "d", "b")}

    async def names(**query: Any) -> list[str]:
        return [session["session_id"] for session in await door.json("/sessions", **query)]

    assert await names() == ["c", "a", "d", "b"]
    assert await names(limit=0) == ["c", "a", "d", "b"]
    assert await names(limit="", cursor="") == ["c", "a", "d", "b"]
    assert await names(limit=2) == ["c", "a"]
    assert await names(limit=2, cursor=numbers["a"]) == ["d", "b"]
    assert await names(cursor=numbers["d"]) == ["b"]
    assert await names(cursor=numbers["b"]) == []
    assert await names(cursor=-3, limit=1) == ["c"]


async def test_deleted_sessions_are_not_listed(door: Door) -> None:
    for name in ("a", "b", "c"):
        await add(door, name)
    await door.delete("/sessions/b/memory")

    assert [session["session_id"] for session in await door.json("/sessions")] == ["a", "c"]


async def test_a_session_is_the_same_through_every_door(door: Door, deps: Deps) -> None:
    await door.say("s1", "I moved to Lisbon last spring.")

    events = (await door.client.get("/v1/events", params={"session_id": "s1"})).json()["items"]

    assert [(event["content"], event["role"], event["kind"]) for event in events] == [
        ("I moved to Lisbon last spring.", "human", "user_message")
    ]
