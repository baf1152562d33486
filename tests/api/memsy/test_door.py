"""What holds for every route of the Memsy door: addresses, keys, refusals."""

import re
from datetime import timedelta
from urllib.parse import quote

import pytest

from memcairn import __version__
from memcairn.api.memsy.door import CONTROL, CONTROL_PLANE, DATA, DATA_PLANE
from memcairn.api.memsy.errors import RESERVED_WORDS
from memcairn.core.deps import Deps
from memcairn.core.keys import create_key, revoke_key
from memcairn.domain.clock import FrozenClock
from memcairn.domain.keys import ALL_SCOPES, KeyScope
from tests.api.memsy.conftest import Door, event
from tests.build import ORG

pytestmark = pytest.mark.anyio

UNKNOWN = "00000000-0000-7000-8000-000000000000"

Address = tuple[str, str]

MATRIX = {
    KeyScope.READ: """
        POST /status · POST /search · GET /orgs · GET /orgs/{org_id} · GET /roles · GET /roles/{group_id} · GET /teams ·
        GET /teams/{group_id} · GET /console/memories · GET /console/memories/stats ·
        GET /console/memories/{memory_id} · GET /actors · GET /actors/{actor_id} · GET /api/console/events ·
        GET /api/interest/pro/status ·
        GET /api/connectors · GET /api/connectors/providers · GET /api/connectors/{provider}/status ·
        GET /api/connectors/{connector_id} · GET /api/connectors/{connector_id}/resources ·
        GET /api/connectors/{connector_id}/branches · GET /api/connectors/{connector_id}/picker-token""",
    KeyScope.WRITE: """
        POST /ingest · DELETE /clear/{container_tag} · POST /api/interest/pro · POST /api/connectors/s3/configure ·
        POST /api/connectors/{provider}/connect · DELETE /api/connectors/{connector_id} ·
        PUT /api/connectors/{connector_id}/resources · POST /api/connectors/{connector_id}/sync""",
    KeyScope.ADMIN: """
        POST /orgs · PATCH /orgs/{org_id} · DELETE /orgs/{org_id} · POST /orgs/{org_id}/regenerate-prompt ·
        POST /roles · PATCH /roles/{group_id} · DELETE /roles/{group_id} · POST /roles/{group_id}/regenerate-prompt ·
        POST /teams · PATCH /teams/{group_id} · DELETE /teams/{group_id} · POST /teams/{group_id}/regenerate-prompt ·
        GET /api/usage/summary · GET /api/usage/timeseries · GET /api/billing/summary · GET /api/billing/invoices ·
        GET /api/keys · POST /api/keys · DELETE /api/keys/{key_id} · GET /api/keys/{key_id}/usage""",
    None: "GET /api/me",
}
"""Who may use which route; the data plane stands for both of its places."""


def rights() -> dict[Address, KeyScope | None]:
    listed = {scope: [line.split() for line in routes.split("·")] for scope, routes in MATRIX.items()}
    return {(method, path): scope for scope, routes in listed.items() for method, path in routes}


def addresses() -> list[Address]:
    """Every route under every base, ids filled in."""
    pages = [(base, DATA) for base in DATA_PLANE] + [(CONTROL_PLANE, CONTROL)]
    return [
        (method, base + re.sub(r"\{\w+(:path)?\}", UNKNOWN, path))
        for base, page in pages
        for path, by_method in page.items()
        for method in by_method
    ]


def empty_body(method: str) -> dict[str, str] | None:
    return {} if method in ("POST", "PUT", "PATCH") else None


async def status_of(door: Door, address: Address, key: str | None) -> int:
    method, path = address
    return (await door.ask(method, path, key=key, json=empty_body(method))).status_code


async def test_the_matrix_names_every_route_and_no_other() -> None:
    here = {(method, path) for path, by_method in DATA.items() for method in by_method}
    here |= {(method, CONTROL_PLANE + path) for path, by_method in CONTROL.items() for method in by_method}

    assert rights().keys() == {(method, path.replace(":path}", "}")) for method, path in here}


async def test_no_route_opens_without_a_key(door: Door) -> None:
    answers = {address: await status_of(door, address, None) for address in addresses()}

    assert {address for address, status in answers.items() if status != 401} == set()


async def test_a_route_opens_to_the_right_keys_alone(door: Door) -> None:
    keys = {scope: await door.key_with(scope) for scope in KeyScope}
    wrong = []
    for (method, path), needed in rights().items():
        filled = re.sub(r"\{\w+\}", UNKNOWN, path)
        for scope, key in keys.items():
            answer = await door.ask(method, filled, key=key, json=empty_body(method))
            refused = answer.status_code == 403 and answer.json()["error"] in ("wrong_scope", "admin_required")
            if refused == (scope in (needed, KeyScope.ADMIN) or needed is None):
                wrong.append((method, path, scope))

    assert wrong == []


async def test_a_key_without_the_scope_is_told_which_one(door: Door) -> None:
    reader, writer = await door.key_with(KeyScope.READ), await door.key_with(KeyScope.WRITE)

    ingest = (await door.ask("POST", "/ingest", key=reader, json={"events": []})).json()
    search = (await door.ask("POST", "/search", key=writer, json={"query": "x"})).json()
    keys = (await door.ask("GET", "/api/keys", key=reader)).json()

    assert (ingest["error"], ingest["required_scope"]) == ("wrong_scope", "write")
    assert (search["error"], search["required_scope"]) == ("wrong_scope", "read")
    assert keys["error"] == "admin_required"
    assert not any(word in keys["message"] for word in RESERVED_WORDS)


async def test_keys_that_open_nothing_are_all_401(door: Door, deps: Deps, clock: FrozenClock) -> None:
    revoked = await create_key(deps, ORG, name="revoked", scopes=ALL_SCOPES)
    await revoke_key(deps, ORG, revoked.key.key_id)
    brief = await create_key(deps, ORG, name="brief", scopes=ALL_SCOPES, expires_at=clock.now() + timedelta(hours=1))
    clock.advance(timedelta(hours=2))

    answers = [await door.ask("GET", "/orgs", key=key) for key in ("msy_nobody", revoked.raw_key, brief.raw_key)]

    assert [answer.status_code for answer in answers] == [401] * 3
    assert all(answer.json().keys() == {"error", "message"} for answer in answers)


async def test_the_data_plane_answers_under_both_bases_and_with_a_slash_at_the_end(door: Door) -> None:
    plain = await door.get("/roles")
    others = [await door.get(path) for path in ("/roles/", "/v1/roles", "/v1/roles/")]

    assert plain.status_code == 200
    assert [(answer.status_code, answer.text) for answer in others] == [(200, plain.text)] * 3


async def test_no_address_is_answered_with_a_redirect(door: Door) -> None:
    for method, path in addresses():
        plain, slashed = await status_of(door, (method, path), None), await status_of(door, (method, f"{path}/"), None)

        assert (plain, slashed) == (401, 401), path


async def test_what_is_not_there_is_not_found_and_what_is_not_taken_is_not_allowed(door: Door) -> None:
    nowhere, untaken = await door.get("/graph"), await door.ask("PUT", "/ingest", json={})

    assert (nowhere.status_code, nowhere.json()["error"]) == (404, "not_found")
    assert (untaken.status_code, untaken.json()["error"]) == (405, "method_not_allowed")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b'{"query": 7}',
        b'{"query": "x", "threshold": NaN}',
        b'{"query": "x", "limit": 123456789012345678901234567890}',
        b'{"query": "\\ud800"}',
        b'{"query": "\xff"}',
        b'{"query": "x", "role_ids": {"a": 1}}',
        b'{"query": "x", "role_ids": ' + b"[" * 70 + b"]" * 70 + b"}",
    ],
)
async def test_a_body_that_does_not_fit_is_refused_with_an_object(door: Door, body: bytes) -> None:
    answer = await door.ask("POST", "/search", content=body)

    assert answer.status_code == 422
    assert isinstance(answer.json()["error"], str)
    assert answer.json()["message"]


async def test_the_content_type_does_not_matter(door: Door) -> None:
    answer = await door.client.post(
        "/memsy/ingest",
        content=b'{"events": []}',
        headers={"Authorization": f"Bearer {await door.key_with(KeyScope.WRITE)}", "Content-Type": "text/plain"},
    )

    assert (answer.status_code, answer.json()) == (200, {"event_ids": []})


async def test_health_asks_for_no_key(door: Door) -> None:
    answers = [await door.ask("GET", path, key=None) for path in ("/health", "/v1/health", "/api/health", "/health/")]

    assert [answer.status_code for answer in answers] == [200] * 4
    state = answers[0].json()
    assert (state["status"], state["version"], state["billing_enabled"]) == ("ok", __version__, False)
    assert set(state["components"].values()) == {"ok"}
    assert not any(name.startswith("x-usage") for name in answers[0].headers)


async def test_health_tells_a_wrong_key_from_a_right_one(door: Door) -> None:
    right, wrong = await door.get("/v1/health"), await door.ask("GET", "/v1/health", key="msy_nobody")

    assert (right.status_code, wrong.status_code) == (200, 401)
    assert right.headers["x-usage-apicalls"] == "1"


@pytest.mark.parametrize("odd", ["two words", "ümlaut 象", "a/b", "slack:T0/B7 x", "50%", "%2F", "a+b", "..x", "a/"])
async def test_ids_may_hold_anything_once_they_are_percent_encoded(door: Door, odd: str) -> None:
    await door.say("I live in Lisbon.", actor_id=odd)
    await door.work()

    actor = await door.json(f"/actors/{quote(odd, safe='')}")

    assert actor["actor_id"] == odd


async def test_a_slash_a_proxy_has_decoded_belongs_to_the_id(door: Door) -> None:
    await door.say("I live in Lisbon.", actor_id="slack/T0/B7")
    await door.work()

    assert (await door.json("/actors/slack/T0/B7"))["actor_id"] == "slack/T0/B7"


async def test_requests_are_measured_by_their_route_and_not_by_their_ids(door: Door) -> None:
    await door.get("/actors/a-secret-name")
    await door.get("/nowhere/a-secret-name")

    measured = (await door.client.get("/metrics")).text

    assert 'route="/memsy/actors/{actor_id}"' in measured
    assert 'route="/memsy/*"' in measured
    assert "secret" not in measured


async def test_two_orgs_see_nothing_of_each_other(door: Door) -> None:
    [event_id] = await door.say("I moved to Lisbon.")
    await door.work()
    [memory] = [each for each in (await door.json("/console/memories"))["items"] if each["type"] == "fact"]
    role = (await door.post("/roles", {"org_id": ORG, "name": "Nurses"})).json()
    stranger = (await door.other_org()).raw_key

    async def seen(method: str, path: str, **options: object) -> tuple[int, str]:
        answer = await door.ask(method, path, key=stranger, **options)
        return answer.status_code, answer.text

    assert await seen("POST", "/search", json={"query": "Lisbon"}) == (200, '{"results":[]}')
    assert (await seen("GET", f"/console/memories/{memory['memory_id']}"))[0] == 404
    assert (await seen("GET", f"/roles/{role['role_id']}"))[0] == 404
    assert (await seen("PATCH", f"/roles/{role['role_id']}", json={"name": "x"}))[0] == 404
    assert (await seen("DELETE", f"/roles/{role['role_id']}"))[0] == 404
    assert (await seen("GET", "/actors/ann"))[0] == 404
    assert (await seen("DELETE", "/clear/s1"))[0] == 404
    assert (await door.ask("POST", "/status", key=stranger, json={"event_ids": [event_id]})).json()["failedIds"]
    for path in ("/console/memories", "/actors", "/api/console/events"):
        assert '"total":0' in (await seen("GET", path))[1]


async def test_another_org_is_not_found_whether_or_not_it_exists(door: Door) -> None:
    await door.other_org("another")
    asked = [
        ("GET", "/orgs/{org_id}", None),
        ("PATCH", "/orgs/{org_id}", {"name": "x"}),
        ("DELETE", "/orgs/{org_id}", None),
        ("POST", "/orgs/{org_id}/regenerate-prompt", None),
        ("POST", "/orgs", {"org_id": "{org_id}", "name": "x", "focus": "y"}),
        ("GET", "/roles?org_id={org_id}", None),
        ("POST", "/roles", {"org_id": "{org_id}", "name": "x", "focus": "y"}),
        ("GET", "/teams/t?org_id={org_id}", None),
        ("DELETE", "/teams/t?org_id={org_id}", None),
        ("GET", "/actors?org_id={org_id}", None),
        ("GET", "/actors/ann?org_id={org_id}", None),
        ("POST", "/search", {"query": "x", "org_id": "{org_id}"}),
        ("POST", "/ingest", {"events": [event("Hello.")], "org_id": "{org_id}"}),
    ]
    for method, path, body in asked:
        answers = []
        for org_id in ("another", "nowhere"):
            named = {
                key: value.replace("{org_id}", org_id) if isinstance(value, str) else value
                for key, value in (body or {}).items()
            }
            answers.append(await door.ask(method, path.replace("{org_id}", org_id), json=named or None))
        assert [answer.status_code for answer in answers] == [404, 404], path
        assert answers[0].text == answers[1].text
        assert not any(word in answers[0].json()["message"] for word in RESERVED_WORDS)
