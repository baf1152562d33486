"""Requests that claim more than they may: fields nobody offered, and deletions that do not say of what."""

import itertools
import json
import random
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from copy import deepcopy
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import Connection, select

from memcairn.core.deps import Deps
from memcairn.store.schema import metadata
from tests.api.organisation import Server
from tests.faults.doors import OPERATIONS as VENDORS
from tests.faults.tenants import OPERATIONS, Ask, Tenant

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

PLANTED: Mapping[str, Any] = {
    "org_id": "victim",
    "orgId": "victim",
    "tenant_id": "victim",
    "trust": "high",
    "key_id": "planted-key",
    "channel": "import",
    "origin": {"key_id": "planted-key", "channel": "import"},
    "created_at": "1999-09-09T09:09:09Z",
    "updated_at": "1999-09-09T09:09:09Z",
    "deleted_at": "1999-09-09T09:09:09Z",
    "position": 999_999,
    "number": 999_999,
    "status": "completed",
    "digest": "planted",
    "scope_key": "org:",
    "source_event_ids": ["planted"],
    "recall_count": 999_999,
    "strength": 5.0,
    "vector": [0.5] * 8,
    "scopes": ["admin"],
    "admin": True,
}
"""What belongs to the server, and to no client; a field that an object does offer is not planted into it."""
TRACES = ("planted", "1999-09-09", "999999", "victim")

EMPTY: tuple[Any, ...] = (None, "", "  ", [], {}, 0, False)
"""Ways to say nothing."""


@pytest.fixture
def server(deps: Deps) -> Server:
    return Server(deps)


@pytest.fixture
async def tenant(server: Server, anyio_backend: str) -> AsyncIterator[Tenant]:
    """An org with a little of everything, and `victim` beside it."""

    await server.add_org("victim")
    async with server.with_key(await server.add_org("own")) as client:
        ids = {kind: [f"own {kind}"] for kind in ("session", "user", "actor", "role", "team")}
        made = Tenant(0, client, "own", random.Random(1), ids | {"collection": ["own-shelf"], "org": ["own"]})
        for route in (
            "POST /v1/users",
            "POST /v1/roles",
            "POST /v1/teams",
            "POST /v1/collections",
            "POST /v1/sessions",
            "POST /v1/events",
            "POST /v1/collections/{name}/documents",
        ):
            response, _ = await made.ask(route, OPERATIONS[route](made.pick))
            assert response.status_code < 300, response.text
        await server.work()
        made.ids["message"] = [(await client.get("/v1/events")).json()["items"][0]["event_id"]]
        made.ids["memory"] = [(await client.get("/v1/memories")).json()["items"][0]["memory_id"]]
        yield made


@pytest.mark.sqlite
async def test_no_field_that_is_not_offered_is_taken(server: Server, tenant: Tenant, record_property: Any) -> None:
    schema = server.app.openapi()
    before = await server.deps.db.read(_rows)
    tried, taken = 0, []
    for route, operation in OPERATIONS.items():
        method, path = route.split(" ")
        offered = schema["paths"][path][method.lower()].get("requestBody")
        ask = operation(tenant.pick)
        if offered is None or ask.body is None:
            continue
        wanted = _resolved(schema, offered["content"]["application/json"]["schema"])
        for name, body in _planted(schema, wanted, ask.body):
            response, _ = await tenant.ask(route, Ask(ask.path, ask.query, body))
            tried += 1
            if response.status_code != 422:
                taken.append(f"{route} {name}: {response.status_code}")

    record_property("figure", f"fields planted: {tried} | accepted: {len(taken)}")
    assert taken == []
    assert tried > 20 * len(PLANTED)
    assert await server.deps.db.read(_rows) == before


async def test_what_a_query_plants_or_a_vendor_s_door_ignores_leaves_no_trace(server: Server, tenant: Tenant) -> None:
    tried = 0
    for route, operation in {**OPERATIONS, **VENDORS}.items():
        method = route.split(" ")[0]
        if method not in ("POST", "PATCH", "PUT") or "/connectors/" in route or route.endswith(" /v1/org"):
            continue
        ask = operation(tenant.pick)
        body = ask.body
        if route in VENDORS and body is not None and not route.startswith("POST /memsy/v1/orgs"):
            body = _everywhere(body, path="/keys" if route.endswith("/keys") else "")
        query = {name: str(value) for name, value in PLANTED.items() if not isinstance(value, list | dict)}
        response, _ = await tenant.ask(route, Ask(ask.path, dict(ask.query) | query, body))
        assert response.status_code < 500, f"{route}: {response.text}"
        tried += 1
    await server.work()

    left = await server.deps.db.read(_rows)
    assert tried > 40
    assert [row for row in left if row[1] == "victim" and row[0] not in ("orgs", "api_keys")] == []
    assert [row for row in left if row[1] == "own" and any(trace in row[2] for trace in TRACES)] == []


ROUTES_THAT_DELETE = [route for route in {**OPERATIONS, **VENDORS} if route.startswith("DELETE ") and "{" in route]
HOLE = re.compile(r"{(\w+)}")
FILLED_WITH = {"name": "collection", "container_tag": "session", "document_uuid": "document", "uuid": "document"}
"""What stands in a path, where it is not called `<kind>_id`."""
NAMELESS = ["", "%20", "%2F", "%2E%2E", "*", "%25", "null", "None", "undefined", "%00", "_", "0"]


@pytest.mark.sqlite
async def test_a_deletion_that_names_nothing_deletes_nothing(
    server: Server, tenant: Tenant, record_property: Any
) -> None:
    before = await server.deps.db.read(_live)
    outside = []
    for route, name in itertools.product(ROUTES_THAT_DELETE, NAMELESS):
        path = route.removeprefix("DELETE ")
        for hole in HOLE.findall(path):
            others = {
                other: quote(tenant.pick(FILLED_WITH.get(other, other[:-3])), safe="") for other in HOLE.findall(path)
            }
            filled = path.format(**others | {hole: name})
            response = await tenant.client.delete(filled)
            if response.status_code < 400 or response.status_code >= 500:
                outside.append(f"{filled}: {response.status_code}")

    record_property(
        "figure", f"deletions: {len(ROUTES_THAT_DELETE) * len(NAMELESS)} | rows outside scope: {len(outside)}"
    )
    assert outside == []
    assert await server.deps.db.read(_live) == before


async def test_to_forget_takes_a_source_and_no_more_than_it_names(server: Server, tenant: Tenant) -> None:
    for actor, session in itertools.product(("ann", "bob"), ("s1", "s2")):
        event = {"actor_id": actor, "session_id": f"{actor} {session}", "kind": "user_message"}
        sent = await tenant.client.post(
            "/v1/events", json={"events": [event | {"content": f"Here is {actor}, {session}."}]}
        )
        assert sent.status_code == 202
    await server.work()
    live = (await tenant.client.get("/v1/events")).json()["items"]
    absent = object()
    values: dict[str, tuple[Any, ...]] = {
        "actor_id": (absent, *EMPTY, "ann", "nobody"),
        "session_id": (absent, None, "", "ann s1", "bob s1"),
        "key_id": (absent, None),
        "max_trust": (absent, None, "low"),
    }
    tried = 0
    for combination in itertools.product(*values.values()):
        body = {name: value for name, value in zip(values, combination, strict=True) if value is not absent}
        answer = await tenant.client.post("/v1/forget", json=body | {"dry_run": True})
        tried += 1
        named = {name: value for name, value in body.items() if value is not None}
        unusable = any(value in EMPTY for value in named.values())
        if unusable or not named:
            assert answer.status_code == 422, body
            continue
        meant = [
            event
            for event in live
            if named.get("actor_id") in (None, event["actor_id"])
            and named.get("session_id") in (None, event["session_id"])
            and "max_trust" not in named
        ]
        assert (answer.status_code, answer.json()["events"]) == (200, len(meant)), body
    assert tried == 10 * 5 * 2 * 3


@pytest.mark.sqlite
async def test_a_purge_takes_nothing_that_is_not_deleted(server: Server, tenant: Tenant) -> None:
    before = await server.deps.db.read(_live)
    odd: tuple[Any, ...] = (None, "", -1, [], True, 1e99)
    bodies = [b"", b"null", b"{}", b"[]", b'""', *(json.dumps({"older_than_seconds": each}).encode() for each in odd)]

    for body in bodies:
        answer = await tenant.client.post("/v1/purge", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (200, 422), body

    assert await server.deps.db.read(_live) == before


def _planted(schema: Mapping[str, Any], wanted: Mapping[str, Any], body: Any) -> Iterator[tuple[str, Any]]:
    """The body with one more field, for each field and each object that does not offer it."""
    for place, offered in _objects(schema, wanted, body):
        for name, value in PLANTED.items():
            if name in offered:
                continue
            changed = deepcopy(body)
            target = changed
            for step in place:
                target = target[step]
            target[name] = value
            yield f"{'/'.join(map(str, place))}/{name}", changed


def _objects(
    schema: Mapping[str, Any], wanted: Mapping[str, Any], body: Any, place: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], set[str]]]:
    """Where objects of fixed fields lie in a body, and which fields they offer."""
    if isinstance(body, list):
        for number, item in enumerate(body):
            yield from _objects(schema, _resolved(schema, wanted.get("items", {})), item, (*place, number))
    if not isinstance(body, dict) or wanted.get("additionalProperties") is not False:
        return
    fields = wanted.get("properties", {})
    yield place, set(fields)
    for name, value in body.items():
        yield from _objects(schema, _resolved(schema, fields.get(name, {})), value, (*place, name))


def _resolved(schema: Mapping[str, Any], wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a reference, or the part of an alternative that is not null, stands for."""
    for alternative in wanted.get("anyOf", ()):
        if alternative.get("type") != "null":
            return _resolved(schema, alternative)
    if "$ref" not in wanted:
        return wanted
    found = schema
    for step in wanted["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return found


def _everywhere(body: Any, *, path: str) -> Any:
    """The body with every planted field in every object of it."""
    if isinstance(body, list):
        return [_everywhere(item, path=path) for item in body]
    if not isinstance(body, dict):
        return body
    kept = {"scopes", "trust"} if path == "/keys" else {"org_id", "orgId", "vector", "status"}
    added = {name: value for name, value in PLANTED.items() if name not in body and name not in kept}
    return added | {
        name: value if name == "metadata" else _everywhere(value, path=path) for name, value in body.items()
    }


def _rows(connection: Connection) -> list[tuple[str, str, str]]:
    """Every row of every org, but for what is counted in the background."""
    found = []
    for table in metadata.sorted_tables:
        if "org_id" in table.c and table.name != "usage":
            for row in connection.execute(select(table)).mappings():
                found.append((table.name, row["org_id"], repr(dict(row))))
    return sorted(found)


def _live(connection: Connection) -> list[tuple[str, str, str]]:
    return [row for row in _rows(connection) if row[0] not in ("counters", "api_keys", "idempotency")]
