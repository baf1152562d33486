"""Finding documents: by meaning, by a vector, or by their metadata alone."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from memcairn.core import collections
from memcairn.core.deps import Deps
from memcairn.core.documents import check_vector
from memcairn.domain.collections import Collection, Document
from memcairn.domain.errors import Invalid
from memcairn.domain.filters import Filter
from memcairn.domain.keys import KeyScope, Principal
from memcairn.domain.mmr import DEFAULT_WEIGHT, candidates_for, mmr
from memcairn.domain.usage import Dimension
from memcairn.store import documents


@dataclass(frozen=True, slots=True)
class DocumentHit:
    """A document and its cosine with the question, -1 to 1; 0 where nothing was asked."""

    document: Document
    similarity: float


@dataclass(frozen=True, slots=True)
class DocumentHits:
    """Hits in their order, and the vector that was searched with; None for a search by metadata alone."""

    items: Sequence[DocumentHit]
    query_vector: Sequence[float] | None


@dataclass(frozen=True, slots=True)
class DocumentQuery:
    """What to look for in a collection: `text` or `embedding`, or neither and a `filter` alone.

    `mmr_lambda` weighs nearness against variety, 0 to 1; None is one half, as is 0.
    """

    text: str | None = None
    embedding: Sequence[float] | None = None
    filter: Filter | None = None
    mmr: bool = False
    mmr_lambda: float | None = None
    limit: int = 20


async def search_documents(deps: Deps, principal: Principal, name: str, query: DocumentQuery) -> DocumentHits:
    """The nearest documents, or, where only a filter is given, the newest that fulfil it.

    Documents without a vector yet are found by filters only. Invalid for a query that says nothing, or both text and
    a vector; for text where the vectors are the caller's own; for a vector of another width.
    """
    principal.require(KeyScope.READ)
    if bool(query.text) and query.embedding is not None:
        raise Invalid("Search by `text` or by `embedding`, not by both.", code="invalid_search", pointer="/embedding")
    if not query.text and query.embedding is None and query.filter is None:
        raise Invalid("The search is empty: give `text`, `embedding` or `metadata`.", code="empty_search")
    deps.meter.charge(principal, Dimension.SEARCH_QUERIES, 1, deps.clock.now())
    collection = await deps.db.read(collections.identify, principal.org_id, name)
    vector = await _vector(deps, collection, query)
    if vector is None:
        found = await deps.db.read(documents.newest, collection, where=query.filter, limit=query.limit)
        return DocumentHits([DocumentHit(document, 0.0) for document in found], None)
    hits = await deps.db.read(_nearest, deps, collection, vector, query)
    return DocumentHits(hits, vector.tolist())


async def _vector(deps: Deps, collection: Collection, query: DocumentQuery) -> NDArray[np.float32] | None:
    if query.embedding is not None:
        automatic = collection.is_auto_embedded
        width = deps.embedder.dimensions if automatic else collection.embedding_dimensions
        check_vector(query.embedding, width, "/embedding")
        return np.asarray(query.embedding, dtype=np.float32)
    if not query.text:
        return None
    if not collection.is_auto_embedded:
        raise Invalid(
            f"The collection {collection.name!r} holds vectors of your own: search it with `embedding`.",
            code="missing_embedding",
            pointer="/text",
        )
    return await asyncio.to_thread(deps.embedder.embed_query, query.text)


def _nearest(
    connection: Connection, deps: Deps, collection: Collection, vector: NDArray[np.float32], query: DocumentQuery
) -> list[DocumentHit]:
    near = documents.nearest(
        connection,
        collection,
        vector,
        model=deps.embedder.model if collection.is_auto_embedded else None,
        where=query.filter,
        limit=candidates_for(query.limit) if query.mmr else query.limit,
    )
    similarity = {each.document_uuid: each.similarity for each in near}
    found = documents.by_uuids(connection, collection, list(similarity))
    hits = [DocumentHit(document, similarity[document.document_uuid]) for document in found]
    return _varied(hits, vector, query) if query.mmr else hits


def _varied(hits: Sequence[DocumentHit], vector: NDArray[np.float32], query: DocumentQuery) -> list[DocumentHit]:
    if not hits:
        return []
    vectors = documents.unit(np.array([hit.document.embedding for hit in hits], dtype=np.float32))
    weight = query.mmr_lambda or DEFAULT_WEIGHT
    return [hits[i] for i in mmr(documents.unit(vector[None])[0], vectors, weight=weight, limit=query.limit)]
