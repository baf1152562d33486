"""Numbers and times at their edges, in every field and parameter there is: exact or refused, and never a failure."""

import itertools
import json
import random
from collections.abc import AsyncIterator, Iterator, Mapping
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest

from memcairn.core.deps import Deps
from tests.api.organisation import Server
from tests.faults.tenants import OPERATIONS, Ask, Tenant

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

NUMBERS: tuple[Any, ...] = (0, -1, -0.0, 0.5, 1e-320, 1e308, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), True, "1", [], {})
TOO_LARGE = ("9223372036854775808", "9" * 5_000, "1e400", "NaN", "-Infinity")
"""Written as they are: a JSON library would refuse to."""
TIMES = {
    "0001-01-01T00:00:00Z": "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00": None,
    "9999-12-31T23:59:59.999999Z": "9999-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59-14:00": None,
    "10000-01-01T00:00:00Z": None,
    "0000-01-01T00:00:00Z": None,
    "2016-12-31T23:59:60Z": None,
    "2026-02-29T12:00:00Z": None,
    "2024-02-29T12:00:00Z": "2024-02-29T12:00:00Z",
    "2026-03-29T02:30:00": "2026-03-29T02:30:00Z",
    "2026-03-29T02:30:00+01:00": "2026-03-29T01:30:00Z",
    "2026-01-01T00:00:00+14:00": "2025-12-31T10:00:00Z",
    "2026-01-01T00:00:00-12:00": "2026-01-01T12:00:00Z",
    "2026-01-01T00:00:00+24:00": None,
    "2026-01-01T24:00:01Z": None,
    "2026-01-01T00:00:00.1234567890123Z": "2026-01-01T00:00:00.123456Z",
    "2026-01-01T00:00:00 Europe/Rome": None,
    "now": None,
    "1767225600": None,
    "-2026-01-01T00:00:00Z": None,
    "٢٠٢٦-٠١-٠١T00:00:00Z": None,
}
"""What is sent, and which moment it is; None: it is refused."""
RELATIVE = (
    "999999999 days ago",
    "in 99999999999999999999 years",
    "0 days ago",
    "-5 weeks ago",
    "1e9 months ago",
    "the 32nd of May 20260",
    "on 31 February 99999",
    "year 0, year 1, year 9999, year 10000",
    "yesterday tomorrow yesterday last last last week",
    "a hundred thousand million years ago",
    "between 0001-01-01 and 9999-12-31",
    "two thousand and twenty-six centuries from now",
)


@pytest.fixture
def server(deps: Deps) -> Server:
    return Server(deps)


@pytest.fixture
async def tenant(server: Server, anyio_backend: str) -> AsyncIterator[Tenant]:
    async with server.client() as client:
        yield Tenant(0, client, "own", random.Random(1))


async def test_odd_numbers_in_any_field_are_taken_or_refused(
    server: Server, tenant: Tenant, record_property: Any
) -> None:
    schema = server.app.openapi()
    tried, failed = 0, []
    for route, operation in OPERATIONS.items():
        ask = operation(tenant.pick)
        for name, body in _bodies(schema, route, ask.body, kinds={"integer", "number"}):
            response, _ = await tenant.ask(route, Ask(ask.path, ask.query, body))
            tried += 1
            if response.status_code >= 500:
                failed.append(f"{route} {name}: {response.text}")
        for query in _queries(schema, route, kinds={"integer", "number"}):
            response, _ = await tenant.ask(route, Ask(ask.path, {**ask.query, **query}, ask.body))
            tried += 1
            if response.status_code >= 500:
                failed.append(f"{route} {query}: {response.text}")

    record_property("figure", f"numbers x fields: {tried} | 5xx: {len(failed)}")
    assert failed == []
    assert tried > 100


@pytest.mark.parametrize("number", TOO_LARGE, ids=["2^63", "5,000 digits", "1e400", "NaN", "-Infinity"])
async def test_numbers_no_database_holds_are_refused(tenant: Tenant, number: str) -> None:
    event = json.dumps(
        {"actor_id": "ann", "session_id": "s", "kind": "user_message", "content": "x", "metadata": {"n": 0}}
    )
    for text in (
        f'{{"events": [{event.replace(": 0", f": {number}")}]}}',
        f'{{"query": "x", "actor_id": "ann", "limit": {number}}}',
    ):
        path = "/v1/search" if "query" in text else "/v1/events"
        answer = await tenant.client.post(path, content=text, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422


async def test_odd_times_in_any_field_are_exact_or_refused(
    server: Server, tenant: Tenant, record_property: Any
) -> None:
    schema = server.app.openapi()
    tried, wrong = 0, []
    for route, operation in OPERATIONS.items():
        ask = operation(tenant.pick)
        cases = [
            *(
                (name, Ask(ask.path, ask.query, body))
                for name, body in _bodies(schema, route, ask.body, kinds={"date-time"})
            ),
            *(
                (str(query), Ask(ask.path, {**ask.query, **query}, ask.body))
                for query in _queries(schema, route, kinds={"date-time"})
            ),
        ]
        for name, case in cases:
            response, _ = await tenant.ask(route, case)
            tried += 1
            refused = any(f"={sent}" in f"={name.split('=', 1)[-1]}" and meant is None for sent, meant in TIMES.items())
            if response.status_code >= 500 or (name.split("=", 1)[0] and refused and response.status_code < 400):
                wrong.append(f"{route} {name}: {response.status_code} {response.text[:200]}")

    record_property("figure", f"times x fields: {tried} | wrong: {len(wrong)}")
    assert wrong == []
    assert tried > 100


@pytest.mark.parametrize(("sent", "meant"), TIMES.items())
async def test_a_time_comes_back_as_the_moment_it_was(tenant: Tenant, sent: str, meant: str | None) -> None:
    event = {"actor_id": "ann", "session_id": "s", "kind": "user_message", "content": "I moved.", "occurred_at": sent}

    answer = await tenant.client.post("/v1/events", json={"events": [event]})

    if meant is None:
        assert answer.status_code == 422
        return
    assert answer.status_code == 202
    [stored] = (await tenant.client.get("/v1/events")).json()["items"]
    assert datetime.fromisoformat(stored["occurred_at"]) == datetime.fromisoformat(meant)


async def test_what_was_said_at_the_ends_of_time_is_found_and_any_span_can_be_asked_for(
    server: Server, tenant: Tenant
) -> None:
    for number, moment in enumerate(meant for meant in TIMES.values() if meant is not None):
        event = {"actor_id": "ann", "session_id": f"s{number}", "kind": "user_message", "occurred_at": moment}
        said = f"I moved to town number {number} two weeks ago, {RELATIVE[number % len(RELATIVE)]}."
        answer = await tenant.client.post("/v1/events", json={"events": [event | {"content": said}]})
        assert answer.status_code == 202
    await server.work()
    asked_at = [None, datetime.min.replace(tzinfo=UTC).isoformat(), datetime.max.replace(tzinfo=UTC).isoformat()]

    for query, at in itertools.product(RELATIVE, asked_at):
        body = {"query": f"Where did I move {query}?", "actor_id": "ann"} | ({} if at is None else {"asked_at": at})
        answer = await tenant.client.post("/v1/search", json=body)
        assert answer.status_code == 200 or (at is not None and answer.status_code == 422), (query, at, answer.text)
    assert (await tenant.client.get("/v1/jobs")).json()["items"] == []
    assert len((await tenant.client.get("/v1/memories", params={"limit": 200})).json()["items"]) > 5


def _bodies(schema: Mapping[str, Any], route: str, body: Any, *, kinds: set[str]) -> Iterator[tuple[str, Any]]:
    """The body with one field of these kinds set to one odd value, for each such field and value."""
    method, path = route.split(" ")
    offered = schema["paths"][path][method.lower()].get("requestBody")
    if offered is None or not isinstance(body, dict):
        return
    wanted = _resolved(schema, offered["content"]["application/json"]["schema"])
    for place in _places(schema, wanted, body, kinds):
        for value in TIMES if "date-time" in kinds else NUMBERS:
            changed = deepcopy(body)
            target = changed
            for step in place[:-1]:
                target = target[step]
            target[place[-1]] = value
            yield f"{'/'.join(map(str, place))}={value}", changed


def _places(
    schema: Mapping[str, Any], wanted: Mapping[str, Any], body: Any, kinds: set[str], at: tuple[Any, ...] = ()
) -> Iterator[tuple[Any, ...]]:
    if isinstance(body, list):
        for number, item in enumerate(body):
            yield from _places(schema, _resolved(schema, wanted.get("items", {})), item, kinds, (*at, number))
    if isinstance(body, dict):
        for name, field in wanted.get("properties", {}).items():
            field = _resolved(schema, field)
            if kinds & {field.get("type"), field.get("format")}:
                yield (*at, name)
            elif name in body:
                yield from _places(schema, field, body[name], kinds, (*at, name))


def _queries(schema: Mapping[str, Any], route: str, *, kinds: set[str]) -> Iterator[dict[str, str]]:
    method, path = route.split(" ")
    for parameter in schema["paths"][path][method.lower()].get("parameters", []):
        field = _resolved(schema, parameter["schema"])
        if parameter["in"] == "query" and kinds & {field.get("type"), field.get("format")}:
            for value in TIMES if "date-time" in kinds else (*map(str, NUMBERS), *TOO_LARGE):
                yield {parameter["name"]: value}


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
