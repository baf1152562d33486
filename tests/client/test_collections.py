"""Collections and the search in a conversation, as both clients ask for them."""

import json
from typing import Any

import httpx2
import pytest

from memcairn.client import ConflictError
from memcairn.wire.collections import (
    AddDocumentsResponse,
    Collection,
    CollectionPage,
    Document,
    Documents,
    DocumentSearchResponse,
    NewDocument,
)

from .scripted import MOMENT, Colour, Scripted, Use, ok, refused

COLLECTION: dict[str, Any] = {
    "collection_id": "c-1",
    "name": "field-notes",
    "description": "",
    "metadata": {},
    "embedding_dimensions": 256,
    "is_auto_embedded": True,
    "document_count": 1,
    "document_embedded_count": 1,
    "created_at": MOMENT,
    "updated_at": MOMENT,
}
DOCUMENT: dict[str, Any] = {
    "document_uuid": "d-1",
    "document_id": None,
    "content": "heron",
    "metadata": None,
    "embedding": None,
    "is_embedded": False,
    "created_at": MOMENT,
    "updated_at": MOMENT,
}
HITS = {"hits": [{"document": DOCUMENT, "similarity": 0.5}], "query_vector": [0.5]}
PATH = "/v1/collections/field-notes"


@pytest.mark.parametrize(
    ("use", "answer", "line", "body", "expected"),
    [
        (
            lambda client: client.collections.add("field-notes", embedding_dimensions=384),
            COLLECTION,
            "POST /v1/collections",
            {"name": "field-notes", "embedding_dimensions": 384, "is_auto_embedded": True},
            Collection.model_validate(COLLECTION),
        ),
        (
            lambda client: client.collections.get("field-notes"),
            COLLECTION,
            f"GET {PATH}",
            None,
            Collection.model_validate(COLLECTION),
        ),
        (
            lambda client: client.collections.update("field-notes", description="birds"),
            COLLECTION,
            f"PATCH {PATH}",
            {"description": "birds"},
            Collection.model_validate(COLLECTION),
        ),
        (
            lambda client: client.collections.list(limit=7),
            {"items": [COLLECTION], "next_cursor": None},
            "GET /v1/collections?limit=7",
            None,
            CollectionPage.model_validate({"items": [COLLECTION]}),
        ),
        (
            lambda client: client.collections.list_all(),
            {"items": [COLLECTION], "next_cursor": None},
            "GET /v1/collections?limit=200",
            None,
            [Collection.model_validate(COLLECTION)],
        ),
        (
            lambda client: client.collections.add_documents(
                "field-notes", [NewDocument(content="heron"), {"content": "x"}]
            ),
            {"document_uuids": ["d-1", "d-2"]},
            f"POST {PATH}/documents",
            {"documents": [{"content": "heron"}, {"content": "x"}], "upsert": True},
            AddDocumentsResponse(document_uuids=["d-1", "d-2"]),
        ),
        (
            lambda client: client.collections.get_document("field-notes", "d/1"),
            DOCUMENT,
            f"GET {PATH}/documents/d%2F1",
            None,
            Document.model_validate(DOCUMENT),
        ),
        (
            lambda client: client.collections.get_documents("field-notes", document_ids=["a"]),
            {"items": [DOCUMENT]},
            f"POST {PATH}/documents/get",
            {"document_ids": ["a"]},
            Documents.model_validate({"items": [DOCUMENT]}),
        ),
        (
            lambda client: client.collections.update_document("field-notes", "d-1", metadata={"n": 1}),
            DOCUMENT,
            f"PATCH {PATH}/documents/d-1",
            {"metadata": {"n": 1}},
            Document.model_validate(DOCUMENT),
        ),
        (
            lambda client: client.collections.search("field-notes", "heron", metadata={"jsonpath": "$.n"}, mmr=True),
            HITS,
            f"POST {PATH}/search",
            {"text": "heron", "metadata": {"jsonpath": "$.n"}, "mmr": True, "limit": 20},
            DocumentSearchResponse.model_validate(HITS),
        ),
        (
            lambda client: client.search("heron", metadata={"jsonpath": "$.n"}),
            {"hits": [], "took_ms": 1.0},
            "POST /v1/search",
            {
                "query": "heron",
                "limit": 10,
                "threshold": 0.0,
                "diverse": True,
                "metadata": {"jsonpath": "$.n"},
                "include_source_events": False,
                "explain": False,
            },
            None,
        ),
    ],
)
def test_a_call_goes_where_it_should_and_its_answer_is_read(
    colour: Colour, use: Use, answer: object, line: str, body: object, expected: object
) -> None:
    server = Scripted(ok(answer))

    result = colour(server, use)

    assert server.lines == [line]
    assert (json.loads(server.requests[0].content) if server.requests[0].content else None) == body
    assert expected is None or result == expected


@pytest.mark.parametrize(
    ("use", "line"),
    [
        (lambda client: client.collections.delete("field-notes"), f"DELETE {PATH}"),
        (lambda client: client.collections.delete_document("field-notes", "d-1"), f"DELETE {PATH}/documents/d-1"),
    ],
)
def test_a_deletion_whose_answer_got_lost_counts_as_done(colour: Colour, use: Use, line: str) -> None:
    server = Scripted(httpx2.ReadError("reset"), refused(404))

    colour(server, use)

    assert server.lines == [line, line]


def test_additions_are_sent_again_under_one_key(colour: Colour) -> None:
    server = Scripted(refused(503, retry_after="1"), ok({"document_uuids": ["d-1"]}))

    colour(server, lambda client: client.collections.add_documents("field-notes", [{"content": "x"}]))

    first, second = (request.headers["idempotency-key"] for request in server.requests)
    assert first == second


def test_a_name_that_is_taken_is_an_error_of_its_own_kind(colour: Colour) -> None:
    server = Scripted(refused(409, "collection_exists"))

    with pytest.raises(ConflictError) as refusal:
        colour(server, lambda client: client.collections.add("field-notes"))

    assert refusal.value.code == "collection_exists"
