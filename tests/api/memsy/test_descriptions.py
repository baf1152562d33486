"""`/orgs`, `/roles` and `/teams`."""

from datetime import timedelta
from typing import Any

import pytest

from memcairn.domain.clock import FrozenClock
from tests.api.memsy.conftest import Door
from tests.build import ORG

pytestmark = pytest.mark.anyio

FIELDS = {"org_id", "name", "focus", "promotion_prompt", "created_at", "updated_at", "prompt_meta"}

UNTOUCHED = ("name", "focus", "promotion_prompt", "prompt_meta", "created_at")


@pytest.fixture(params=["role", "team"])
def noun(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def describe(door: Door, noun: str, name: str = "Nurses", focus: str = "night shifts") -> dict[str, Any]:
    answer = await door.post(f"/{noun}s", {"org_id": ORG, "name": name, "focus": focus})
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def patched(door: Door, path: str, **changes: str) -> dict[str, Any]:
    answer = await door.ask("PATCH", path, json=changes)
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


async def test_a_role_or_team_gets_its_id_and_its_prompt_from_the_server(door: Door, noun: str) -> None:
    made = await describe(door, noun)

    assert made.keys() == FIELDS | {f"{noun}_id"}
    assert made[f"{noun}_id"]
    assert (made["org_id"], made["name"], made["focus"]) == (ORG, "Nurses", "night shifts")
    assert "Nurses" in made["promotion_prompt"]
    assert "night shifts" in made["promotion_prompt"]
    assert made["prompt_meta"] == {"source": "template"}
    assert await door.json(f"/{noun}s/{made[f'{noun}_id']}", org_id=ORG) == made


async def test_a_manual_prompt_stays_until_it_is_regenerated(door: Door, noun: str, clock: FrozenClock) -> None:
    made = await describe(door, noun)
    path = f"/{noun}s/{made[f'{noun}_id']}"

    nothing = await patched(door, path)
    clock.advance(timedelta(minutes=1))
    renamed = await patched(door, path, name="Night nurses")
    manual = await patched(door, path, promotion_prompt="Only what helps at night.")
    renamed_again = await patched(door, path, focus="the ward")
    regenerated = (await door.ask("POST", f"{path}/regenerate-prompt", params={"org_id": ORG})).json()

    assert nothing == made
    assert renamed["promotion_prompt"] == made["promotion_prompt"]
    assert renamed["updated_at"] > made["updated_at"]
    assert manual["prompt_meta"] == {"source": "manual"}
    assert renamed_again["promotion_prompt"] == "Only what helps at night."
    assert "the ward" in regenerated["promotion_prompt"]
    assert "Night nurses" in regenerated["promotion_prompt"]
    assert regenerated["prompt_meta"] == {"source": "template"}


async def test_deleting_a_description_leaves_the_memories(door: Door, noun: str) -> None:
    made = await describe(door, noun)
    path = f"/{noun}s/{made[f'{noun}_id']}"
    await door.say("I moved to Lisbon.", **{f"{noun}_id": made[f"{noun}_id"]})
    await door.work()
    before = (await door.json("/console/memories"))["total"]

    deleted = await door.ask("DELETE", path, params={"org_id": ORG})

    assert (deleted.status_code, deleted.content) == (204, b"")
    assert (await door.get(path)).status_code == 404
    assert (await door.ask("DELETE", path)).status_code == 404
    assert (await door.json("/console/memories"))["total"] == before > 0


async def test_descriptions_are_listed_in_the_order_they_were_made(door: Door, noun: str, clock: FrozenClock) -> None:
    for name in ("First", "Second", "Third"):
        await describe(door, noun, name)
        clock.advance(timedelta(seconds=1))

    async def names(**query: Any) -> list[str]:
        return [each["name"] for each in await door.json(f"/{noun}s", **query)]

    assert await names(org_id=ORG, limit=100, offset=0) == ["First", "Second", "Third"]
    assert await names(limit=1, offset=1) == ["Second"]
    assert await names(offset=3) == []


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "offset=-1", "limit=few"])
async def test_a_list_that_cannot_be_is_refused(door: Door, noun: str, query: str) -> None:
    assert (await door.get(f"/{noun}s?{query}")).status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": " "},
        {"name": "x" * 101},
        {"name": "x", "focus": "x" * 501},
        {"name": "x", "focus": 7},
    ],
)
async def test_a_description_that_cannot_be_is_refused(door: Door, noun: str, body: dict[str, Any]) -> None:
    assert (await door.post(f"/{noun}s", {"org_id": ORG} | body)).status_code == 422
    assert await door.json(f"/{noun}s") == []


async def test_the_org_is_there_once_it_is_described(door: Door) -> None:
    before = await door.json("/orgs")
    missing = [await door.ask(method, f"/orgs/{ORG}", json={}) for method in ("GET", "PATCH", "DELETE")]
    made = await door.post("/orgs", {"org_id": ORG, "name": "Harbour", "focus": "ships"})
    again = await door.post("/orgs", {"org_id": ORG, "name": "Harbour", "focus": "ships"})

    assert before == []
    assert [answer.status_code for answer in missing] == [404] * 3
    assert made.status_code == 200
    assert made.json().keys() == FIELDS
    assert made.json()["org_id"] == ORG
    assert "Harbour" in made.json()["promotion_prompt"]
    assert again.status_code == 409
    assert await door.json("/orgs") == [made.json()]
    assert await door.json(f"/orgs/{ORG}") == made.json()


async def test_the_org_is_updated_regenerated_and_forgotten(door: Door) -> None:
    await door.say("I moved to Lisbon.")
    await door.work()
    made = (await door.post("/orgs", {"org_id": ORG, "name": "Harbour", "focus": "ships"})).json()

    manual = await patched(door, f"/orgs/{ORG}", promotion_prompt="Only ships.")
    unchanged = await patched(door, f"/orgs/{ORG}")
    regenerated = (await door.post(f"/orgs/{ORG}/regenerate-prompt")).json()
    deleted = await door.ask("DELETE", f"/orgs/{ORG}")

    assert (manual["promotion_prompt"], manual["prompt_meta"]) == ("Only ships.", {"source": "manual"})
    assert unchanged == manual
    assert [regenerated[name] for name in UNTOUCHED] == [made[name] for name in UNTOUCHED]
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert await door.json("/orgs") == []
    assert (await door.post(f"/orgs/{ORG}/regenerate-prompt")).status_code == 404
    assert await door.search("Lisbon")
    assert (await door.post("/orgs", {"org_id": ORG, "name": "Anew", "focus": ""})).status_code == 200
