"""Limits as clients meet them: headers, and refusals that say when to come back."""

from dataclasses import replace
from datetime import timedelta

import httpx2
import pytest

from memcairn.core.deps import Deps
from memcairn.core.metering import Meter
from memcairn.domain.clock import FrozenClock
from memcairn.domain.usage import Dimension
from tests.api.organisation import Server, say
from tests.build import NOW

pytestmark = pytest.mark.anyio

NEXT_MONTH = int((NOW + timedelta(days=31)).timestamp())


def allowance(response: httpx2.Response) -> tuple[str | None, ...]:
    return tuple(response.headers.get(f"x-ratelimit-{name}") for name in ("limit", "remaining", "reset"))


async def test_without_limits_nothing_is_said_of_them(deps: Deps) -> None:
    async with Server(deps).client() as client:
        assert allowance(await client.get("/v1/memories")) == (None, None, None)


async def test_a_rate_is_told_on_every_answer_and_on_the_refusal(deps: Deps, clock: FrozenClock) -> None:
    async with Server(deps, per_minute=2).client() as client:
        first, second, third = [await client.get("/v1/memories/nothing") for _ in range(3)]

        assert (first.status_code, allowance(first)[:2]) == (404, ("2", "1"))
        assert (second.status_code, allowance(second)[:2]) == (404, ("2", "0"))
        assert (third.status_code, third.json()["code"]) == (429, "rate_limited")
        assert allowance(third) == ("2", "0", str(int((NOW + timedelta(seconds=60)).timestamp())))
        assert third.headers["retry-after"] == "30"

        clock.advance(timedelta(seconds=30))
        assert (await client.get("/v1/memories")).status_code == 200


async def test_the_rate_of_one_org_is_not_that_of_another(deps: Deps) -> None:
    server = Server(deps, per_minute=1)
    other = server.with_key(await server.add_org("other"))
    async with server.client() as client, other:
        await client.get("/v1/memories")

        assert (await client.get("/v1/memories")).status_code == 429
        assert (await other.get("/v1/memories")).status_code == 200


async def test_nobody_uses_up_an_org_s_rate_without_its_key(deps: Deps) -> None:
    server = Server(deps, per_minute=1)
    async with server.with_key("nobody's key") as stranger, server.client() as client:
        for _ in range(3):
            answer = await stranger.get("/v1/memories")

        assert (answer.status_code, allowance(answer)) == (401, (None, None, None))
        assert (await client.get("/v1/memories")).status_code == 200


async def test_a_quota_of_calls_is_told_until_it_is_used_up(deps: Deps) -> None:
    deps = replace(deps, meter=Meter({Dimension.API_CALLS: 2}))
    async with Server(deps).client() as client:
        first, second, third = [await client.get("/v1/memories") for _ in range(3)]

    assert allowance(first) == ("2", "1", str(NEXT_MONTH))
    assert allowance(second) == ("2", "0", str(NEXT_MONTH))
    assert (third.status_code, third.json()["code"], allowance(third)) == (
        429,
        "usage_limit_exceeded",
        ("2", "0", str(NEXT_MONTH)),
    )
    assert "retry-after" not in third.headers


async def test_a_quota_of_events_leaves_searching_alone(deps: Deps) -> None:
    deps = replace(deps, meter=Meter({Dimension.EVENTS_INGESTED: 1}))
    async with Server(deps).client() as client:
        await say(client, "The tide is high.")
        event = {"actor_id": "ann", "session_id": "s1", "kind": "user_message", "content": "The tide is low."}

        refused = await client.post("/v1/events", json={"events": [event]})

        assert (refused.status_code, refused.json()["code"]) == (429, "usage_limit_exceeded")
        assert "events_ingested" in refused.json()["detail"]
        assert (await client.post("/v1/search", json={"query": "tide"})).status_code == 200
        summary = (await client.get("/v1/usage/summary")).json()
        assert {"dimension": "events_ingested", "used": 1, "limit": 1} in summary["dimensions"]


async def test_the_zep_door_keeps_the_same_limits(deps: Deps) -> None:
    async with Server(deps, per_minute=1).client() as client:
        first = await client.get("/zep/api/v1/sessions")
        second = await client.get("/zep/api/v1/sessions")

    assert (first.status_code, allowance(first)[:2]) == (200, ("1", "0"))
    assert (second.status_code, second.headers["retry-after"]) == (429, "60")


async def test_liveness_is_asked_without_limits(deps: Deps) -> None:
    server = Server(deps, per_minute=1)
    async with server.client() as client:
        assert [(await client.get("/healthz")).status_code for _ in range(3)] == [200, 200, 200]
