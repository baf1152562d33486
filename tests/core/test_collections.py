"""Collections and their documents, from the first to the last."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection, func, select

from memcairn.core import collections, documents
from memcairn.core.deps import Deps
from memcairn.core.document_search import DocumentHits, DocumentQuery, search_documents
from memcairn.core.idempotency import repeatable_request
from memcairn.domain.collections import Collection, NewDocument
from memcairn.domain.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from memcairn.domain.filters import parse_filter
from memcairn.domain.keys import KeyScope, Principal
from memcairn.pipeline.worker import Worker
from memcairn.providers.fake import FakeEmbedder
from memcairn.store.schema import documents as rows

pytestmark = pytest.mark.anyio

NAME = "field-notes"
WIDE = 8


async def collection(deps: Deps, principal: Principal, *, own_vectors: bool = False) -> Collection:
    width = WIDE if own_vectors else None
    return await collections.add_collection(
        deps, principal, NAME, embedding_dimensions=width, is_auto_embedded=not own_vectors
    )


async def add(deps: Deps, principal: Principal, *new: NewDocument, **options: Any) -> list[str]:
    return await documents.add_documents(deps, principal, NAME, new, **options)


async def work(deps: Deps) -> None:
    while await Worker(deps).run_once():
        pass


async def search(deps: Deps, principal: Principal, **query: Any) -> DocumentHits:
    return await search_documents(deps, principal, NAME, DocumentQuery(**query))


def contents(hits: DocumentHits) -> list[str]:
    return [hit.document.content for hit in hits.items]


def direction(place: int) -> tuple[float, ...]:
    """A vector along one axis."""
    return tuple(1.0 if i == place else 0.0 for i in range(WIDE))


async def test_names_are_one_whatever_their_case(deps: Deps, principal: Principal) -> None:
    made = await collections.add_collection(deps, principal, "Field-Notes", description="d", metadata={"a": 1})

    assert (made.name, made.description, made.metadata) == (NAME, "d", {"a": 1})
    assert await collections.get_collection(deps, principal, "FIELD-notes") == made
    with pytest.raises(Conflict) as refused:
        await collections.add_collection(deps, principal, NAME)
    assert refused.value.code == "collection_exists"


@pytest.mark.parametrize("name", ["abcd", "a" * 41, "with space", "umläut", "", "a/b/c", "notes\n"])
async def test_a_name_outside_the_rule_is_refused(deps: Deps, principal: Principal, name: str) -> None:
    with pytest.raises(Invalid) as refused:
        await collections.add_collection(deps, principal, name)

    assert refused.value.code == "invalid_collection_name"


@pytest.mark.parametrize(
    "options",
    [
        {"embedding_dimensions": 7},
        {"embedding_dimensions": 2_001},
        {"is_auto_embedded": False},
        {"description": "x" * 1_001},
    ],
)
async def test_a_collection_outside_the_rules_is_refused(
    deps: Deps, principal: Principal, options: dict[str, Any]
) -> None:
    with pytest.raises(Invalid) as refused:
        await collections.add_collection(deps, principal, NAME, **options)

    assert refused.value.code == "invalid_collection"


async def test_any_declared_width_is_kept_where_the_server_embeds(deps: Deps, principal: Principal) -> None:
    await collections.add_collection(deps, principal, NAME, embedding_dimensions=1536)
    [uuid] = await add(deps, principal, NewDocument("heron"))
    await work(deps)

    found = await documents.get_document(deps, principal, NAME, uuid)

    assert (await collections.get_collection(deps, principal, NAME)).embedding_dimensions == 1536
    assert found.embedding is not None
    assert len(found.embedding) == deps.embedder.dimensions


async def test_metadata_of_a_collection_is_replaced_and_not_merged(deps: Deps, principal: Principal) -> None:
    await collections.add_collection(deps, principal, NAME, description="old", metadata={"a": 1, "b": 2})

    changed = await collections.update_collection(deps, principal, NAME, metadata={"c": 3})
    emptied = await collections.update_collection(deps, principal, NAME, description="", metadata={})

    assert (changed.description, changed.metadata) == ("old", {"c": 3})
    assert (emptied.description, emptied.metadata) == ("", {"c": 3})


async def test_collections_are_listed_by_name_in_pages(deps: Deps, principal: Principal) -> None:
    for name in ("delta", "alpha", "gamma", "bravo"):
        await collections.add_collection(deps, principal, name)

    first = await collections.list_collections(deps, principal, limit=3)
    second = await collections.list_collections(deps, principal, limit=3, cursor=first.next_cursor)

    assert [each.name for each in first.items] == ["alpha", "bravo", "delta"]
    assert ([each.name for each in second.items], second.next_cursor) == (["gamma"], None)
    everything = await collections.all_collections(deps, principal)
    assert [each.name for each in everything] == ["alpha", "bravo", "delta", "gamma"]


async def test_progress_is_counted_from_added_to_embedded(deps: Deps, principal: Principal) -> None:
    async def counts() -> tuple[int, int]:
        found = await collections.get_collection(deps, principal, NAME)
        return found.document_count, found.document_embedded_count

    await collection(deps, principal)
    uuids = await add(deps, principal, *(NewDocument(f"note {n}") for n in range(3)))
    before = await counts()
    await work(deps)
    after = await counts()
    await documents.delete_document(deps, principal, NAME, uuids[0])

    assert (before, after, await counts()) == ((3, 0), (3, 3), (2, 2))


async def test_another_embedder_leaves_documents_to_be_embedded_anew(deps: Deps, principal: Principal) -> None:
    await collection(deps, principal)
    await add(deps, principal, NewDocument("heron"))
    await work(deps)
    changed = replace(deps, embedder=FakeEmbedder(64))

    found = await collections.get_collection(changed, principal, NAME)

    assert (found.document_count, found.document_embedded_count) == (1, 0)
    assert contents(await search(changed, principal, text="heron")) == []


async def test_the_nearest_document_is_found_by_its_words(deps: Deps, principal: Principal) -> None:
    await collection(deps, principal)
    await add(deps, principal, *(NewDocument(text) for text in ("heron nest chapel", "ferry noon", "heron ferry")))
    await work(deps)

    hits = await search(deps, principal, text="heron nest chapel", limit=2)

    assert contents(hits) == ["heron nest chapel", "heron ferry"]
    assert hits.items[0].similarity == pytest.approx(1.0)
    assert hits.query_vector == pytest.approx(deps.embedder.embed(["heron nest chapel"])[0].tolist())


async def test_a_vector_that_was_given_back_finds_its_document(deps: Deps, principal: Principal) -> None:
    await collection(deps, principal)
    [_, uuid] = await add(deps, principal, NewDocument("ferry noon"), NewDocument("heron nest"))
    await work(deps)
    found = await documents.get_document(deps, principal, NAME, uuid)

    hits = await search(deps, principal, embedding=found.embedding, limit=1)

    assert contents(hits) == ["heron nest"]


async def test_vectors_of_the_callers_own_are_kept_to_the_number(deps: Deps, principal: Principal) -> None:
    await collection(deps, principal, own_vectors=True)
    vector = (0.5, -2.25, 1e30, 0.0, 3.0, 0.125, -1.0, 8.0)
    [uuid] = await add(deps, principal, NewDocument("own", embedding=vector))

    found = await documents.get_document(deps, principal, NAME, uuid)

    assert found.embedding == tuple(np.asarray(vector, dtype=np.float32).tolist())
    assert (await collections.get_collection(deps, principal, NAME)).document_embedded_count == 1


async def test_the_cosine_does_not_depend_on_how_long_vectors_are(deps: Deps, principal: Principal) -> None:
    await collection(deps, principal, own_vectors=True)
    along = NewDocument("along", embedding=[value * 1e-30 for value in direction(1)])
    opposite = NewDocument("opposite", embedding=[-value for value in direction(1)])
    nowhere = NewDocument("nowhere", embedding=[0.0] * WIDE)
    await add(deps, principal, along, opposite, nowhere)

    hits = await search(deps, principal, embedding=[value * 1e20 for value in direction(1)])

    assert [(hit.document.content, round(hit.similarity, 6)) for hit in hits.items] == [
        ("along", 1.0),
        ("nowhere", 0.0),
        ("opposite", -1.0),
    ]


@pytest.mark.parametrize(
    ("own_vectors", "document", "code", "pointer"),
    [
        (False, NewDocument(" \n"), "invalid_document", "/documents/1/content"),
        (False, NewDocument("x", document_id="é"), "invalid_document_id", "/documents/1/document_id"),
        (False, NewDocument("x", document_id="a" * 101), "invalid_document_id", "/documents/1/document_id"),
        (False, NewDocument("x", embedding=direction(0)), "unexpected_embedding", "/documents/1/embedding"),
        (True, NewDocument("x"), "missing_embedding", "/documents/1/embedding"),
        (True, NewDocument("x", embedding=direction(0)[1:]), "invalid_embedding", "/documents/1/embedding"),
        (True, NewDocument("x", embedding=[float("nan")] * WIDE), "invalid_embedding", "/documents/1/embedding"),
        (True, NewDocument("x", embedding=[1e39] * WIDE), "invalid_embedding", "/documents/1/embedding"),
    ],
)
async def test_one_bad_document_keeps_all_of_them_out(
    deps: Deps, principal: Principal, own_vectors: bool, document: NewDocument, code: str, pointer: str
) -> None:
    await collection(deps, principal, own_vectors=own_vectors)
    good = NewDocument("good", embedding=direction(0) if own_vectors else None)

    with pytest.raises(Invalid) as refused:
        await add(deps, principal, good, document)

    assert (refused.value.code, refused.value.pointer) == (code, pointer)
    assert (await collections.get_collection(deps, principal, NAME)).document_count == 0


async def test_an_id_that_is_taken_replaces_its_document(deps: Deps, principal: Principal) -> None:
    await collection(deps, principal)
    [first] = await add(deps, principal, NewDocument("heron nest", document_id="a", metadata={"old": 1}))
    await work(deps)

    again = await add(deps, principal, NewDocument("ferry", document_id="a"), NewDocument("tide", document_id="a"))
    unembedded = contents(await search(deps, principal, text="tide"))
    await work(deps)

    [found] = await documents.get_documents(deps, principal, NAME, document_ids=["a"])
    assert again == [first, first]
    assert (found.document_uuid, found.content, found.metadata) == (first, "tide", None)
    assert unembedded == []
    assert (await search(deps, principal, text="tide")).items[0].similarity == pytest.approx(1.0)


@pytest.mark.parametrize("ids", [["a"], ["b", "b"]])
async def test_without_upsert_an_id_that_is_taken_is_refused(
    deps: Deps, principal: Principal, ids: Sequence[str]
) -> None:
    await collection(deps, principal)
    await add(deps, principal, NewDocument("heron", document_id="a"))

    with pytest.raises(Conflict) as refused:
        await add(deps, principal, *(NewDocument("ferry", document_id=each) for each in ids), upsert=False)

    assert refused.value.code == "document_exists"
    assert (await collections.get_collection(deps, principal, NAME)).document_count == 1


async def test_documents_come_in_the_order_asked_for(deps: Deps, principal: Principal) -> None:
    await collection(deps, principal)
    uuids = await add(deps, principal, *(NewDocument(each, document_id=each) for each in ("a", "b", "c")))

    by_uuid = await documents.get_documents(deps, principal, NAME, uuids=[uuids[2], "unknown", uuids[0]])
    by_id = await documents.get_documents(deps, principal, NAME, document_ids=["b", "unknown", "a"])

    assert [each.content for each in by_uuid] == ["c", "a"]
    assert [each.content for each in by_id] == ["b", "a"]
    with pytest.raises(Invalid) as refused:
        await documents.get_documents(deps, principal, NAME, uuids=uuids, document_ids=["a"])
    assert refused.value.code == "invalid_documents"


async def test_changes_of_several_documents_happen_together_or_not_at_all(deps: Deps, principal: Principal) -> None:
    await collection(deps, principal)
    first, second = await add(
        deps, principal, NewDocument("x", document_id="a", metadata={"k": 1}), NewDocument("y", document_id="b")
    )
    change = documents.DocumentChange
    changes = [change(first, metadata={"k": 2}), change(second, document_id="a")]

    with pytest.raises(Conflict):
        await documents.update_documents(deps, principal, NAME, changes)
    untouched = await documents.get_document(deps, principal, NAME, first)
    swapped = await documents.update_documents(
        deps, principal, NAME, [change(first, document_id="c"), change(second, document_id="a", metadata={"n": 1})]
    )

    assert untouched.metadata == {"k": 1}
    assert [(each.document_id, each.metadata) for each in swapped] == [("c", {"k": 1}), ("a", {"n": 1})]


async def test_a_deleted_document_is_nowhere_and_its_id_is_free(deps: Deps, principal: Principal) -> None:
    await collection(deps, principal)
    [uuid] = await add(deps, principal, NewDocument("heron nest", document_id="a", metadata={"k": 1}))
    await work(deps)

    await documents.delete_document(deps, principal, NAME, uuid)

    assert contents(await search(deps, principal, text="heron nest")) == []
    assert contents(await search(deps, principal, filter=parse_filter({"jsonpath": "$.k"}))) == []
    assert await documents.get_documents(deps, principal, NAME, uuids=[uuid]) == []
    for gone in (documents.get_document, documents.delete_document):
        with pytest.raises(NotFound) as refused:
            await gone(deps, principal, NAME, uuid)
        assert refused.value.code == "document_not_found"
    [second] = await add(deps, principal, NewDocument("ferry", document_id="a"), upsert=False)
    assert second != uuid


async def test_a_document_deleted_before_it_is_embedded_stays_gone(deps: Deps, principal: Principal) -> None:
    await collection(deps, principal)
    [uuid] = await add(deps, principal, NewDocument("heron"))
    await documents.delete_document(deps, principal, NAME, uuid)

    await work(deps)

    def vectors(connection: Connection) -> int:
        statement = select(func.count()).where(rows.c.org_id == principal.org_id, rows.c.vector.is_not(None))
        return connection.execute(statement).scalar_one()

    assert await deps.db.read(vectors) == 0


async def test_a_deleted_collection_takes_its_documents_along_at_once(deps: Deps, principal: Principal) -> None:
    await collection(deps, principal)
    await add(deps, principal, NewDocument("heron", document_id="a"), NewDocument("ferry"))

    gone = await collections.delete_collection(deps, principal, NAME.upper())
    await work(deps)

    def left(connection: Connection) -> int:
        return connection.execute(select(func.count()).where(rows.c.org_id == principal.org_id)).scalar_one()

    assert (gone, await deps.db.read(left)) == (2, 0)
    with pytest.raises(NotFound) as refused:
        await collections.get_collection(deps, principal, NAME)
    assert refused.value.code == "collection_not_found"
    assert (await collection(deps, principal)).document_count == 0


async def test_a_filter_holds_before_the_limit(deps: Deps, principal: Principal) -> None:
    await collection(deps, principal)
    await add(deps, principal, *(NewDocument("heron nest", metadata={"n": n}) for n in range(30)))
    await add(deps, principal, NewDocument("heron", metadata={"n": 100}), NewDocument("no metadata"))
    await work(deps)
    late = parse_filter({"jsonpath": "$ ? (@.n >= 28)"})

    near = await search(deps, principal, text="heron nest", filter=late, limit=3)
    newest = await search(deps, principal, filter=late, limit=2)

    assert [hit.document.metadata for hit in near.items] == [{"n": 28}, {"n": 29}, {"n": 100}]
    assert [hit.document.metadata for hit in newest.items] == [{"n": 100}, {"n": 29}]
    assert ([hit.similarity for hit in newest.items], newest.query_vector) == ([0.0, 0.0], None)


async def test_variety_counts_beside_nearness(deps: Deps, principal: Principal) -> None:
    await collection(deps, principal, own_vectors=True)
    vectors = {"near": (9, 1, 0), "its double": (9, 1.01, 0), "other": (6, 0, 8)}
    await add(deps, principal, *(NewDocument(name, embedding=[*vector, *[0] * 5]) for name, vector in vectors.items()))

    async def found(**options: Any) -> list[str]:
        return contents(await search(deps, principal, embedding=direction(0), limit=2, **options))

    assert await found() == ["near", "its double"]
    assert await found(mmr=True) == ["near", "other"]
    assert await found(mmr=True, mmr_lambda=0.0) == ["near", "other"]
    assert await found(mmr=True, mmr_lambda=1.0) == ["near", "its double"]


async def test_mmr_on_an_empty_collection_finds_nothing(deps: Deps, principal: Principal) -> None:
    await collection(deps, principal)

    assert contents(await search(deps, principal, text="heron", mmr=True)) == []


@pytest.mark.parametrize(
    ("own_vectors", "query", "code"),
    [
        (False, {}, "empty_search"),
        (False, {"text": ""}, "empty_search"),
        (False, {"text": "x", "embedding": [1.0]}, "invalid_search"),
        (False, {"embedding": [1.0] * 8}, "invalid_embedding"),
        (True, {"embedding": [1.0] * 9}, "invalid_embedding"),
        (True, {"text": "x"}, "missing_embedding"),
    ],
)
async def test_a_search_that_cannot_be_meant_is_refused(
    deps: Deps, principal: Principal, own_vectors: bool, query: dict[str, Any], code: str
) -> None:
    await collection(deps, principal, own_vectors=own_vectors)

    with pytest.raises(Invalid) as refused:
        await search(deps, principal, **query)

    assert refused.value.code == code


async def test_a_repeated_request_has_its_effect_once(deps: Deps, principal: Principal) -> None:
    key = repeatable_request("k1", "POST /v1/collections", {})
    first = await collections.add_collection(deps, principal, NAME, repeatable=key)
    again = await collections.add_collection(deps, principal, NAME, repeatable=key)
    key = repeatable_request("k2", "POST …/documents", {})
    uuids = [await add(deps, principal, NewDocument("heron"), repeatable=key) for _ in range(2)]

    assert again == first
    assert uuids[0] == uuids[1]
    assert (await collections.get_collection(deps, principal, NAME)).document_count == 1


async def test_another_org_sees_none_of_it(deps: Deps, principal: Principal) -> None:
    await collection(deps, principal)
    [uuid] = await add(deps, principal, NewDocument("heron"))
    stranger = Principal("elsewhere", "key", principal.scopes)

    refused: list[DomainError] = []
    for attempt in (
        collections.get_collection(deps, stranger, NAME),
        collections.delete_collection(deps, stranger, NAME),
        documents.get_document(deps, stranger, NAME, uuid),
        documents.add_documents(deps, stranger, NAME, [NewDocument("x")]),
        search(deps, stranger, text="heron"),
    ):
        with pytest.raises(NotFound) as caught:
            await attempt
        refused.append(caught.value)

    assert {error.code for error in refused} == {"collection_not_found"}
    assert await collections.all_collections(deps, stranger) == []


async def test_a_key_that_may_only_read_changes_nothing(deps: Deps, principal: Principal) -> None:
    await collection(deps, principal)
    reader = Principal(principal.org_id, "reader", frozenset({KeyScope.READ}))

    for attempt in (
        collections.add_collection(deps, reader, "other-name"),
        collections.update_collection(deps, reader, NAME, description="x"),
        collections.delete_collection(deps, reader, NAME),
        documents.add_documents(deps, reader, NAME, [NewDocument("x")]),
        documents.update_documents(deps, reader, NAME, []),
        documents.delete_documents(deps, reader, NAME, []),
    ):
        with pytest.raises(Forbidden):
            await attempt
