"""Orgs, roles, teams, keys, usage and actors, as a program asks for them."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from memcairn import MemcairnClient
from memcairn.client import ConflictError, ConnectionFailed, LimitError, NotFoundError
from memcairn.wire.actors import Actor
from memcairn.wire.keys import MadeKey
from memcairn.wire.me import Me
from memcairn.wire.orgs import Org

from .scripted import MOMENT, Colour, Scripted, Use, ok, refused

DESCRIPTION = {
    "org_id": "default",
    "name": "Pilots",
    "focus": "tides",
    "promotion_prompt": "Keep tides.",
    "prompt_meta": {"source": "manual"},
    "created_at": MOMENT,
    "updated_at": MOMENT,
}
ROLE = DESCRIPTION | {"role_id": "r/1"}
TEAM = DESCRIPTION | {"team_id": "t/1"}
ORG = DESCRIPTION | {"customised": True}
KEY = {
    "key_id": "k1",
    "name": "bot",
    "prefix": "mc_k1",
    "scopes": ["read"],
    "is_active": True,
    "created_at": MOMENT,
    "expires_at": None,
    "last_used_at": None,
    "revoked_at": None,
}
ACTOR = {
    "actor_id": "slack:T0/B7 x",
    "memory_count": 2,
    "active_memory_count": 1,
    "first_memory_at": MOMENT,
    "last_memory_at": MOMENT,
    "scope_levels": ["actor"],
    "role_ids": [],
    "team_ids": [],
}
ME = {
    "org_id": "default",
    "org_name": "Default",
    "key_id": "k1",
    "key_name": "bot",
    "prefix": "mc_k1",
    "scopes": ["read"],
    "is_admin": False,
    "expires_at": None,
}
SERIES = {"org_id": "default", "granularity": "hour", "start": MOMENT, "end": MOMENT, "items": []}


def bodies(server: Scripted) -> list[Any]:
    return [json.loads(request.content) if request.content else None for request in server.requests]


@pytest.mark.parametrize(("noun", "answer"), [("roles", ROLE), ("teams", TEAM)])
class TestRolesAndTeams:
    def test_each_verb_asks_for_what_it_says(self, colour: Colour, noun: str, answer: dict[str, Any]) -> None:
        one = noun[:-1]
        answered: dict[str, tuple[int, Use]] = {
            "create": (201, lambda group: group.create("Pilots", focus="tides", **{f"{one}_id": "x/1"})),
            "get": (200, lambda group: group.get("x/1")),
            "update": (200, lambda group: group.update("x/1", promotion_prompt="Keep tides.")),
            "regenerate": (200, lambda group: group.regenerate_prompt("x/1")),
        }
        server = Scripted(*(ok(answer, status) for status, _ in answered.values()), httpx2.Response(204))

        def asking(use: Use) -> Use:
            return lambda client: use(getattr(client, noun))

        found = [colour(server, asking(use)) for _, use in answered.values()]
        colour(server, lambda client: getattr(client, noun).delete("x/1"))

        assert [each.model_dump(mode="json") for each in found] == [answer] * 4
        assert server.lines == [
            f"POST /v1/{noun}",
            f"GET /v1/{noun}/x%2F1",
            f"PATCH /v1/{noun}/x%2F1",
            f"POST /v1/{noun}/x%2F1/regenerate-prompt",
            f"DELETE /v1/{noun}/x%2F1",
        ]
        assert bodies(server)[0] == {"name": "Pilots", "focus": "tides", f"{one}_id": "x/1"}
        assert bodies(server)[2] == {"promotion_prompt": "Keep tides."}

    def test_creating_is_repeated_under_one_key(self, colour: Colour, noun: str, answer: dict[str, Any]) -> None:
        server = Scripted(httpx2.ReadError("lost"), ok(answer, 201))

        colour(server, lambda client: getattr(client, noun).create("Pilots"))

        keys = [request.headers["idempotency-key"] for request in server.requests]
        assert len(keys) == 2
        assert len(set(keys)) == 1

    def test_all_are_fetched_page_by_page(self, colour: Colour, noun: str, answer: dict[str, Any]) -> None:
        server = Scripted(ok({"items": [answer], "next_cursor": "c"}), ok({"items": [answer], "next_cursor": None}))

        found = colour(server, lambda client: getattr(client, noun).list_all(page_size=1))

        assert len(found) == 2
        assert server.lines == [f"GET /v1/{noun}?limit=1", f"GET /v1/{noun}?limit=1&cursor=c"]


def test_the_org_needs_no_name_and_may_have_one(colour: Colour) -> None:
    server = Scripted(*(ok(ORG) for _ in range(6)), httpx2.Response(204))

    [org] = colour(server, lambda client: client.orgs.list())
    colour(server, lambda client: client.orgs.get())
    colour(server, lambda client: client.orgs.get("default"))
    colour(server, lambda client: client.orgs.create("default", name="Pilots"))
    colour(server, lambda client: client.orgs.update(focus="tides"))
    colour(server, lambda client: client.orgs.regenerate_prompt())
    colour(server, lambda client: client.orgs.delete())

    assert org == Org.model_validate(ORG)
    assert server.lines == [
        "GET /v1/org",
        "GET /v1/org",
        "GET /v1/org?org_id=default",
        "POST /v1/org?org_id=default",
        "PATCH /v1/org",
        "POST /v1/org/regenerate-prompt",
        "DELETE /v1/org",
    ]


def test_a_key_is_made_with_what_it_may_do(colour: Colour) -> None:
    server = Scripted(ok(KEY | {"api_key": "mc_secret"}, 201))

    made = colour(server, lambda client: client.keys.create("bot", scopes=["read"], expires_at="2030-01-01"))

    assert made == MadeKey.model_validate(KEY | {"api_key": "mc_secret"})
    assert bodies(server) == [{"name": "bot", "scopes": ["read"], "expires_at": "2030-01-01"}]


def test_making_a_key_is_not_repeated_when_its_answer_got_lost(colour: Colour) -> None:
    server = Scripted(httpx2.ReadError("lost"))

    with pytest.raises(ConnectionFailed):
        colour(server, lambda client: client.keys.create("bot"))

    assert len(server.requests) == 1


def test_keys_are_listed_ended_and_accounted_for(colour: Colour) -> None:
    page = {"items": [KEY], "next_cursor": None, "active_count": 1, "max_keys": 100}
    server = Scripted(ok(page), ok(page), httpx2.Response(204), ok(SERIES | {"key_id": "k1"}))

    listed = colour(server, lambda client: client.keys.list())
    every = colour(server, lambda client: client.keys.list_all())
    colour(server, lambda client: client.keys.revoke("k1"))
    account = colour(server, lambda client: client.keys.usage("k1", granularity="hour", start="2026-01-01"))

    assert (listed.items, listed.max_keys, account.key_id) == (every, 100, "k1")
    assert server.lines[2:] == ["DELETE /v1/keys/k1", "GET /v1/keys/k1/usage?granularity=hour&start=2026-01-01"]


def test_usage_is_asked_for_as_a_sum_and_as_a_series(colour: Colour) -> None:
    summary = {"org_id": "default", "start": MOMENT, "end": MOMENT, "dimensions": []}
    server = Scripted(ok(summary), ok(SERIES))

    colour(server, lambda client: client.usage.summary(start="2026-01-01"))
    colour(server, lambda client: client.usage.timeseries(granularity="hour", dimension="api_calls"))

    assert server.lines == [
        "GET /v1/usage/summary?start=2026-01-01",
        "GET /v1/usage/timeseries?granularity=hour&dimension=api_calls",
    ]


def test_actors_have_odd_ids_and_the_list_says_how_many(colour: Colour) -> None:
    server = Scripted(ok({"items": [ACTOR], "total": 7, "next_cursor": None}), ok(ACTOR))

    page = colour(server, lambda client: client.actors.list(sort="last_memory_desc", q="slack"))
    one = colour(server, lambda client: client.actors.get("slack:T0/B7 x"))

    assert (page.total, page.items) == (7, [one])
    assert one == Actor.model_validate(ACTOR)
    assert server.lines == [
        "GET /v1/actors?sort=last_memory_desc&q=slack&limit=50",
        "GET /v1/actors/slack%3AT0%2FB7%20x",
    ]


def test_clearing_answers_the_count_and_is_not_repeated(colour: Colour) -> None:
    server = Scripted(ok({"deleted": 3}), httpx2.ReadError("lost"))

    assert colour(server, lambda client: client.clear("a/b")) == 3
    with pytest.raises(ConnectionFailed):
        colour(server, lambda client: client.clear("a/b"))

    assert server.lines == ["DELETE /v1/clear/a%2Fb"] * 2


def test_who_am_i(colour: Colour) -> None:
    server = Scripted(ok(ME))

    assert colour(server, lambda client: client.me()) == Me.model_validate(ME)


def test_a_used_up_month_is_not_asked_again_and_a_full_minute_is(colour: Colour) -> None:
    used_up = Scripted(refused(429, "usage_limit_exceeded"))
    too_fast = Scripted(refused(429, "rate_limited", retry_after="2"), ok(ME))

    with pytest.raises(LimitError) as caught:
        colour(used_up, lambda client: client.me())
    colour(too_fast, lambda client: client.me())

    assert (caught.value.code, caught.value.retry_after, used_up.waits) == ("usage_limit_exceeded", None, [])
    assert too_fast.waits == [2.0]


def test_all_of_it_works_on_a_server_inside_the_process(tmp_path: Path) -> None:
    heron = {"actor_id": "slack:T0/B7 x", "session_id": "s/1", "kind": "user_message", "content": "The heron nests."}
    with MemcairnClient.local(tmp_path) as client:
        role = client.roles.create("Pilots", focus="tides", role_id="a/b")
        with pytest.raises(ConflictError):
            client.roles.create("Pilots", role_id="a/b")
        client.roles.update("a/b", promotion_prompt="Keep tides.")
        again = client.roles.regenerate_prompt("a/b")
        team = client.teams.create("Crew")
        org = client.orgs.create(name="Harbour")
        client.ingest([heron], wait=True)
        actor = client.actors.get("slack:T0/B7 x")
        stats = client.memories.stats()
        key = client.keys.create("bot")
        cleared = client.clear("s/1")
        me = client.me()
        used = {each.dimension: each.used for each in client.usage.summary().dimensions}

        assert again.promotion_prompt == role.promotion_prompt
        assert [each.team_id for each in client.teams.list_all()] == [team.team_id]
        assert (org.name, client.orgs.list()[0].customised) == ("Harbour", True)
        assert (actor.memory_count, stats.total, cleared) == (1, 1, 1)
        assert [each.key_id for each in client.keys.list_all()] == [key.key_id]
        assert (me.key_id, me.is_admin) == ("local", True)
        assert (used["events_ingested"], used["memories_stored"]) == (1, 0)
        with pytest.raises(NotFoundError):
            client.actors.get("slack:T0/B7 x")
        with pytest.raises(NotFoundError):
            client.orgs.get("another")
