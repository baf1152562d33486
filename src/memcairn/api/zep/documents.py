"""`/collection/{name}/document` and `/collection/{name}/search`."""

from starlette.responses import Response

from memcairn.api.zep.answers import as_json, as_json_list, ok
from memcairn.api.zep.call import Call
from memcairn.api.zep.schemas import (
    DocumentSearch,
    DocumentSelection,
    DocumentUpdate,
    DocumentUuids,
    NamedDocumentUpdates,
    NewDocuments,
)
from memcairn.api.zep.search import MMR, filter_of
from memcairn.api.zep.values import canonical_uuid
from memcairn.api.zep.views import Json, document_view
from memcairn.core import documents as core
from memcairn.core.document_search import DocumentHit, DocumentQuery, search_documents
from memcairn.domain.collections import NewDocument
from memcairn.domain.errors import Invalid, NotFound

DEFAULT_LIMIT = 20


async def add(call: Call) -> Response:
    """All or none; the answer holds their uuids, in order. A `document_id` that is taken is refused."""
    given = await call.body(NewDocuments)
    new = [NewDocument(each.content, each.document_id, each.metadata, each.embedding or None) for each in given.root]
    return as_json(await core.add_documents(call.deps, call.principal, call.path("name"), new, upsert=False))


async def get(call: Call) -> Response:
    document = await core.get_document(call.deps, call.principal, call.path("name"), _uuid(call))
    return as_json(document_view(document))


async def update(call: Call) -> Response:
    """Id and metadata, which is replaced; the client's other spelling sends a description, which says nothing here."""
    given = await call.body(DocumentUpdate)
    await core.update_document(
        call.deps,
        call.principal,
        call.path("name"),
        _uuid(call),
        document_id=given.document_id,
        metadata=given.metadata,
    )
    return ok()


async def delete(call: Call) -> Response:
    await core.delete_document(call.deps, call.principal, call.path("name"), _uuid(call))
    return ok()


async def get_several(call: Call) -> Response:
    """By uuids or by ids, in the order asked for; 404 when there is none of them."""
    wanted = await call.body(DocumentSelection)
    found = await core.get_documents(
        call.deps,
        call.principal,
        call.path("name"),
        uuids=wanted.uuids or None,
        document_ids=wanted.document_ids or None,
    )
    if not found:
        raise NotFound("There is none of these documents.")
    return await as_json_list(found, document_view)


async def delete_several(call: Call) -> Response:
    uuids = (await call.body(DocumentUuids)).root
    if not await core.delete_documents(call.deps, call.principal, call.path("name"), uuids) and uuids:
        raise NotFound("There is none of these documents.")
    return ok()


async def update_several(call: Call) -> Response:
    """All or none."""
    changes = (await call.body(NamedDocumentUpdates)).root
    await core.update_documents(
        call.deps,
        call.principal,
        call.path("name"),
        [core.DocumentChange(each.uuid, each.document_id, each.metadata) for each in changes],
    )
    return ok()


async def search(call: Call) -> Response:
    """By text, vector or metadata; the score is half of one plus the cosine, and 0 where nothing was compared."""
    query = await call.body(DocumentSearch)
    found = await search_documents(
        call.deps,
        call.principal,
        call.path("name"),
        DocumentQuery(
            text=query.text.strip() or None,
            embedding=query.embedding or None,
            filter=filter_of(query.metadata, dates=False) if query.metadata else None,
            mmr=query.search_type == MMR,
            mmr_lambda=query.mmr_lambda or None,
            limit=call.count() or DEFAULT_LIMIT,
        ),
    )
    compared = found.query_vector is not None

    def hit_view(hit: DocumentHit) -> Json:
        return document_view(hit.document) | {"score": round((1 + hit.similarity) / 2, 6) if compared else 0}

    def page_of(shown: list[Json]) -> Json:
        page = {"result_count": len(shown), "total_pages": 0, "current_page": 0}
        return {"results": shown, "query_vector": found.query_vector} | page

    return await as_json_list(found.items, hit_view, within=page_of)


def _uuid(call: Call) -> str:
    try:
        return canonical_uuid(call.path("uuid"))
    except ValueError as error:
        raise Invalid(f"The document's uuid cannot be read: {error}.") from None
