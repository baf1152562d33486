"""`/user` of the Zep door."""

from typing import Any
from uuid import UUID

import pytest

from tests.api.zep.conftest import Door

pytestmark = pytest.mark.anyio


async def add(door: Door, user_id: str, **fields: Any) -> dict[str, Any]:
    answer = await door.post("/user", {"user_id": user_id} | fields)
    assert answer.status_code == 201, answer.text
    user: dict[str, Any] = answer.json()
    return user


async def test_a_new_user_is_shown_whole(door: Door) -> None:
    profile = {"email": "e@x.org", "first_name": "J", "last_name": "S", "metadata": {"a": 1, "system": {"b": 2}}}
    made = await add(door, "u1", **profile)

    assert made == profile | {
        "uuid": str(UUID(made["uuid"])),
        "id": 1,
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "deleted_at": None,
        "user_id": "u1",
    }
    assert await door.json("/user/u1") == made


async def test_what_is_empty_is_left_out(door: Door) -> None:
    made = await add(door, "u1", email="", first_name=None, metadata={})

    assert set(made) == {"uuid", "id", "created_at", "updated_at", "deleted_at", "user_id"}


@pytest.mark.parametrize("body", [{}, {"user_id": ""}, {"user_id": None}, {"user_id": "u1"}, {"user_id": 5}])
async def test_a_user_that_cannot_be_is_a_bad_request(door: Door, body: dict[str, Any]) -> None:
    await add(door, "u1")

    assert (await door.post("/user", body)).status_code == 400


async def test_an_update_merges_system_as_well_and_keeps_what_is_empty(door: Door) -> None:
    await add(door, "u1", email="e@x.org", first_name="J", metadata={"a": {"x": 1}, "system": {"k": 1}})

    body = {"user_id": "another", "uuid": "ignored", "email": "", "first_name": "K"}
    answer = await door.patch("/user/u1", body | {"metadata": {"a": {"y": None}, "system": {"l": 2}}})

    assert answer.status_code == 200
    changed = answer.json()
    assert (changed["user_id"], changed["email"], changed["first_name"]) == ("u1", "e@x.org", "K")
    assert changed["metadata"] == {"a": {"x": 1, "y": None}, "system": {"k": 1, "l": 2}}
    assert await door.json("/user/u1") == changed


async def test_an_unknown_user_is_not_found_and_has_no_sessions(door: Door) -> None:
    assert (await door.get("/user/nobody")).status_code == 404
    assert (await door.patch("/user/nobody", {"first_name": "N"})).status_code == 404
    assert (await door.delete("/user/nobody")).status_code == 404
    assert await door.json("/user/nobody/sessions") == []


async def test_users_are_listed_by_ascending_number_behind_the_cursor(door: Door) -> None:
    numbers = {name: (await add(door, name))["id"] for name in ("c", "a", "b")}

    async def names(**query: Any) -> list[str]:
        return [user["user_id"] for user in await door.json("/user", **query)]

    assert await names(limit="", cursor="") == ["c", "a", "b"]
    assert await names(limit=2) == ["c", "a"]
    assert await names(limit=2, cursor=numbers["a"]) == ["b"]


async def test_a_users_live_sessions_are_listed_by_number(door: Door) -> None:
    await add(door, "ann")
    for name in ("z", "y", "x"):
        await door.post("/sessions", {"session_id": name, "user_id": "ann"})
    await door.post("/sessions", {"session_id": "of nobody"})
    await door.delete("/sessions/y/memory")

    found = await door.json("/user/ann/sessions")

    assert [(session["session_id"], session["id"], session["user_id"]) for session in found] == [
        ("z", 1, "ann"),
        ("x", 3, "ann"),
    ]


async def test_deleting_a_user_takes_everything_and_frees_the_ids(door: Door) -> None:
    await add(door, "ann", email="ann@x.org")
    await door.post("/sessions", {"session_id": "s1", "user_id": "ann"})
    await door.say("s1", "My sister lives in Oslo.")
    await door.work()

    answer = await door.delete("/user/ann")

    assert (answer.status_code, answer.text) == (200, "OK")
    assert (await door.get("/user/ann")).status_code == 404
    assert (await door.get("/sessions/s1")).status_code == 404
    assert (await door.delete("/user/ann")).status_code == 404
    assert await door.json("/user/ann/sessions") == []
    hits = (await door.client.post("/v1/search", json={"query": "sister Oslo"})).json()["hits"]
    assert hits == []
    assert "email" not in await add(door, "ann")
    assert (await door.post("/sessions", {"session_id": "s1"})).status_code == 201
    assert await door.messages("s1") == []
