"""Collections, filters and the search in a conversation over HTTP, through the real application."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from memcairn.app import running
from memcairn.settings import Settings

pytestmark = pytest.mark.anyio

NOTES = "/v1/collections/field-notes"


@pytest.fixture
async def client(data_place: dict[str, Any], anyio_backend: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with running(Settings(**data_place)) as server:
        headers = {"Authorization": f"Bearer {server.first_key}"}
        transport = httpx2.ASGITransport(app=server.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://memcairn.test", headers=headers) as opened:
            yield opened


async def _post(client: httpx2.AsyncClient, path: str, body: Any, status: int = 200, **headers: str) -> Any:
    response = await client.post(path, json=body, headers=headers)
    assert response.status_code == status, response.text
    return response.json()


async def test_a_collection_from_its_making_to_its_end(client: httpx2.AsyncClient) -> None:
    made = await _post(client, "/v1/collections", {"name": "Field-Notes", "embedding_dimensions": 1536}, 201)
    new = [
        {"content": "The heron nests behind the chapel.", "document_id": "a", "metadata": {"n": 1}},
        {"content": "Ferry at noon."},
    ]
    added = await _post(client, f"{NOTES}/documents", {"documents": new}, 201)
    [first, second] = added["document_uuids"]
    changed = (await client.patch(f"{NOTES}/documents/{second}", json={"document_id": "b"})).json()
    got = await _post(client, f"{NOTES}/documents/get", {"document_ids": ["b", "a"]})
    found = await _post(client, f"{NOTES}/search", {"metadata": {"jsonpath": "$ ? (@.n == 1)"}})
    deleted = await client.delete(f"{NOTES}/documents/{first}")
    gone = await client.get(f"{NOTES}/documents/{first}")
    described = (await client.patch(NOTES, json={"description": "birds"})).json()
    listed = (await client.get("/v1/collections")).json()
    removed = await client.delete(NOTES)

    assert (made["name"], made["embedding_dimensions"], made["document_count"]) == ("field-notes", 1536, 0)
    assert changed["document_id"] == "b"
    assert [each["document_uuid"] for each in got["items"]] == [second, first]
    assert [(hit["document"]["document_uuid"], hit["similarity"]) for hit in found["hits"]] == [(first, 0.0)]
    assert found["query_vector"] is None
    assert (deleted.status_code, gone.status_code, gone.json()["code"]) == (204, 404, "document_not_found")
    assert (described["description"], described["document_count"]) == ("birds", 1)
    assert [each["name"] for each in listed["items"]] == ["field-notes"]
    assert (removed.status_code, (await client.get(NOTES)).json()["code"]) == (204, "collection_not_found")


async def test_documents_with_vectors_of_their_own_are_found_at_once(client: httpx2.AsyncClient) -> None:
    body = {"name": "field-notes", "embedding_dimensions": 8, "is_auto_embedded": False}
    await _post(client, "/v1/collections", body, 201)
    vector = [1.0, 0, 0, 0, 0, 0, 0, 0.5]
    await _post(client, f"{NOTES}/documents", {"documents": [{"content": "x", "embedding": vector}]}, 201)

    found = await _post(client, f"{NOTES}/search", {"embedding": vector, "mmr": True})

    assert [(hit["similarity"], hit["document"]["embedding"]) for hit in found["hits"]] == [(1.0, vector)]


async def test_a_repeated_request_stores_documents_once(client: httpx2.AsyncClient) -> None:
    await _post(client, "/v1/collections", {"name": "field-notes"}, 201)
    body = {"documents": [{"content": "x"}]}
    first = await _post(client, f"{NOTES}/documents", body, 201, **{"Idempotency-Key": "k"})
    again = await _post(client, f"{NOTES}/documents", body, 201, **{"Idempotency-Key": "k"})

    assert again == first
    assert (await client.get(NOTES)).json()["document_count"] == 1


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("path", "body", "status", "code", "pointer"),
    [
        ("/v1/collections", {"name": "abc"}, 422, "invalid", "/name"),
        ("/v1/collections", {"name": "field-notes"}, 409, "collection_exists", None),
        ("/v1/collections", {"name": "other", "is_auto_embedded": False}, 422, "invalid", ""),
        (f"{NOTES}/documents", {"documents": []}, 422, "invalid", "/documents"),
        (f"{NOTES}/documents", {"documents": [{"content": " "}]}, 422, "invalid", "/documents/0/content"),
        (
            f"{NOTES}/documents",
            {"documents": [{"content": "x", "embedding": [1.0]}]},
            422,
            "unexpected_embedding",
            "/documents/0/embedding",
        ),
        (f"{NOTES}/documents/get", {}, 422, "invalid", ""),
        (f"{NOTES}/search", {}, 422, "empty_search", None),
        (f"{NOTES}/search", {"text": "x", "metadata": {"jsonpth": "$"}}, 422, "invalid", "/metadata"),
        (
            f"{NOTES}/search",
            {"metadata": {"and": [{"jsonpath": "$["}]}},
            422,
            "invalid_filter",
            "/metadata/and/0/jsonpath",
        ),
        ("/v1/collections/never-made/search", {"text": "x"}, 404, "collection_not_found", None),
        ("/v1/search", {"query": "x", "metadata": {"jsonpath": "'"}}, 422, "invalid_filter", "/metadata/jsonpath"),
        ("/v1/sessions/s1/search", {"text": "x"}, 404, "session_not_found", None),
        ("/v1/sessions/s1/search", {"text": "x", "scope": "all"}, 422, "invalid", "/scope"),
        ("/v1/sessions/s1/search", {"start": "2026-02-01", "end": "2026-01-01"}, 422, "invalid", ""),
    ],
)
async def test_what_breaks_a_rule_is_refused_at_its_place(
    client: httpx2.AsyncClient, path: str, body: Any, status: int, code: str, pointer: str | None
) -> None:
    await _post(client, "/v1/collections", {"name": "field-notes"}, 201)

    problem = await _post(client, path, body, status)

    assert problem["code"] == code
    assert [error["pointer"] for error in problem["errors"]] == ([] if pointer is None else [pointer])


async def test_a_conversation_is_searched_by_words_and_by_metadata(client: httpx2.AsyncClient) -> None:
    ann = {"actor_id": "ann", "session_id": "a/b c", "kind": "user_message"}
    said = [
        ann | {"content": "The heron nests behind the chapel.", "metadata": {"topic": "birds"}},
        ann | {"content": "The ferry leaves at noon.", "metadata": {"topic": "travel"}},
    ]
    await _post(client, "/v1/events", {"events": said}, 202)
    path = "/v1/sessions/a%2Fb%20c/search"

    near = await _post(client, path, {"text": "heron chapel", "limit": 1})
    chosen = await _post(client, path, {"metadata": {"jsonpath": '$ ? (@.topic == "travel")'}, "mmr": True})
    remembered = await _post(
        client, "/v1/search", {"query": "heron", "metadata": {"jsonpath": '$ ? (@.topic == "travel")'}}
    )

    assert [hit["message"]["content"] for hit in near["hits"]] == ["The heron nests behind the chapel."]
    assert near["hits"][0]["summary"] is None
    assert [hit["message"]["content"] for hit in chosen["hits"]] == ["The ferry leaves at noon."]
    assert [hit["text"] for hit in remembered["hits"]] == ["The ferry leaves at noon."]
