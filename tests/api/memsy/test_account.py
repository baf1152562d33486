"""The control plane: identity, usage, keys, billing, interest, connectors."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from memcairn.core.deps import Deps
from memcairn.domain.clock import FrozenClock
from memcairn.domain.keys import ApiKey, KeyScope
from memcairn.store import keys
from tests.api.memsy.conftest import Door, OpenDoor
from tests.build import ORG, make

pytestmark = pytest.mark.anyio

S3 = {
    "access_key_id": "EXAMPLEACCESSKEYID",
    "secret_access_key": "an example of a secret that opens nothing",
    "region": "eu-central-1",
    "bucket": "harbour-logs",
}


async def new_key(door: Door, **body: Any) -> dict[str, Any]:
    answer = await door.post("/api/keys", {"name": "ci"} | body)
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_every_key_learns_who_it_is(door: Door) -> None:
    admin, writer = await door.key_with(KeyScope.ADMIN), await door.key_with(KeyScope.WRITE)

    boss = (await door.ask("GET", "/api/me", key=admin)).json()
    hand = (await door.ask("GET", "/api/me", key=writer)).json()

    assert (boss["org_id"], boss["customer_id"], boss["tier"], boss["email"]) == (ORG, ORG, "self-hosted", "")
    assert (boss["is_superadmin"], boss["is_billing_admin"], boss["org_role"]) == (False, True, "org:admin")
    assert (hand["is_billing_admin"], hand["org_role"]) == (False, "org:member")


async def test_usage_is_summed_over_the_month(door: Door) -> None:
    await door.say("I moved to Lisbon.", "ok", "ok")
    await door.search("Lisbon")
    await door.work()

    summary = await door.json("/api/usage/summary")

    assert (summary["org_id"], summary["tier"]) == (ORG, "self-hosted")
    assert (summary["period_start"], summary["period_end"]) == ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z")
    assert {each["dimension"]: each["used"] for each in summary["dimensions"]} == {
        "api_calls": 3,
        "events_ingested": 2,
        "memories_stored": 3,
        "llm_tokens": 0,
        "search_queries": 1,
    }
    assert all(each.keys() == {"dimension", "used", "limit", "overage_rate"} for each in summary["dimensions"])


async def test_usage_is_told_by_day_and_by_hour(door: Door, clock: FrozenClock) -> None:
    await door.search("Lisbon")
    clock.advance(timedelta(hours=1))
    await door.search("Lisbon")
    await door.search("Lisbon")
    clock.advance(timedelta(days=1))
    await door.search("Lisbon")

    async def points(**query: str) -> list[list[Any]]:
        found = await door.json("/api/usage/timeseries", dimension="search_queries", **query)
        return [[each["date"], each["quantity"]] for each in found["data"]]

    assert await points() == [["2026-01-01", 3], ["2026-01-02", 1]]
    assert await points(granularity="hourly", period_end="2026-01-01") == [
        ["2026-01-01T00:00:00Z", 1],
        ["2026-01-01T01:00:00Z", 2],
    ]
    assert await points(period_start="2026-01-02") == [["2026-01-02", 1]]
    assert await points(period_start="2026-01-01", period_end="2026-01-01") == [["2026-01-01", 3]]
    assert await points(period_start="2025-12-01", period_end="2025-12-31") == []
    whole = await door.json("/api/usage/timeseries")
    assert (whole["org_id"], whole["granularity"]) == (ORG, "daily")
    assert {"api_calls", "search_queries"} <= {each["dimension"] for each in whole["data"]}


@pytest.mark.parametrize(
    "query",
    [
        "granularity=weekly",
        "dimension=smiles",
        "period_start=yesterday",
        "period_end=9999-12-31",
        "period_start=2026-01-02&period_end=2026-01-01",
    ],
)
async def test_a_series_that_cannot_be_is_refused(door: Door, query: str) -> None:
    assert (await door.get(f"/api/usage/timeseries?{query}")).status_code == 422


async def test_a_new_key_is_shown_once_and_works_until_it_is_deleted(door: Door) -> None:
    made = await new_key(door)
    [listed] = (every := await door.json("/api/keys"))["keys"]

    before = await door.ask("GET", "/orgs", key=made["raw_key"])
    deleted = await door.ask("DELETE", f"/api/keys/{made['key_id']}")
    after = await door.ask("GET", "/orgs", key=made["raw_key"])

    assert (made["name"], made["scopes"]) == ("ci", ["read", "write"])
    assert made["raw_key"].startswith(made["prefix"])
    assert "raw_key" not in listed
    assert (listed["key_id"], listed["is_active"], listed["expires_at"]) == (made["key_id"], True, None)
    assert (every["max_keys"], every["active_count"]) == (100, 1)
    assert (before.status_code, deleted.status_code, deleted.content, after.status_code) == (200, 204, b"", 401)
    assert (await door.ask("DELETE", f"/api/keys/{made['key_id']}")).status_code == 404
    ended = await door.json("/api/keys")
    assert ([each["is_active"] for each in ended["keys"]], ended["active_count"]) == ([False], 0)


async def test_a_key_has_the_rights_and_the_end_it_was_made_with(door: Door, clock: FrozenClock) -> None:
    made = await new_key(door, scopes=["read"], expires_at="2026-01-01T01:00:00Z")

    write = await door.ask("POST", "/ingest", key=made["raw_key"], json={"events": []})
    before = await door.ask("GET", "/roles", key=made["raw_key"])
    clock.advance(timedelta(hours=1))
    after = await door.ask("GET", "/roles", key=made["raw_key"])

    assert [answer.status_code for answer in (write, before, after)] == [403, 200, 401]
    [listed] = (await door.json("/api/keys"))["keys"]
    assert (listed["is_active"], listed["expires_at"]) == (False, "2026-01-01T01:00:00Z")


@pytest.mark.parametrize(
    "body",
    [
        {"name": ""},
        {"scopes": []},
        {"scopes": ["root"]},
        {"scopes": "read"},
        {"expires_at": "soon"},
        {"expires_at": "2025-12-31T00:00:00Z"},
    ],
)
async def test_a_key_that_cannot_be_is_refused(door: Door, body: dict[str, Any]) -> None:
    assert (await door.post("/api/keys", {"name": "ci"} | body)).status_code == 422
    assert (await door.json("/api/keys"))["keys"] == []


async def test_an_org_has_no_more_keys_than_it_may(open_door: OpenDoor, deps: Deps) -> None:
    door = await open_door(deps=replace(deps, keys_per_org=1))
    await new_key(door)

    refused = await door.post("/api/keys", {"name": "one more"})

    assert refused.status_code == 403
    told = refused.json()
    assert (told["error"], told["limit"], told["current"]) == ("key_limit_reached", 1, 1)


async def test_every_key_of_many_is_listed(open_door: OpenDoor, deps: Deps) -> None:
    door = await open_door()
    made = [make(ApiKey) for _ in range(205)]

    def save(connection: Connection) -> None:
        for key in made:
            keys.add(connection, key)

    await deps.db.write(save)

    listed = await door.json("/api/keys")

    assert [each["key_id"] for each in listed["keys"]] == [key.key_id for key in made]
    assert listed["active_count"] == 205


async def test_the_usage_of_a_key_is_its_own(door: Door) -> None:
    one, other = await new_key(door), await new_key(door)
    for _ in range(3):
        await door.ask("POST", "/search", key=one["raw_key"], json={"query": "Lisbon"})
    await door.ask("GET", "/orgs", key=other["raw_key"])

    usage = (await door.json(f"/api/keys/{one['key_id']}/usage"))["usage"]

    assert {each["dimension"]: each["quantity"] for each in usage} == {"api_calls": 3, "search_queries": 3}
    assert {each["date"] for each in usage} == {"2026-01-01"}


async def test_billing_is_off(door: Door) -> None:
    summary = await door.get("/api/billing/summary")

    assert summary.status_code == 403
    assert (summary.json()["error"], summary.json()["interest_path"]) == ("billing_not_enabled", "/interest/pro")
    assert await door.json("/api/billing/invoices") == []


async def test_interest_is_recorded_per_org(door: Door) -> None:
    other = (await door.other_org()).raw_key
    before = await door.json("/api/interest/pro/status")

    first = await door.post("/api/interest/pro", {"email": "ann@example.org", "name": "Ann"})
    second = await door.post(
        "/api/interest/pro", {"email": "ben@example.org", "name": "Ben", "company": "X", "use_case": "y", "notes": None}
    )

    assert before == {"expressed": False}
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json()["message"]
    assert await door.json("/api/interest/pro/status") == {"expressed": True}
    assert (await door.ask("GET", "/api/interest/pro/status", key=other)).json() == {"expressed": False}


@pytest.mark.parametrize("body", [{}, {"email": "ann"}, {"name": ""}, {"notes": "x" * 5_000}, {"company": 7}])
async def test_interest_without_an_address_is_refused(door: Door, body: dict[str, Any]) -> None:
    given = {"email": "ann@example.org", "name": "Ann"} | body if body else body

    assert (await door.post("/api/interest/pro", given)).status_code == 422
    assert await door.json("/api/interest/pro/status") == {"expressed": False}


async def test_nothing_is_connected(door: Door) -> None:
    assert await door.json("/api/connectors/providers") == {"providers": []}
    assert await door.json("/api/connectors") == []
    for provider in ("slack", "s3", "google_drive", "a%2Fb"):
        assert await door.json(f"/api/connectors/{provider}/status") == {"connected": False, "display_name": None}


async def test_no_provider_can_be_connected(door: Door) -> None:
    answers = {provider: await door.post(f"/api/connectors/{provider}/connect") for provider in ("slack", "s3", "x")}

    assert {provider: (answer.status_code, answer.json()["error"]) for provider, answer in answers.items()} == {
        "slack": (400, "provider_not_configured"),
        "s3": (400, "provider_without_oauth"),
        "x": (400, "provider_not_configured"),
    }


async def test_a_connector_nobody_made_is_not_found(door: Door) -> None:
    asked: list[tuple[str, str, Any]] = [
        ("GET", "", None),
        ("DELETE", "", None),
        ("GET", "/resources", None),
        ("PUT", "/resources", {"resources": []}),
        ("GET", "/branches?repo=x", None),
        ("POST", "/sync", None),
        ("GET", "/picker-token", None),
    ]

    answers = [await door.ask(method, f"/api/connectors/c%2F1{rest}", json=body) for method, rest, body in asked]

    assert [answer.status_code for answer in answers] == [404] * len(asked)


async def test_a_bucket_is_checked_and_then_refused(door: Door) -> None:
    answer = await door.post("/api/connectors/s3/configure", S3)

    assert answer.status_code == 403
    told = answer.json()
    assert (told["error"], told["feature"], told["current_tier"]) == (
        "feature_not_available",
        "connectors",
        "self-hosted",
    )


@pytest.mark.parametrize(
    "broken",
    [
        {"access_key_id": "short"},
        {"secret_access_key": "  "},
        {"region": "the moon"},
        {"bucket": "Not A Bucket"},
        {"bucket": None},
    ],
)
async def test_a_bucket_that_cannot_be_is_refused_without_repeating_secrets(door: Door, broken: dict[str, Any]) -> None:
    answer = await door.post("/api/connectors/s3/configure", S3 | broken)

    assert answer.status_code == 422
    assert next(iter(broken)) in answer.json()["message"]
    assert S3["secret_access_key"] not in answer.text
