"""Orgs, roles, teams, keys, actors, statistics and clearing, through the native door."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from memcairn.core.deps import Deps
from memcairn.domain.clock import FrozenClock
from memcairn.domain.keys import KeyScope
from tests.api.organisation import Server, say
from tests.build import NOW

pytestmark = pytest.mark.anyio

READER = (KeyScope.READ,)


@pytest.fixture
def server(deps: Deps) -> Server:
    return Server(deps)


@pytest.fixture
async def admin(server: Server) -> AsyncIterator[httpx2.AsyncClient]:
    async with server.client() as opened:
        yield opened


async def code_of(response: httpx2.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


@pytest.mark.parametrize("noun", ["role", "team"])
class TestRolesAndTeams:
    async def test_one_is_described_read_changed_and_forgotten(self, admin: httpx2.AsyncClient, noun: str) -> None:
        made = await admin.post(f"/v1/{noun}s", json={"name": "Pilots", "focus": "tides"})
        assert made.status_code == 201
        where = f"/v1/{noun}s/{made.json()[f'{noun}_id']}"

        changed = await admin.patch(where, json={"focus": "moorings"})

        assert (await admin.get(where)).json() == changed.json()
        assert (changed.json()["name"], changed.json()["focus"]) == ("Pilots", "moorings")
        assert (await admin.get(f"/v1/{noun}s")).json()["items"] == [changed.json()]
        assert (await admin.delete(where)).status_code == 204
        assert await code_of(await admin.get(where)) == (404, f"{noun}_not_found")
        assert await code_of(await admin.delete(where)) == (404, f"{noun}_not_found")

    async def test_the_prompt_is_written_from_name_and_focus(self, admin: httpx2.AsyncClient, noun: str) -> None:
        made = (await admin.post(f"/v1/{noun}s", json={"name": "Pilots", "focus": "tides"})).json()

        assert "Pilots" in made["promotion_prompt"]
        assert "tides" in made["promotion_prompt"]
        assert made["prompt_meta"] == {"source": "template"}

    async def test_a_manual_prompt_stays_until_it_is_regenerated(self, admin: httpx2.AsyncClient, noun: str) -> None:
        made = (await admin.post(f"/v1/{noun}s", json={"name": "Pilots"})).json()
        where = f"/v1/{noun}s/{made[f'{noun}_id']}"

        by_hand = (await admin.patch(where, json={"promotion_prompt": "Keep tides."})).json()
        renamed = (await admin.patch(where, json={"name": "Harbour"})).json()
        again = (await admin.post(f"{where}/regenerate-prompt")).json()

        assert by_hand["prompt_meta"] == renamed["prompt_meta"] == {"source": "manual"}
        assert by_hand["promotion_prompt"] == renamed["promotion_prompt"] == "Keep tides."
        assert again["prompt_meta"] == {"source": "template"}
        assert "Harbour" in again["promotion_prompt"]

    async def test_its_id_may_be_chosen_be_odd_and_be_taken_once(self, admin: httpx2.AsyncClient, noun: str) -> None:
        odd = "slack:T0/B7 x"
        body = {"name": "Pilots", f"{noun}_id": odd}

        made = await admin.post(f"/v1/{noun}s", json=body)

        assert made.json()[f"{noun}_id"] == odd
        assert (await admin.get(f"/v1/{noun}s/{quote(odd, safe='')}")).json() == made.json()
        assert await code_of(await admin.post(f"/v1/{noun}s", json=body)) == (409, f"{noun}_exists")

    async def test_sending_it_again_under_its_key_makes_no_second_one(
        self, admin: httpx2.AsyncClient, noun: str
    ) -> None:
        both = [
            await admin.post(f"/v1/{noun}s", json={"name": "Pilots"}, headers={"Idempotency-Key": "k1"})
            for _ in range(2)
        ]

        assert both[0].json() == both[1].json()
        assert len((await admin.get(f"/v1/{noun}s")).json()["items"]) == 1

    async def test_pages_hold_each_one_once(self, admin: httpx2.AsyncClient, noun: str) -> None:
        names = [f"n{number}" for number in range(5)]
        for name in names:
            await admin.post(f"/v1/{noun}s", json={"name": name})

        found, cursor = [], None
        while True:
            query = {"limit": "2"} | ({} if cursor is None else {"cursor": cursor})
            page = (await admin.get(f"/v1/{noun}s", params=query)).json()
            found += [item["name"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break

        assert found == names

    async def test_readers_read_and_admins_change(self, server: Server, admin: httpx2.AsyncClient, noun: str) -> None:
        made = (await admin.post(f"/v1/{noun}s", json={"name": "Pilots"})).json()
        where = f"/v1/{noun}s/{made[f'{noun}_id']}"
        async with server.client(scopes=(KeyScope.READ, KeyScope.WRITE)) as reader:
            assert (await reader.get(where)).status_code == 200
            assert (await reader.post(f"/v1/{noun}s", json={"name": "x"})).status_code == 403
            assert (await reader.patch(where, json={"name": "x"})).status_code == 403
            assert (await reader.delete(where)).status_code == 403

    @pytest.mark.parametrize(
        "body",
        [{}, {"name": ""}, {"name": "  "}, {"name": "x" * 257}, {"name": "x", "focus": "y" * 2_001}, {"name": 1}],
    )
    async def test_a_description_that_breaks_a_rule_is_refused(
        self, admin: httpx2.AsyncClient, noun: str, body: dict[str, Any]
    ) -> None:
        assert await code_of(await admin.post(f"/v1/{noun}s", json=body)) == (422, "invalid")

    async def test_forgetting_it_leaves_memories_alone(
        self, server: Server, admin: httpx2.AsyncClient, noun: str
    ) -> None:
        await admin.post(f"/v1/{noun}s", json={"name": "Pilots", f"{noun}_id": "p"})
        await say(admin, "The tide turns at noon.", **{f"{noun}_id": "p"})
        await server.work()
        before = (await admin.get("/v1/memories")).json()

        await admin.delete(f"/v1/{noun}s/p")

        assert before["items"]
        assert (await admin.get("/v1/memories")).json() == before


class TestOrg:
    async def test_it_begins_with_its_name_and_a_written_prompt(self, admin: httpx2.AsyncClient) -> None:
        org = (await admin.get("/v1/org")).json()

        assert (org["org_id"], org["name"], org["customised"]) == ("default", "Default", False)
        assert org["prompt_meta"] == {"source": "template"}
        assert "Default" in org["promotion_prompt"]

    async def test_it_is_described_once_and_the_description_taken_back(self, admin: httpx2.AsyncClient) -> None:
        made = await admin.post("/v1/org", json={"name": "Harbour", "focus": "tides"})

        assert (made.status_code, made.json()["name"], made.json()["customised"]) == (201, "Harbour", True)
        assert await code_of(await admin.post("/v1/org", json={})) == (409, "org_described")
        assert (await admin.delete("/v1/org")).status_code == 204
        assert (await admin.get("/v1/org")).json()["customised"] is False
        assert await code_of(await admin.delete("/v1/org")) == (404, "org_not_described")

    async def test_changing_it_keeps_the_prompt_until_it_is_regenerated(self, admin: httpx2.AsyncClient) -> None:
        first = (await admin.get("/v1/org")).json()["promotion_prompt"]

        renamed = (await admin.patch("/v1/org", json={"name": "Harbour"})).json()
        by_hand = (await admin.patch("/v1/org", json={"promotion_prompt": "Keep tides."})).json()
        again = (await admin.post("/v1/org/regenerate-prompt")).json()

        assert (renamed["promotion_prompt"], renamed["prompt_meta"]) == (first, {"source": "template"})
        assert (by_hand["promotion_prompt"], by_hand["prompt_meta"]) == ("Keep tides.", {"source": "manual"})
        assert "Harbour" in again["promotion_prompt"]

    @pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
    async def test_another_org_is_not_found_be_it_there_or_not(
        self, server: Server, admin: httpx2.AsyncClient, method: str
    ) -> None:
        await server.add_org("other")
        body: dict[str, str] | None = {} if method in ("POST", "PATCH") else None

        answers = [
            await admin.request(method, "/v1/org", params={"org_id": org_id}, json=body)
            for org_id in ("other", "nobody")
        ]

        assert [await code_of(each) for each in answers] == [(404, "org_not_found")] * 2

    async def test_its_own_id_may_be_said(self, admin: httpx2.AsyncClient) -> None:
        assert (await admin.get("/v1/org", params={"org_id": "default"})).status_code == 200


class TestKeys:
    async def test_a_key_is_shown_once_and_opens_what_it_is_for(
        self, server: Server, admin: httpx2.AsyncClient
    ) -> None:
        made = await admin.post("/v1/keys", json={"name": "bot", "scopes": ["read"]})

        async with server.with_key(made.json()["api_key"]) as bot:
            assert (await bot.get("/v1/memories")).status_code == 200
            assert (await bot.get("/v1/keys")).status_code == 403
        listed = (await admin.get("/v1/keys")).text
        assert made.json()["prefix"] in listed
        assert made.json()["api_key"] not in listed

    async def test_a_revoked_key_is_refused_at_once_and_stays_in_the_list(
        self, server: Server, admin: httpx2.AsyncClient
    ) -> None:
        made = (await admin.post("/v1/keys", json={"name": "bot"})).json()
        where = f"/v1/keys/{made['key_id']}"

        assert (await admin.delete(where)).status_code == 204

        async with server.with_key(made["api_key"]) as bot:
            assert await code_of(await bot.get("/v1/memories")) == (401, "revoked_key")
        [listed] = [key for key in (await admin.get("/v1/keys")).json()["items"] if key["name"] == "bot"]
        assert (listed["is_active"], listed["revoked_at"] is not None) == (False, True)
        assert await code_of(await admin.delete(where)) == (404, "key_not_found")

    async def test_a_key_expires(self, server: Server, admin: httpx2.AsyncClient, clock: FrozenClock) -> None:
        expires_at = (NOW + timedelta(hours=1)).isoformat()
        made = (await admin.post("/v1/keys", json={"name": "bot", "expires_at": expires_at})).json()

        clock.advance(timedelta(hours=2))

        async with server.with_key(made["api_key"]) as bot:
            assert await code_of(await bot.get("/v1/memories")) == (401, "expired_key")

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({"name": "x", "scopes": []}, "invalid"),
            ({"name": "x", "scopes": ["root"]}, "invalid"),
            ({"name": " "}, "invalid"),
            ({"name": "x", "expires_at": "2020-01-01"}, "expiry_past"),
        ],
    )
    async def test_a_key_that_would_be_of_no_use_is_refused(
        self, admin: httpx2.AsyncClient, body: dict[str, Any], code: str
    ) -> None:
        assert await code_of(await admin.post("/v1/keys", json=body)) == (422, code)

    async def test_an_org_may_have_so_many_and_revoking_makes_room(self, deps: Deps) -> None:
        server = Server(replace(deps, keys_per_org=3))
        async with server.client() as admin:
            made = [await admin.post("/v1/keys", json={"name": f"k{n}"}) for n in range(3)]

            assert [each.status_code for each in made[:2]] == [201, 201]
            assert await code_of(made[2]) == (403, "key_limit_reached")
            await admin.delete(f"/v1/keys/{made[0].json()['key_id']}")
            assert (await admin.post("/v1/keys", json={"name": "again"})).status_code == 201
            listed = (await admin.get("/v1/keys", params={"limit": 2})).json()
            assert (len(listed["items"]), listed["active_count"], listed["max_keys"]) == (2, 3, 3)
            assert listed["next_cursor"] is not None

    async def test_a_key_has_its_own_account(self, server: Server, admin: httpx2.AsyncClient) -> None:
        made = (await admin.post("/v1/keys", json={"name": "bot"})).json()
        async with server.with_key(made["api_key"]) as bot:
            await say(bot, "one", "two")
            await bot.post("/v1/search", json={"query": "two"})

        account = (await admin.get(f"/v1/keys/{made['key_id']}/usage")).json()

        assert {point["dimension"]: point["quantity"] for point in account["items"]} == {
            "api_calls": 2,
            "events_ingested": 2,
            "search_queries": 1,
        }


class TestMe:
    async def test_every_key_may_ask_who_it_is(self, server: Server) -> None:
        for scope in KeyScope:
            async with server.client(scopes=(scope,)) as client:
                me = (await client.get("/v1/me")).json()

            assert (me["org_id"], me["org_name"], me["key_name"]) == ("default", "Default", "test")
            assert (me["scopes"], me["is_admin"]) == ([scope.value], scope is KeyScope.ADMIN)

    async def test_a_key_nobody_knows_is_nobody(self, server: Server) -> None:
        async with server.with_key("nobody's key") as stranger:
            assert (await stranger.get("/v1/me")).status_code == 401


class TestUsage:
    async def test_calls_count_whatever_comes_of_them_and_the_question_counts_too(
        self, admin: httpx2.AsyncClient
    ) -> None:
        await admin.get("/v1/memories")
        await admin.get("/v1/memories/nothing-of-the-kind")
        await admin.post("/v1/search", json={})

        summary = (await admin.get("/v1/usage/summary")).json()

        assert {each["dimension"]: each["used"] for each in summary["dimensions"]} == {
            "api_calls": 4,
            "events_ingested": 0,
            "memories_stored": 0,
            "search_queries": 0,
            "llm_tokens": 0,
        }
        assert (summary["start"], summary["end"]) == ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z")

    async def test_a_stranger_s_call_counts_for_nobody(self, server: Server, admin: httpx2.AsyncClient) -> None:
        async with server.with_key("nobody's key") as stranger:
            await stranger.get("/v1/memories")

        series = (await admin.get("/v1/usage/timeseries", params={"dimension": "api_calls"})).json()

        assert [point["quantity"] for point in series["items"]] == [1]

    async def test_the_zep_door_counts_as_well(self, admin: httpx2.AsyncClient) -> None:
        await admin.post(
            "/zep/api/v1/sessions/s1/memory", json={"messages": [{"role": "human", "content": "The tide is high."}]}
        )

        summary = (await admin.get("/v1/usage/summary")).json()

        used = {each["dimension"]: each["used"] for each in summary["dimensions"]}
        assert (used["api_calls"], used["events_ingested"]) == (2, 1)

    async def test_hours_can_be_asked_for(self, admin: httpx2.AsyncClient) -> None:
        span = {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T01:00:00Z", "granularity": "hour"}

        series = (await admin.get("/v1/usage/timeseries", params=span)).json()

        assert series["items"] == [{"start": "2026-01-01T00:00:00Z", "dimension": "api_calls", "quantity": 1}]
        assert (await admin.get("/v1/usage/timeseries", params=span | {"granularity": "week"})).status_code == 422


class TestActorsAndStatistics:
    async def test_actors_are_those_with_memories(
        self, server: Server, admin: httpx2.AsyncClient, clock: FrozenClock
    ) -> None:
        for actor_id in ("ann", "slack:T0/B7 x", "ben"):
            await say(admin, "The harbour closes at nine.", actor_id=actor_id, session_id=actor_id)
            await server.work()
            clock.advance(timedelta(minutes=1))
        await say(admin, "ok", actor_id="silent")
        await server.work()

        page = (await admin.get("/v1/actors")).json()

        assert [actor["actor_id"] for actor in page["items"]] == ["ben", "slack:T0/B7 x", "ann"]
        assert page["total"] == 3
        one = (await admin.get(f"/v1/actors/{quote('slack:T0/B7 x', safe='')}")).json()
        assert one == page["items"][1]
        assert (one["memory_count"], one["active_memory_count"], one["scope_levels"]) == (1, 1, ["actor"])
        assert await code_of(await admin.get("/v1/actors/silent")) == (404, "actor_not_found")

    @pytest.mark.parametrize(
        ("sort", "order"),
        [
            ("first_memory_desc", ["c", "b", "a"]),
            ("first_memory_asc", ["a", "b", "c"]),
            ("last_memory_desc", ["a", "c", "b"]),
            ("actor_id_asc", ["a", "b", "c"]),
        ],
    )
    async def test_each_order_pages_through_everybody_once(
        self, server: Server, admin: httpx2.AsyncClient, clock: FrozenClock, sort: str, order: list[str]
    ) -> None:
        for number, actor_id in enumerate(["a", "b", "c", "a"]):
            await say(admin, f"The lamp number {number} burns at night.", actor_id=actor_id, session_id=actor_id)
            await server.work()
            clock.advance(timedelta(minutes=1))

        found: list[str] = []
        cursor = None
        while True:
            query = {"sort": sort, "limit": "1"} | ({} if cursor is None else {"cursor": cursor})
            page = (await admin.get("/v1/actors", params=query)).json()
            found += [actor["actor_id"] for actor in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break

        assert found == order
        assert page["total"] == 3

    async def test_part_of_an_id_finds_it_literally_and_in_any_case(
        self, server: Server, admin: httpx2.AsyncClient
    ) -> None:
        for actor_id in ("Harbour_1", "harbourX1", "ann"):
            await say(admin, "The harbour closes at nine.", actor_id=actor_id, session_id=actor_id)
        await server.work()

        found = (await admin.get("/v1/actors", params={"q": "HARBOUR_"})).json()

        assert ([actor["actor_id"] for actor in found["items"]], found["total"]) == (["Harbour_1"], 1)

    async def test_statistics_say_what_there_is(self, server: Server, admin: httpx2.AsyncClient) -> None:
        await say(admin, "The harbour closes at nine.", "I moved to Lisbon.")
        await say(admin, "The lamp burns.", actor_id="ben", session_id="s2")
        await server.work()
        listed = (await admin.get("/v1/memories")).json()["items"]

        everybody = (await admin.get("/v1/memories/stats")).json()
        of_ben = (await admin.get("/v1/memories/stats", params={"actor_id": "ben"})).json()
        of_nobody = (await admin.get("/v1/memories/stats", params={"actor_id": "nobody"})).json()

        assert (everybody["total"], everybody["active"]) == (len(listed), len(listed))
        assert sum(everybody["by_type"].values()) == sum(everybody["by_kind"].values()) == len(listed)
        assert everybody["by_status"] == {"active": len(listed)}
        assert everybody["average_strength"] == 1.0
        average = sum(memory["confidence"] for memory in listed) / len(listed)
        assert everybody["average_confidence"] == pytest.approx(average, abs=1e-4)
        assert everybody["date_range"] == {"earliest": "2026-01-01T00:00:00Z", "latest": "2026-01-01T00:00:00Z"}
        assert (of_ben["total"], of_nobody["total"], of_nobody["average_confidence"]) == (1, 0, 0.0)
        assert of_nobody["date_range"] == {"earliest": None, "latest": None}

    async def test_what_is_deleted_counts_no_more(self, server: Server, admin: httpx2.AsyncClient) -> None:
        await say(admin, "The harbour closes at nine.")
        await server.work()
        [memory] = (await admin.get("/v1/memories")).json()["items"]

        await admin.delete(f"/v1/memories/{memory['memory_id']}")

        assert (await admin.get("/v1/memories/stats")).json()["total"] == 0
        assert (await admin.get("/v1/actors")).json() == {"items": [], "total": 0, "next_cursor": None}


class TestClear:
    async def test_it_hides_a_conversation_and_says_how_much_that_was(
        self, server: Server, admin: httpx2.AsyncClient
    ) -> None:
        await say(admin, "The harbour closes at nine.", "The tide is high.", session_id="a/b c")
        await say(admin, "The lamp burns.", session_id="kept")
        await server.work()

        cleared = await admin.delete(f"/v1/clear/{quote('a/b c', safe='')}")

        assert (cleared.status_code, cleared.json()) == (200, {"deleted": 2})
        assert [memory["text"] for memory in (await admin.get("/v1/memories")).json()["items"]] == ["The lamp burns."]
        hits = (await admin.post("/v1/search", json={"query": "harbour tide"})).json()["hits"]
        assert {hit["session_id"] for hit in hits} <= {"kept"}

    async def test_what_is_not_there_is_not_found(self, admin: httpx2.AsyncClient) -> None:
        assert await code_of(await admin.delete("/v1/clear/nothing")) == (404, "session_not_found")
