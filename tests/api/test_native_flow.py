"""The native door, from saying something to finding it again, through the real application."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from memcairn.app import Running, running
from memcairn.core.keys import create_key, create_org, revoke_key
from memcairn.domain.keys import KeyScope
from memcairn.settings import Settings
from memcairn.wire.search import SearchResponse

pytestmark = pytest.mark.anyio

ANN = {"actor_id": "ann", "session_id": "s1", "kind": "user_message", "name": "Ann"}


@pytest.fixture
async def server(data_place: dict[str, Any], anyio_backend: str) -> AsyncIterator[Running]:
    async with running(Settings(**data_place)) as started:
        yield started


@pytest.fixture
async def client(server: Running) -> AsyncIterator[httpx2.AsyncClient]:
    async with _client(server, server.first_key) as opened:
        yield opened


def _client(server: Running, key: str | None) -> httpx2.AsyncClient:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    transport = httpx2.ASGITransport(app=server.app)
    return httpx2.AsyncClient(transport=transport, base_url="http://memcairn.test", headers=headers)


async def _say(client: httpx2.AsyncClient, *texts: str, wait: bool = True, **fields: Any) -> dict[str, Any]:
    events = [ANN | fields | {"content": text} for text in texts]
    response = await client.post("/v1/events", params={"wait": wait}, json={"events": events})
    assert response.status_code == 202, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def _ask(client: httpx2.AsyncClient, query: str, **fields: Any) -> list[dict[str, Any]]:
    response = await client.post("/v1/search", json={"query": query, **fields})
    assert response.status_code == 200, response.text
    hits: list[dict[str, Any]] = response.json()["hits"]
    return hits


async def test_what_was_said_is_found_with_its_source(client: httpx2.AsyncClient) -> None:
    said = await _say(client, "The heron nests behind the chapel.", "The ferry leaves at noon.")

    [best, *_] = await _ask(client, "Where does the heron nest?", include_source_events=True)

    assert (best["text"], best["pending"], best["speaker"]) == ("The heron nests behind the chapel.", False, "Ann")
    assert [event["event_id"] for event in best["source_events"]] == said["event_ids"][:1]
    assert 0.4 <= best["score"] < 0.99


async def test_raw_text_is_found_from_the_commit_on_and_marked_pending(data_place: dict[str, Any]) -> None:
    idle = Settings(**data_place, worker=False)
    async with running(idle) as server, _client(server, server.first_key) as client:
        said = await _say(client, "The heron nests behind the chapel.", wait=False)

        [best] = await _ask(client, "heron", include_source_events=True)

    assert (best["pending"], best["memory"], best["source_event_ids"]) == (True, None, said["event_ids"])
    assert best["source_events"][0]["status"] == "pending"


async def test_search_filters_by_actor_session_kind_type_and_time(client: httpx2.AsyncClient) -> None:
    early, late = "2026-01-05T10:00:00Z", "2026-02-05T10:00:00Z"
    await _say(client, "The red kite flew over the barn.", session_id="s1", occurred_at=early)
    await _say(client, "The red kite flew over the mill.", session_id="s2", occurred_at=late)
    await _say(client, "The red kite flew over the lake.", actor_id="ben", session_id="s3", occurred_at=late)

    async def places(**fields: Any) -> set[str]:
        return {hit["text"].removesuffix(".").split()[-1] for hit in await _ask(client, "red kite", **fields)}

    assert await places() == {"barn", "mill", "lake"}
    assert await places(actor_id="ben") == {"lake"}
    assert await places(actor_id="ann") == {"barn", "mill"}
    assert await places(session_id="s2") == {"mill"}
    assert await places(exclude_session_id="s2") == {"barn", "lake"}
    assert await places(occurred_after="2026-02-01T00:00:00Z") == {"mill", "lake"}
    assert await places(occurred_before="2026-02-01T00:00:00Z") == {"barn"}
    assert await places(kinds=["procedural"]) == set()
    assert await places(types=["message"]) == {"barn", "mill", "lake"}


async def test_limit_and_threshold_cut_the_list(client: httpx2.AsyncClient) -> None:
    await _say(client, *(f"Parcel {number} went to the harbour." for number in range(6)))

    hits = await _ask(client, "harbour parcel", limit=3)
    strict = await _ask(client, "harbour parcel", threshold=1.0)

    assert (len(hits), strict) == (3, [])
    assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)


async def test_an_explanation_names_every_arm(client: httpx2.AsyncClient) -> None:
    await _say(client, "The heron nests behind the chapel.")

    [hit] = await _ask(client, "heron", explain=True)

    assert {"arms", "factors", "coverage"} <= hit["explanation"].keys()


async def test_an_answer_holds_the_fields_of_the_wire_and_no_others(client: httpx2.AsyncClient) -> None:
    await _say(client, "The heron nests behind the chapel.", "My favourite bird is the heron.")

    for fields in ({}, {"include_source_events": True, "explain": True}):
        answer = (await client.post("/v1/search", json={"query": "heron", **fields})).json()

        assert len(answer["hits"]) >= 2
        assert SearchResponse.model_validate(answer).model_dump(mode="json") == answer


async def test_recall_makes_a_memory_stronger(server: Running, client: httpx2.AsyncClient) -> None:
    await _say(client, "The heron nests behind the chapel.")
    [hit] = await _ask(client, "heron")

    await _eventually_recalled(client, hit["memory"]["memory_id"])


async def _eventually_recalled(client: httpx2.AsyncClient, memory_id: str) -> None:
    for _ in range(2_000):
        memory = (await client.get(f"/v1/memories/{memory_id}")).json()
        if memory["recall_count"]:
            break
    assert (memory["recall_count"], memory["last_recalled_at"] is not None) == (1, True)
    assert 1.0 < memory["strength"] <= 5.0


@pytest.mark.parametrize(
    "query",
    [
        "",
        " ",
        '"',
        "AND OR NOT",
        "*",
        "NEAR(a b)",
        "C++",
        "it's",
        "50%",
        "user@x.com",
        "-",
        "🙂",
        "x" * 20_000,
        "\t\n",
        "{}[]()",
    ],
)
async def test_any_string_is_a_legal_query(client: httpx2.AsyncClient, query: str) -> None:
    await _say(client, "The heron nests behind the chapel.")

    assert isinstance(await _ask(client, query), list)


async def test_a_memory_can_be_edited_and_deleted_by_hand(client: httpx2.AsyncClient) -> None:
    await _say(client, "The heron nests behind the chapel.")
    [memory] = (await client.get("/v1/memories")).json()["items"]
    path = f"/v1/memories/{memory['memory_id']}"

    edited = await client.patch(path, json={"text": "The heron nests on the island.", "tags": ["birds"]})
    found = await _ask(client, "island")
    deleted = await client.delete(path)

    assert (edited.status_code, edited.json()["text"], edited.json()["tags"]) == (
        200,
        "The heron nests on the island.",
        ["birds"],
    )
    assert found[0]["memory"]["memory_id"] == memory["memory_id"]
    assert deleted.status_code == 204
    assert await _ask(client, "heron island chapel") == []
    for again in (await client.get(path), await client.delete(path), await client.get(path + "/history")):
        assert (again.status_code, again.json()["code"]) == (404, "memory_not_found")


async def test_history_and_sources_tell_where_a_memory_comes_from(client: httpx2.AsyncClient) -> None:
    said = await _say(client, "The heron nests behind the chapel.")
    [memory] = (await client.get("/v1/memories")).json()["items"]
    path = f"/v1/memories/{memory['memory_id']}"
    await client.patch(path, json={"pinned": True})

    history = (await client.get(path + "/history")).json()["items"]
    sources = (await client.get(path + "/sources")).json()["items"]

    assert [(change["change"], change["before"]) for change in history] == [
        ("created", None),
        ("edited", {"pinned": False}),
    ]
    assert [event["event_id"] for event in sources] == said["event_ids"]


async def test_the_same_idempotency_key_gives_the_same_answer_once(client: httpx2.AsyncClient) -> None:
    body = {"events": [ANN | {"content": "The heron nests behind the chapel.", "occurred_at": "2026-01-05T10:00:00Z"}]}
    headers = {"Idempotency-Key": "one"}

    first = await client.post("/v1/events", json=body, headers=headers)
    again = await client.post("/v1/events", json=body, headers=headers)
    other = await client.post("/v1/events", json={"events": [ANN | {"content": "Else."}]}, headers=headers)

    assert first.json() == again.json()
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    assert len((await client.get("/v1/events")).json()["items"]) == 1


async def test_another_orgs_ids_are_not_found_and_its_text_is_not_searched(
    server: Running, client: httpx2.AsyncClient
) -> None:
    said = await _say(client, "The heron nests behind the chapel.")
    [memory] = (await client.get("/v1/memories")).json()["items"]
    other = await create_org(server.services.deps, "other")

    async with _client(server, other.raw_key) as stranger:
        assert await _ask(stranger, "heron") == []
        assert (await stranger.get("/v1/events")).json()["items"] == []
        assert (await stranger.get(f"/v1/memories/{memory['memory_id']}")).status_code == 404
        assert (await stranger.delete(f"/v1/memories/{memory['memory_id']}")).status_code == 404
        states = await stranger.post("/v1/events/status", json={"event_ids": said["event_ids"]})
        assert [state["status"] for state in states.json()["events"]] == ["not_found"]


async def test_keys_open_what_their_scopes_say_until_they_are_revoked(server: Running) -> None:
    deps = server.services.deps
    made = await create_key(deps, "default", name="reader", scopes=frozenset({KeyScope.READ}))

    async with _client(server, made.raw_key) as reader:
        assert (await reader.get("/v1/memories")).status_code == 200
        refused = await reader.post("/v1/events", json={"events": [ANN | {"content": "No."}]})
        assert (refused.status_code, refused.json()["code"]) == (403, "missing_scope")
        await revoke_key(deps, "default", made.key.key_id)
        ended = await reader.get("/v1/memories")

    assert (ended.status_code, ended.json()["code"]) == (401, "revoked_key")
    assert ended.headers["www-authenticate"] == "Bearer"


async def test_a_request_without_a_key_is_refused_before_its_body_is_judged(server: Running) -> None:
    async with _client(server, None) as nobody:
        refused = await nobody.post("/v1/events", content=b"{not json")

    assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("event", "pointer"),
    [
        ({"content": "  "}, "/events/1/content"),
        ({"content": "x" * 32_001}, "/events/1/content"),
        ({"content": 5}, "/events/1/content"),
        ({"actor_id": ""}, "/events/1/actor_id"),
        ({"actor_id": "x" * 257}, "/events/1/actor_id"),
        ({"session_id": None}, "/events/1/session_id"),
        ({"kind": "shout"}, "/events/1/kind"),
        ({"occurred_at": "yesterday"}, "/events/1/occurred_at"),
        ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "/events/1/occurred_at"),
        ({"metadata": []}, "/events/1/metadata"),
        ({"surprise": 1}, "/events/1/surprise"),
    ],
)
async def test_one_bad_event_refuses_the_whole_batch_and_says_where(
    client: httpx2.AsyncClient, event: dict[str, Any], pointer: str
) -> None:
    batch = [ANN | {"content": "This one is good."}, ANN | {"content": "And this?"} | event]

    refused = await client.post("/v1/events", json={"events": batch})

    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
    assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]
    assert (await client.get("/v1/events")).json()["items"] == []


async def test_probes_and_metrics_need_no_key(server: Running) -> None:
    async with _client(server, None) as nobody:
        health, ready, metrics = [await nobody.get(path) for path in ("/healthz", "/readyz", "/metrics")]

    assert (health.json()["status"], ready.json()["status"]) == ("ok", "ready")
    assert b"memcairn" in metrics.content


async def test_a_search_explains_its_hits_and_says_why_a_memory_is_not_among_them(client: httpx2.AsyncClient) -> None:
    await _say(client, "The heron nests behind the chapel.")
    query = "Where does the heron nest?"
    [hit] = await _ask(client, query, explain=True)
    memory_id = hit["memory"]["memory_id"]

    found = (await client.post("/v1/search/why", json={"query": query, "memory_id": memory_id})).json()
    lost = (
        await client.post("/v1/search/why", json={"query": query, "memory_id": memory_id, "types": ["norm"]})
    ).json()
    unknown = await client.post("/v1/search/why", json={"query": query, "memory_id": "nothing"})

    assert hit["explanation"]["arms"]["words"]["rank"] == 1
    assert (found["found"], found["place"], found["explanation"]) == (True, 1, hit["explanation"])
    assert [(loss["stage"], loss["field"]) for loss in lost["losses"]] == [("filtered", "types")]
    assert (unknown.status_code, unknown.json()["code"]) == (404, "memory_not_found")
