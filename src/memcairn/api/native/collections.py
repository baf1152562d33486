"""Collections of documents."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from memcairn.api.native.access import KeyedRoute, bearer, services_of
from memcairn.api.native.answers import answer
from memcairn.api.native.events import IdempotencyKey, Reader, Writer
from memcairn.core import collections as core
from memcairn.core import documents
from memcairn.core.document_search import DocumentQuery, search_documents
from memcairn.core.idempotency import repeatable_request
from memcairn.domain.collections import Collection, Document, NewDocument
from memcairn.domain.filters import parse_filter
from memcairn.wire import collections as wire
from memcairn.wire.base import MAX_PAGE

router = APIRouter(prefix="/v1/collections", tags=["collections"], route_class=KeyedRoute, dependencies=[bearer])


@router.post("", status_code=201, operation_id="add_collection", response_model=wire.Collection)
async def post_collection(
    request: Request, body: wire.NewCollection, principal: Writer, idempotency_key: IdempotencyKey = None
) -> Response:
    """Make an empty collection."""
    services = services_of(request)
    repeatable = repeatable_request(idempotency_key, "POST /v1/collections", await request.json())
    with services.in_flight.hold(principal, repeatable):
        made = await core.add_collection(
            services.deps,
            principal,
            body.name,
            description=body.description,
            metadata=body.metadata,
            embedding_dimensions=body.embedding_dimensions,
            is_auto_embedded=body.is_auto_embedded,
            repeatable=repeatable,
        )
    return answer(_collection_view(made), 201)


@router.get("", operation_id="list_collections", response_model=wire.CollectionPage)
async def get_collections(
    request: Request,
    principal: Reader,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    cursor: Annotated[str | None, Query(max_length=2_000)] = None,
) -> Response:
    """Collections by name."""
    page = await core.list_collections(services_of(request).deps, principal, limit=limit, cursor=cursor)
    items = [_collection_view(collection) for collection in page.items]
    return answer(wire.CollectionPage(items=items, next_cursor=page.next_cursor))


@router.get("/{name}", operation_id="get_collection", response_model=wire.Collection)
async def get_collection(request: Request, name: str, principal: Reader) -> Response:
    """A collection, and how far its embedding got."""
    return answer(_collection_view(await core.get_collection(services_of(request).deps, principal, name)))


@router.patch("/{name}", operation_id="update_collection", response_model=wire.Collection)
async def patch_collection(request: Request, name: str, body: wire.CollectionUpdate, principal: Writer) -> Response:
    """Change what is given and keep the rest."""
    deps = services_of(request).deps
    changed = await core.update_collection(deps, principal, name, description=body.description, metadata=body.metadata)
    return answer(_collection_view(changed))


@router.delete("/{name}", status_code=204, operation_id="delete_collection")
async def delete_collection(request: Request, name: str, principal: Writer) -> Response:
    """Remove a collection with its documents, at once and for good."""
    await core.delete_collection(services_of(request).deps, principal, name)
    return Response(status_code=204)


@router.post(
    "/{name}/documents", status_code=201, operation_id="add_documents", response_model=wire.AddDocumentsResponse
)
async def post_documents(
    request: Request,
    name: str,
    body: wire.AddDocumentsRequest,
    principal: Writer,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Store up to 1,000 documents in one durable transaction."""
    services = services_of(request)
    route = f"POST /v1/collections/{name.lower()}/documents"
    repeatable = repeatable_request(idempotency_key, route, await request.json())
    new = [
        NewDocument(each.content, document_id=each.document_id, metadata=each.metadata, embedding=each.embedding)
        for each in body.documents
    ]
    with services.in_flight.hold(principal, repeatable):
        uuids = await documents.add_documents(
            services.deps, principal, name, new, upsert=body.upsert, repeatable=repeatable
        )
    return answer(wire.AddDocumentsResponse(document_uuids=uuids), 201)


@router.post("/{name}/documents/get", operation_id="get_documents", response_model=wire.Documents)
async def post_get_documents(
    request: Request, name: str, body: wire.GetDocumentsRequest, principal: Reader
) -> Response:
    """Documents by uuid or by their own ids."""
    deps = services_of(request).deps
    found = await documents.get_documents(deps, principal, name, uuids=body.uuids, document_ids=body.document_ids)
    return answer(wire.Documents(items=[_document_view(document) for document in found]))


@router.get("/{name}/documents/{document_uuid}", operation_id="get_document", response_model=wire.Document)
async def get_document(request: Request, name: str, document_uuid: str, principal: Reader) -> Response:
    return answer(
        _document_view(await documents.get_document(services_of(request).deps, principal, name, document_uuid))
    )


@router.patch("/{name}/documents/{document_uuid}", operation_id="update_document", response_model=wire.Document)
async def patch_document(
    request: Request, name: str, document_uuid: str, body: wire.DocumentUpdate, principal: Writer
) -> Response:
    """Change what is given and keep the rest."""
    deps = services_of(request).deps
    changed = await documents.update_document(
        deps, principal, name, document_uuid, document_id=body.document_id, metadata=body.metadata
    )
    return answer(_document_view(changed))


@router.delete("/{name}/documents/{document_uuid}", status_code=204, operation_id="delete_document")
async def delete_document(request: Request, name: str, document_uuid: str, principal: Writer) -> Response:
    """Hide a document at once; a second time it is not found."""
    await documents.delete_document(services_of(request).deps, principal, name, document_uuid)
    return Response(status_code=204)


@router.post("/{name}/search", operation_id="search_collection", response_model=wire.DocumentSearchResponse)
async def post_search(request: Request, name: str, body: wire.DocumentSearchRequest, principal: Reader) -> Response:
    """The documents nearest to a text or a vector, or those that fulfil a filter."""
    query = DocumentQuery(
        text=body.text,
        embedding=body.embedding,
        filter=None if body.metadata is None else parse_filter(body.metadata),
        mmr=body.mmr,
        mmr_lambda=body.mmr_lambda,
        limit=body.limit,
    )
    found = await search_documents(services_of(request).deps, principal, name, query)
    hits = [
        wire.DocumentHit(document=_document_view(hit.document), similarity=round(hit.similarity, 4))
        for hit in found.items
    ]
    vector = None if found.query_vector is None else list(found.query_vector)
    return answer(wire.DocumentSearchResponse(hits=hits, query_vector=vector))


def _collection_view(collection: Collection) -> wire.Collection:
    return wire.Collection(
        collection_id=collection.collection_id,
        name=collection.name,
        description=collection.description,
        metadata=dict(collection.metadata),
        embedding_dimensions=collection.embedding_dimensions,
        is_auto_embedded=collection.is_auto_embedded,
        document_count=collection.document_count,
        document_embedded_count=collection.document_embedded_count,
        created_at=collection.created_at,
        updated_at=collection.updated_at,
    )


def _document_view(document: Document) -> wire.Document:
    return wire.Document(
        document_uuid=document.document_uuid,
        document_id=document.document_id,
        content=document.content,
        metadata=None if document.metadata is None else dict(document.metadata),
        embedding=None if document.embedding is None else list(document.embedding),
        is_embedded=document.embedding is not None,
        created_at=document.created_at,
        updated_at=document.updated_at,
    )
