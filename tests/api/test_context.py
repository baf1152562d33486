"""Summaries and context through the native door."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from memcairn.app import Running, running
from memcairn.core.keys import create_key, create_org
from memcairn.domain.keys import KeyScope
from memcairn.settings import Settings

pytestmark = pytest.mark.anyio

ANN = {"actor_id": "ann", "session_id": "s1", "kind": "user_message", "name": "Ann"}


@pytest.fixture
async def server(data_place: dict[str, Any], anyio_backend: str) -> AsyncIterator[Running]:
    async with running(Settings(**data_place, summary_window=4)) as started:
        yield started


@pytest.fixture
async def client(server: Running) -> AsyncIterator[httpx2.AsyncClient]:
    async with _client(server, server.first_key) as opened:
        yield opened


def _client(server: Running, key: str | None) -> httpx2.AsyncClient:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    transport = httpx2.ASGITransport(app=server.app)
    return httpx2.AsyncClient(transport=transport, base_url="http://memcairn.test", headers=headers)


async def _say(client: httpx2.AsyncClient, *texts: str, **fields: Any) -> list[str]:
    body = {"events": [ANN | fields | {"content": text} for text in texts]}
    response = await client.post("/v1/events", params={"wait": True}, json=body)
    assert response.status_code == 202, response.text
    ids: list[str] = response.json()["event_ids"]
    return ids


async def _done(client: httpx2.AsyncClient) -> None:
    """Return when no job is left."""
    while (await client.get("/v1/jobs")).json()["items"]:
        pass


async def test_a_block_comes_with_its_parts_and_their_ids(client: httpx2.AsyncClient) -> None:
    await _say(client, "My sister Clara keeps bees in Porto.", session_id="earlier")
    ids = await _say(client, *(f"On day {n} I visited Town{n}." for n in range(4)), "Where does Clara live?")
    await _done(client)

    response = await client.post("/v1/context", json={"session_id": "s1"})

    assert response.status_code == 200
    found = response.json()
    assert found["event_ids"] == [event["event_id"] for event in found["messages"]] == ids
    assert found["memory_ids"] == [hit["memory"]["memory_id"] for hit in found["memories"]]
    assert found["memories"][0]["text"] == "My sister Clara keeps bees in Porto."
    assert found["summary_id"] == found["summary"]["summary_id"]
    assert found["summary"]["up_to_event_id"] in ids
    assert (found["session_id"], found["actor_id"]) == ("s1", "ann")
    assert found["text"].endswith("Where does Clara live?\nEnd of the quotations.")
    assert 0 < found["token_count"] <= 2_000


async def test_a_smaller_budget_gives_a_shorter_block(client: httpx2.AsyncClient) -> None:
    await _say(client, *(f"On day {n} I visited Town{n} and its old market." for n in range(30)))

    found = (await client.post("/v1/context", json={"session_id": "s1", "token_budget": 200})).json()

    assert found["token_count"] <= 200
    assert len(found["event_ids"]) < 12


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/session_id"),
        ({"session_id": ""}, "/session_id"),
        ({"session_id": "s1", "token_budget": 127}, "/token_budget"),
        ({"session_id": "s1", "token_budget": 128_001}, "/token_budget"),
        ({"session_id": "s1", "message_limit": -1}, "/message_limit"),
        ({"session_id": "s1", "memory_limit": 101}, "/memory_limit"),
        ({"session_id": "s1", "include_summary": "yes"}, "/include_summary"),
        ({"session_id": "s1", "budget": 1}, "/budget"),
    ],
)
async def test_a_request_that_breaks_a_rule_is_told_which(
    client: httpx2.AsyncClient, body: dict[str, Any], pointer: str
) -> None:
    response = await client.post("/v1/context", json=body)

    assert response.status_code == 422
    assert [problem["pointer"] for problem in response.json()["errors"]] == [pointer]


async def test_any_string_is_a_legal_query(client: httpx2.AsyncClient) -> None:
    await _say(client, "The heron nests behind the chapel.")

    for query in ("", "  ", '"AND* OR (', "🎉", "word " * 4_000):
        response = await client.post("/v1/context", json={"session_id": "s1", "query": query})
        assert response.status_code == 200, query


async def test_the_latest_summary_is_null_before_the_first(client: httpx2.AsyncClient) -> None:
    await _say(client, "The heron nests behind the chapel.")

    assert (await client.get("/v1/sessions/s1/summary")).json() == {"summary": None}
    assert (await client.get("/v1/sessions/s1/summaries")).json() == {"items": [], "next_cursor": None}


async def test_summaries_are_read_one_by_one_and_page_by_page(client: httpx2.AsyncClient) -> None:
    for start in (0, 4, 8):
        await _say(client, *(f"On day {n} I visited Town{n}." for n in range(start, start + 4)))
        await _done(client)

    latest = (await client.get("/v1/sessions/s1/summary")).json()["summary"]
    first = (await client.get("/v1/sessions/s1/summaries", params={"limit": 2})).json()
    rest = await client.get("/v1/sessions/s1/summaries", params={"limit": 2, "cursor": first["next_cursor"]})

    assert latest == first["items"][0]
    assert [each["up_to_position"] for each in first["items"] + rest.json()["items"]] == [10, 6, 2]
    assert rest.json()["next_cursor"] is None


async def test_a_cursor_of_another_session_is_refused(client: httpx2.AsyncClient) -> None:
    for session_id in ("s1", "s2"):
        for start in (0, 4):
            texts = [f"On day {n} I visited Town{n}." for n in range(start, start + 4)]
            await _say(client, *texts, session_id=session_id)
            await _done(client)
    page = (await client.get("/v1/sessions/s1/summaries", params={"limit": 1})).json()

    response = await client.get("/v1/sessions/s2/summaries", params={"cursor": page["next_cursor"]})

    assert (response.status_code, response.json()["code"]) == (422, "invalid_cursor")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/sessions/s1/summary", None),
        ("GET", "/v1/sessions/s1/summaries", None),
        ("POST", "/v1/context", {"session_id": "s1"}),
    ],
)
async def test_each_route_needs_a_key_that_reads_and_a_session_of_its_org(
    server: Running, client: httpx2.AsyncClient, method: str, path: str, body: dict[str, Any] | None
) -> None:
    await _say(client, "The heron nests behind the chapel.")
    deps = server.services.deps
    foreign = await create_org(deps, "elsewhere")
    writer = await create_key(deps, "default", name="writer", scopes=frozenset({KeyScope.WRITE}))

    answers = []
    for key in (None, writer.raw_key, foreign.raw_key):
        async with _client(server, key) as opened:
            answers.append((await opened.request(method, path, json=body)).status_code)

    assert answers == [401, 403, 404]
