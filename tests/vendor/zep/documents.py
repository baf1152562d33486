"""Collections, their documents, and search among them."""

import math
from typing import Any

from zep_python.document import Document  # type: ignore[import-not-found]  # see caller.py

from tests.vendor.zep.caller import Caller, until

Facts = dict[str, Any]

RECIPES = [
    ("soup", "A soup of leek and potato, cooked slowly.", {"course": "first", "minutes": 40}),
    ("stew", "A stew of beans and carrots, cooked slowly as well.", {"course": "main", "minutes": 90}),
    ("tart", "A tart of apples with cinnamon.", {"course": "dessert", "minutes": 60}),
]
AXES = [[1.0, *[0.0] * 7], [0.8, 0.6, *[0.0] * 6], [0.0, 1.0, *[0.0] * 6]]


def recipes(**embeddings: Any) -> list[Any]:
    return [
        Document(document_id=name, content=content, metadata=metadata, embedding=embeddings.get(name))
        for name, content, metadata in RECIPES
    ]


async def collections(do: Caller) -> Facts:
    client, name = do.client.document, f"Shelf_{do.id('1')}"
    created = await do(client, "add_collection", name, 384, description="Recipes", metadata={"lang": "en"})
    updated = await do(client, "update_collection", name, description="More", metadata={"by": "kim"})
    manual = await do(client, "add_collection", f"{name}m", embedding_dimensions=8, is_auto_embedded=False)
    kept = await do(client, "update_collection", f"{name}m", description="By hand")
    listed = [each.name for each in await do(client, "list_collections")]
    facts: Facts = {
        "name": created.name == name.lower(),
        "created": [created.description, created.metadata, created.embedding_dimensions, created.is_auto_embedded],
        "counts": [created.document_count, created.document_embedded_count, created.status],
        "updated": [updated.description, updated.metadata, updated.embedding_dimensions],
        "manual": [manual.is_auto_embedded, manual.embedding_dimensions],
        "auto_flag_unchanged": kept.is_auto_embedded,
        "metadata_unchanged": kept.metadata,
        "listed": {name.lower(), f"{name.lower()}m"} <= set(listed),
        "again": await do.refusal(client, "add_collection", name, 384),
        "deleted": await do(client, "delete_collection", f"{name}m"),
        "gone": await do.refusal(client, "get_collection", f"{name}m"),
        "gone_twice": await do.refusal(client, "delete_collection", f"{name}m"),
        "unknown": await do.refusal(client, "update_collection", do.id("unknown")),
    }
    if not do.awaited:  # the client has it in one colour only
        facts["index"] = created.create_index(force=True)
        do.called.add("DocumentCollection.create_index")
    return facts


async def auto_embedded(do: Caller) -> Facts:
    client, name = do.client.document, f"auto_{do.id('2')}"
    shelf = await do(client, "add_collection", name, 1536)
    uuids = await do(shelf, "add_documents", recipes(), batch_size=2)
    ready = await until(lambda: do(client, "get_collection", name), lambda found: found.status == "ready")
    soup = await do(ready, "get_document", uuids[0])
    several = await do(ready, "get_documents", [uuids[2], uuids[0]])
    found, vector = await do(ready, "search_return_query_vector", text="soup with leek and potato", limit=2)
    again = await do(ready, "search", embedding=soup.embedding, limit=1)
    mmr = await do(ready, "search", text="cooked slowly", search_type="mmr", mmr_lambda=0.4, limit=2)
    return {
        "uuids": len(set(uuids)),
        "counts": [ready.document_count, ready.document_embedded_count, ready.embedding_dimensions],
        "document": [soup.document_id, soup.content, soup.metadata, soup.is_embedded],
        "has_times": all([soup.created_at, soup.updated_at]),
        "several": [each.document_id for each in several],
        "found": [each.document_id for each in found][:1],
        "as_many_as_asked": len(found),
        "scores": [each.score for each in found] == sorted((each.score for each in found), reverse=True),
        "scores_within_bounds": all(0 <= each.score <= 1 for each in found),
        "vector_is_as_wide_as_documents": len(vector) == len(soup.embedding),
        "by_its_own_vector": [[each.document_id, round(each.score, 3)] for each in again],
        "mmr": len(mmr),
        "own_vector_refused": await do.refusal(ready, "add_documents", [Document(content="x", embedding=AXES[0])]),
        "taken_document_id": await do.refusal(ready, "add_documents", [Document(content="x", document_id="soup")]),
        "bad_uuid": await do.refusal(ready, "get_document", "not-one"),
    }


async def own_vectors(do: Caller) -> Facts:
    client, name = do.client.document, f"own_{do.id('3')}"
    shelf = await do(client, "add_collection", name, 8, is_auto_embedded=False)
    uuids = await do(shelf, "add_documents", recipes(soup=AXES[0], stew=AXES[1], tart=AXES[2]))
    at_once = await do(client, "get_collection", name)
    near, vector = await do(shelf, "search_return_query_vector", embedding=AXES[0])
    filtered, no_vector = await do(
        shelf, "search_return_query_vector", metadata={"where": {"jsonpath": "$[*] ? (@.minutes >= 60)"}}
    )
    both = await do(
        shelf, "search", embedding=AXES[0], metadata={"where": {"jsonpath": '$[*] ? (@.course == "dessert")'}}
    )
    return {
        "status": at_once.status,
        "order": [[each.document_id, round(each.score, 3)] for each in near],
        "query_vector": [round(value, 3) for value in vector] == AXES[0],
        "kept_as_given": math.dist((await do(shelf, "get_document", uuids[1])).embedding, AXES[1]) < 1e-6,
        "filtered": sorted([each.document_id, each.score] for each in filtered),
        "no_vector": no_vector,
        "vector_and_filter": [each.document_id for each in both],
        "without_vector": await do.refusal(shelf, "add_documents", [Document(content="x")]),
        "wrong_width": await do.refusal(shelf, "add_documents", [Document(content="x", embedding=[1.0])]),
    }


async def changes(do: Caller) -> Facts:
    client, name = do.client.document, f"edit_{do.id('4')}"
    shelf = await do(client, "add_collection", name, 8, is_auto_embedded=False)
    [uuid, other] = await do(
        shelf,
        "add_documents",
        [Document(content="x", metadata={"a": {"b": 1}}, embedding=AXES[0]), Document(content="y", embedding=AXES[1])],
    )
    await do(shelf, "update_document", uuid, metadata={"c": 2})
    replaced = await do(shelf, "get_document", uuid)
    named = None
    if do.awaited:  # its twin sends a description, which documents do not have
        await do(shelf, "update_document", uuid, description="ignored")
    else:
        await do(shelf, "update_document", uuid, document_id="x-1")
        named = (await do(shelf, "get_document", uuid)).document_id
    facts: Facts = {
        "replaced": replaced.metadata,
        "named": named,
        "deleted": await do(shelf, "delete_document", uuid),
        "gone": await do.refusal(shelf, "get_document", uuid),
        "gone_twice": await do.refusal(shelf, "delete_document", uuid),
        "left": [each.uuid == other for each in await do(shelf, "get_documents", [uuid, other])],
        "none_of_them": await do.refusal(shelf, "get_documents", [uuid]),
        "found": [each.uuid == other for each in await do(shelf, "search", embedding=AXES[0])],
        "counted": (await do(client, "get_collection", name)).document_count,
    }
    await do(client, "delete_collection", name)
    lost = await do(shelf, "search_return_query_vector", text="x")
    return facts | {"search_of_unknown": lost, "add_to_unknown": await do.refusal(shelf, "add_documents", recipes())}


SCENARIOS = [collections, auto_embedded, own_vectors, changes]
