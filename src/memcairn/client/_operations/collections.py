"""Calls about collections and their documents."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from memcairn.client._operation import Operation, fields, nothing, pairs, segment
from memcairn.wire.collections import (
    AddDocumentsResponse,
    Collection,
    CollectionPage,
    Document,
    Documents,
    DocumentSearchResponse,
    NewDocument,
)


def add(
    name: str,
    *,
    description: str | None,
    metadata: Mapping[str, Any] | None,
    embedding_dimensions: int | None,
    is_auto_embedded: bool,
    idempotency_key: str | None,
) -> Operation[Collection]:
    body = fields(
        name=name,
        description=description,
        metadata=metadata,
        embedding_dimensions=embedding_dimensions,
        is_auto_embedded=is_auto_embedded,
    )
    return Operation(
        method="POST",
        path="/v1/collections",
        body=body,
        parse=Collection.model_validate_json,
        repeatable=True,  # by its key: the server makes it once and answers alike
        idempotency_key=_key(idempotency_key),
    )


def get(name: str) -> Operation[Collection]:
    return Operation(method="GET", path=_path(name), parse=Collection.model_validate_json, repeatable=True)


def update(name: str, *, description: str | None, metadata: Mapping[str, Any] | None) -> Operation[Collection]:
    return Operation(
        method="PATCH",
        path=_path(name),
        body=fields(description=description, metadata=metadata),
        parse=Collection.model_validate_json,
        repeatable=True,  # every field is set to a value: twice leaves what once leaves
    )


def delete(name: str) -> Operation[None]:
    return Operation(
        method="DELETE",
        path=_path(name),
        parse=nothing,
        repeatable=True,  # what is gone stays gone
        settled_by=frozenset({404}),  # the attempt that got lost on its way back had deleted it
    )


def page(*, limit: int, cursor: str | None) -> Operation[CollectionPage]:
    return Operation(
        method="GET",
        path="/v1/collections",
        query=pairs(limit=limit, cursor=cursor),
        parse=CollectionPage.model_validate_json,
        repeatable=True,
    )


def add_documents(
    name: str,
    documents: Sequence[NewDocument | Mapping[str, Any]],
    *,
    upsert: bool,
    idempotency_key: str | None,
) -> Operation[AddDocumentsResponse]:
    return Operation(
        method="POST",
        path=f"{_path(name)}/documents",
        body={"documents": documents, "upsert": upsert},
        parse=AddDocumentsResponse.model_validate_json,
        repeatable=True,  # by its key: the server stores them once and answers alike
        idempotency_key=_key(idempotency_key),
    )


def get_document(name: str, document_uuid: str) -> Operation[Document]:
    path = _document_path(name, document_uuid)
    return Operation(method="GET", path=path, parse=Document.model_validate_json, repeatable=True)


def get_documents(
    name: str, *, uuids: Sequence[str] | None, document_ids: Sequence[str] | None
) -> Operation[Documents]:
    return Operation(
        method="POST",
        path=f"{_path(name)}/documents/get",
        body=fields(uuids=uuids, document_ids=document_ids),
        parse=Documents.model_validate_json,
        repeatable=True,  # only reads
    )


def update_document(
    name: str, document_uuid: str, *, document_id: str | None, metadata: Mapping[str, Any] | None
) -> Operation[Document]:
    return Operation(
        method="PATCH",
        path=_document_path(name, document_uuid),
        body=fields(document_id=document_id, metadata=metadata),
        parse=Document.model_validate_json,
        repeatable=True,  # every field is set to a value: twice leaves what once leaves
    )


def delete_document(name: str, document_uuid: str) -> Operation[None]:
    return Operation(
        method="DELETE",
        path=_document_path(name, document_uuid),
        parse=nothing,
        repeatable=True,  # what is gone stays gone
        settled_by=frozenset({404}),  # the attempt that got lost on its way back had deleted it
    )


def search(
    name: str,
    text: str | None,
    *,
    embedding: Sequence[float] | None,
    metadata: Mapping[str, Any] | None,
    mmr: bool,
    mmr_lambda: float | None,
    limit: int,
) -> Operation[DocumentSearchResponse]:
    body = fields(text=text, embedding=embedding, metadata=metadata, mmr=mmr, mmr_lambda=mmr_lambda, limit=limit)
    return Operation(
        method="POST",
        path=f"{_path(name)}/search",
        body=body,
        parse=DocumentSearchResponse.model_validate_json,
        repeatable=True,  # only reads
    )


def _key(given: str | None) -> str:
    return str(uuid4()) if given is None else given


def _path(name: str) -> str:
    return f"/v1/collections/{segment('name', name)}"


def _document_path(name: str, document_uuid: str) -> str:
    return f"{_path(name)}/documents/{segment('document_uuid', document_uuid)}"
