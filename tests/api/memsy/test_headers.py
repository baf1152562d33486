"""What answers say about usage and limits, and what is said when they are reached."""

from datetime import datetime
from typing import Any

import pytest

from memcairn.api.memsy import errors
from memcairn.api.memsy.errors import RESERVED_WORDS, RefusalError
from memcairn.api.memsy.headers import SPELLINGS, UNLIMITED
from memcairn.core.deps import Deps
from memcairn.core.limits import RateLimits
from memcairn.core.metering import Meter
from memcairn.domain.errors import LimitReached, QuotaReached
from memcairn.domain.usage import Dimension
from tests.api.memsy.conftest import KEY, Door, OpenDoor, event

pytestmark = pytest.mark.anyio

FEBRUARY = str(int(datetime.fromisoformat("2026-02-01T00:00:00Z").timestamp()))


async def with_quotas(open_door: OpenDoor, deps: Deps, **quotas: int) -> Door:
    meter = Meter({Dimension(name): limit for name, limit in quotas.items()})
    values = {name: getattr(deps, name) for name in Deps.__slots__} | {"meter": meter}
    door: Door = await open_door(deps=Deps(**values))
    return door


async def test_usage_is_told_in_both_spellings(door: Door) -> None:
    await door.say("I moved to Lisbon.", "It rains.")
    await door.work()
    headers = (await door.post("/search", {"query": "x"})).headers

    for old, new in (("ApiCall", "ApiCalls"), ("MemoryStored", "MemoriesStored")):
        assert headers[f"X-Usage-{old}"] == headers[f"X-Usage-{new}"]
    assert headers["X-Usage-ApiCalls"] == "2"
    assert headers["X-Usage-EventsIngested"] == "2"
    assert headers["X-Usage-SearchQueries"] == "1"
    assert headers["X-Usage-LlmTokens"] == "0"
    assert int(headers["X-Usage-MemoriesStored"]) >= 3
    assert headers["X-Plan"] == "self-hosted"


async def test_without_limits_none_are_named_but_the_rate_is_still_a_number(door: Door) -> None:
    headers = (await door.get("/orgs")).headers

    assert not [name for name in headers if name.startswith("x-usage") and name.endswith("-limit")]
    assert (headers["X-RateLimit-Limit"], headers["X-RateLimit-Remaining"]) == (str(UNLIMITED), str(UNLIMITED - 1))
    assert headers["X-RateLimit-Reset"] == FEBRUARY


async def test_refusals_of_a_known_key_carry_them_too_and_those_of_a_stranger_do_not(door: Door) -> None:
    refused, stranger = await door.post("/search", {}), await door.ask("GET", "/orgs", key=None)

    assert refused.headers["X-Usage-ApiCalls"] == "1"
    assert refused.headers["X-RateLimit-Remaining"]
    assert "X-RateLimit-Limit" not in stranger.headers
    assert "X-Plan" not in stranger.headers


async def test_quotas_are_told_in_both_spellings(open_door: OpenDoor, deps: Deps) -> None:
    door = await with_quotas(open_door, deps, **{dimension.value: 50 for dimension in Dimension})

    headers = (await door.get("/orgs")).headers

    assert {headers[f"X-Usage-{name}-Limit"] for names in SPELLINGS.values() for name in names} == {"50"}
    assert (headers["X-RateLimit-Limit"], headers["X-RateLimit-Remaining"]) == ("50", "49")
    assert headers["X-RateLimit-Reset"] == FEBRUARY


@pytest.mark.parametrize(
    ("dimension", "path", "body"),
    [
        ("api_calls", "/search", {"query": "x"}),
        ("search_queries", "/search", {"query": "x"}),
        ("events_ingested", "/ingest", {"events": [event("It rains.")]}),
    ],
)
async def test_a_used_up_quota_says_what_and_names_no_time_to_come_back(
    open_door: OpenDoor, deps: Deps, dimension: str, path: str, body: dict[str, Any]
) -> None:
    door = await with_quotas(open_door, deps, **{dimension: 1})
    first = await door.post(path, body)

    refused = await door.post(path, body)

    assert (first.status_code, refused.status_code) == (200, 429)
    told = refused.json()
    assert (told["error"], told["dimension"]) == ("usage_limit_exceeded", dimension)
    assert (told["current"], told["limit"]) == (1, 1)
    assert "Retry-After" not in refused.headers
    assert refused.headers["X-Usage-ApiCalls-Limit" if dimension == "api_calls" else "X-Plan"]


async def test_whoever_asks_too_fast_is_told_when_to_come_back(open_door: OpenDoor) -> None:
    door = await open_door(rate_limits=RateLimits(2))

    answers = [await door.get("/orgs") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["error"] == "rate_limited"
    assert answers[2].headers["Retry-After"] == "30"
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["1", "0", "0"]
    assert not any(word in answers[2].json()["message"].lower() for word in RESERVED_WORDS)


async def test_a_refused_call_is_not_counted(open_door: OpenDoor, deps: Deps) -> None:
    door = await with_quotas(open_door, deps, api_calls=1)

    answers = [await door.ask("GET", "/orgs", key=KEY) for _ in range(3)]

    assert [answer.headers["X-Usage-ApiCalls"] for answer in answers] == ["1", "1", "1"]


async def test_a_refusal_is_one_object_with_its_facts_beside_it() -> None:
    quota = errors.answer(QuotaReached("Used up.", dimension="api_calls", used=7, limit=7))
    rate = errors.answer(LimitReached("Too fast.", retry_after_seconds=0.2, code="rate_limited"))
    own = errors.answer(RefusalError(409, "seat_limit_reached", "No seat.", purchased_seats=1))

    assert quota.body == (
        b'{"error":"usage_limit_exceeded","message":"Used up.","dimension":"api_calls","current":7,"limit":7}'
    )
    assert (rate.status_code, rate.headers["Retry-After"]) == (429, "1")
    assert own.body == b'{"error":"seat_limit_reached","message":"No seat.","purchased_seats":1}'
