"""Trust over HTTP: given to keys, shown with what they wrote, asked for in searches."""

from collections.abc import Mapping
from typing import Any

import httpx2
import pytest

from memcairn.core.deps import Deps
from memcairn.core.keys import create_key
from memcairn.domain.keys import ALL_SCOPES
from memcairn.domain.trust import Trust
from tests.api.organisation import Server, say
from tests.build import ORG

pytestmark = pytest.mark.anyio


@pytest.fixture
def server(deps: Deps) -> Server:
    return Server(deps)


async def _make(client: httpx2.AsyncClient, **fields: Any) -> Mapping[str, Any]:
    made: Mapping[str, Any] = (await client.post("/v1/keys", json={"name": "k", **fields})).json()
    return made


async def test_a_key_hands_down_its_own_trust_or_less(server: Server) -> None:
    async with server.client() as client:
        plain, low, high = [await _make(client, **fields) for fields in ({}, {"trust": "low"}, {"trust": "high"})]
        listed = (await client.get("/v1/keys")).json()["items"]

    assert (plain["trust"], low["trust"], high["code"]) == ("normal", "low", "trust_too_high")
    assert sorted(key["trust"] for key in listed) == ["low", "normal", "normal"]


async def test_an_admin_of_low_trust_makes_keys_of_low_trust(server: Server) -> None:
    made = await create_key(server.deps, ORG, name="outside", scopes=ALL_SCOPES, trust=Trust.LOW)

    async with server.with_key(made.raw_key) as client:
        plain, raised = await _make(client), await _make(client, trust="normal")

    assert (plain["trust"], raised["code"]) == ("low", "trust_too_high")


async def test_a_search_asks_for_trust_and_shows_where_things_came_from(server: Server) -> None:
    outside = await create_key(server.deps, ORG, name="outside", scopes=ALL_SCOPES, trust=Trust.LOW)
    async with server.client() as client, server.with_key(outside.raw_key) as crawler:
        await say(client, "The ferry leaves at noon.")
        await say(crawler, "The ferry leaves at dawn.", session_id="s2")
        await server.work()
        found = (await client.post("/v1/search", json={"query": "ferry"})).json()["hits"]
        trusted = (await client.post("/v1/search", json={"query": "ferry", "min_trust": "normal"})).json()["hits"]
        why = {"query": "ferry", "min_trust": "normal", "memory_id": found[-1]["memory"]["memory_id"]}
        lost = (await client.post("/v1/search/why", json=why)).json()
        unknown = await client.post("/v1/search", json={"query": "ferry", "min_trust": "absolute"})

    shown = {hit["text"]: (hit["trust"], hit["memory"]["origins"]) for hit in found}
    assert shown["The ferry leaves at dawn."] == ("low", [{"key_id": outside.key.key_id, "channel": "native"}])
    assert shown["The ferry leaves at noon."][0] == "normal"
    assert [hit["text"] for hit in trusted] == ["The ferry leaves at noon."]
    assert unknown.status_code == 422
    assert lost["found"] or [loss["field"] for loss in lost["losses"]] == ["min_trust"]


@pytest.mark.parametrize("field", ["trust", "key_id", "channel"])
async def test_an_event_cannot_name_its_own_provenance(server: Server, field: str) -> None:
    event = {"actor_id": "ann", "session_id": "s1", "kind": "user_message", "content": "Hello there.", field: "high"}

    async with server.client() as client:
        answer = await client.post("/v1/events", json={"events": [event]})

    assert answer.status_code == 422


async def test_every_door_leaves_its_name(server: Server) -> None:
    async with server.client() as client:
        await say(client, "The native ferry leaves at noon.")
        zep = {"messages": [{"role": "user", "content": "The other ferry leaves at dawn."}]}
        await client.post("/zep/api/v1/sessions/s2/memory", json=zep)
        event = {"actor_id": "ann", "session_id": "s3", "kind": "user_message", "content": "A third ferry leaves late."}
        await client.post("/memsy/v1/ingest", json={"events": [event]})
        listed = (await client.get("/v1/events")).json()["items"]

    assert [event["channel"] for event in listed] == ["native", "zep", "memsy"]


async def test_a_source_is_forgotten_with_a_receipt(server: Server) -> None:
    outside = await create_key(server.deps, ORG, name="outside", scopes=ALL_SCOPES, trust=Trust.LOW)
    async with server.client() as client, server.with_key(outside.raw_key) as crawler:
        await say(crawler, "The ferry leaves at dawn.")
        await server.work()
        trial = (await client.post("/v1/forget", json={"key_id": outside.key.key_id, "dry_run": True})).json()
        receipt = (await client.post("/v1/forget", json={"key_id": outside.key.key_id})).json()
        hits = (await client.post("/v1/search", json={"query": "ferry"})).json()["hits"]
        unnamed = await client.post("/v1/forget", json={})

    assert trial == {"receipt_id": None, "events": 1, "memories": 1, "promoted": 0, "summaries": 0}
    assert receipt["receipt_id"]
    assert {name: receipt[name] for name in ("events", "memories", "promoted", "summaries")} == {
        "events": 1,
        "memories": 1,
        "promoted": 0,
        "summaries": 0,
    }
    assert hits == []
    assert (unnamed.status_code, unnamed.json()["code"]) == (422, "no_source")
