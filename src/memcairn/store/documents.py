"""Documents at rest, and the exact scan that finds the nearest of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Row, bindparam, select, update

from memcairn.domain.collections import Collection, Document
from memcairn.domain.filters import Filter
from memcairn.store import filters, prepared
from memcairn.store.batches import chunks
from memcairn.store.schema import documents

SCAN_ROWS = 4_000
"""Vectors read and compared at once: bounds the memory of a scan to about 30 MB at the greatest width."""

_COLUMNS = [documents.c[name] for name in Document.__slots__ if name in documents.c]
_LIVE = documents.c.deleted_at.is_(None)
_BYTES_PER_NUMBER = 4


@dataclass(frozen=True, slots=True)
class Near:
    """A document and its cosine with the question, -1 to 1."""

    document_uuid: str
    similarity: float


def add(connection: Connection, new: Sequence[Document]) -> None:
    """Store documents; those with an embedding carry one of the caller's own."""
    if new:
        prepared.add(connection, documents, [_row(document) for document in new])


def replace(connection: Connection, changed: Sequence[Document]) -> None:
    """Give stored documents other content, metadata and embedding."""
    for document in changed:
        kept = {"org_id", "document_uuid", "collection_id", "document_id", "created_at"}
        values = {name: value for name, value in _row(document).items() if name not in kept}
        _change(connection, document.org_id, document.collection_id, document.document_uuid, values)


def change(connection: Connection, collection: Collection, document_uuid: str, values: Mapping[str, Any]) -> int:
    """Set columns of one live document; returns 0 when the collection holds none of that id."""
    return _change(connection, collection.org_id, collection.collection_id, document_uuid, values)


def uuids_by_id(connection: Connection, collection: Collection, document_ids: Sequence[str]) -> dict[str, str]:
    """The uuid of each document id that is taken in the collection."""
    found: dict[str, str] = {}
    for chunk in chunks(document_ids):
        statement = select(documents.c.document_id, documents.c.document_uuid).where(
            *_of(collection), documents.c.document_id.in_(chunk)
        )
        found |= {row.document_id: row.document_uuid for row in connection.execute(statement)}
    return found


def by_uuids(connection: Connection, collection: Collection, uuids: Sequence[str]) -> list[Document]:
    """The live documents among `uuids`, in the order asked for."""
    found: dict[str, Document] = {}
    for chunk in chunks(uuids):
        statement = select(*_COLUMNS, documents.c.vector).where(*_of(collection), documents.c.document_uuid.in_(chunk))
        found |= {row.document_uuid: _document(row) for row in connection.execute(statement)}
    return [found[each] for each in dict.fromkeys(uuids) if each in found]


def newest(connection: Connection, collection: Collection, *, where: Filter | None, limit: int) -> list[Document]:
    """Live documents that fulfil `where`, the newest first."""
    statement = select(*_COLUMNS, documents.c.vector).where(*_of(collection), *_fulfils(connection, where))
    statement = statement.order_by(documents.c.document_uuid.desc()).limit(limit)
    return [_document(row) for row in connection.execute(statement)]


def nearest(
    connection: Connection,
    collection: Collection,
    query: NDArray[np.float32],
    *,
    model: str | None,
    where: Filter | None,
    limit: int,
) -> list[Near]:
    """The live documents nearest to `query`, of those that fulfil `where`, nearest first.

    Only vectors of `model` (None: the caller's own) and of the width of `query` take part.
    """
    statement = select(documents.c.document_uuid, documents.c.vector).where(
        *_of(collection),
        documents.c.vector.is_not(None),
        documents.c.model.is_(None) if model is None else documents.c.model == model,
        *_fulfils(connection, where),
    )
    statement = statement.order_by(documents.c.document_uuid)  # so that ties fall the same way on every database
    best: list[Near] = []
    width = len(query) * _BYTES_PER_NUMBER
    result = connection.execute(statement.execution_options(yield_per=SCAN_ROWS))
    for rows in result.partitions(SCAN_ROWS):
        same = [row for row in rows if len(row.vector) == width]
        if not same:
            continue
        vectors = np.frombuffer(b"".join(row.vector for row in same), dtype="<f4").reshape(len(same), -1)
        similarities = cosines(vectors, query)
        picked = np.argsort(-similarities, kind="stable")[:limit]
        best += [Near(same[i].document_uuid, float(similarities[i])) for i in picked]
        best = sorted(best, key=lambda near: -near.similarity)[:limit]
    return best


def unembedded(connection: Connection, org_id: str, uuids: Sequence[str], *, model: str) -> dict[str, str]:
    """The content of each live document that has no vector of `model`."""
    found: dict[str, str] = {}
    for chunk in chunks(uuids):
        statement = select(documents.c.document_uuid, documents.c.content).where(
            documents.c.org_id == org_id,
            documents.c.document_uuid.in_(chunk),
            documents.c.model.is_distinct_from(model),
            _LIVE,
        )
        found |= {row.document_uuid: row.content for row in connection.execute(statement)}
    return found


def set_vectors(
    connection: Connection, org_id: str, vectors: Mapping[str, tuple[str, NDArray[np.float32]]], *, model: str
) -> None:
    """Keep the vector `model` made of each document's content, where the content is still that one."""
    statement = (
        update(documents)
        .where(
            documents.c.org_id == org_id,
            documents.c.document_uuid == bindparam("of_document"),
            documents.c.content == bindparam("of_content"),
            _LIVE,
        )
        .values(vector=bindparam("new_vector"), model=model)
    )
    rows = [
        {"of_document": document_uuid, "of_content": content, "new_vector": _packed(vector)}
        for document_uuid, (content, vector) in vectors.items()
    ]
    if rows:
        connection.execute(statement, rows)


def mark_deleted(connection: Connection, collection: Collection, uuids: Sequence[str], now: datetime) -> int:
    """Hide documents from every read until the purge, and free their ids; returns how many there were."""
    count = 0
    for chunk in chunks(uuids):
        statement = update(documents).where(*_of(collection), documents.c.document_uuid.in_(chunk))
        values = {"deleted_at": now, "updated_at": now, "document_id": None}
        count += connection.execute(statement.values(values)).rowcount
    return count


def cosines(vectors: NDArray[np.float32], query: NDArray[np.float32]) -> NDArray[np.float32]:
    """The cosine of each row with `query`; 0 where either has no direction."""
    asked = unit(query[None])[0]
    with np.errstate(over="ignore", invalid="ignore"):
        products = vectors @ asked
    if not np.isfinite(products).all():  # numbers near the end of 32 bits
        return cosines(unit(vectors), query)
    lengths = _lengths(vectors)
    similarities: NDArray[np.float64] = np.divide(products, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    return similarities.clip(-1.0, 1.0).astype(np.float32)


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each row at length 1; rows of zeros stay."""
    lengths = _lengths(vectors)[:, None]
    scaled: NDArray[np.float64] = np.divide(vectors, lengths, out=np.zeros(vectors.shape), where=lengths > 0)
    return scaled.astype(np.float32)


def _lengths(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """In 64 bits: the square of what fits into 32 need not."""
    squares: NDArray[np.float64] = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
    return np.sqrt(squares)


def _of(collection: Collection) -> tuple[ColumnElement[bool], ...]:
    return (
        documents.c.org_id == collection.org_id,
        documents.c.collection_id == collection.collection_id,
        _LIVE,
    )


def _fulfils(connection: Connection, where: Filter | None) -> tuple[ColumnElement[bool], ...]:
    return () if where is None else (filters.condition(connection, documents.c.metadata, where),)


def _change(
    connection: Connection, org_id: str, collection_id: str, document_uuid: str, values: Mapping[str, Any]
) -> int:
    statement = update(documents).where(
        documents.c.org_id == org_id,
        documents.c.collection_id == collection_id,
        documents.c.document_uuid == document_uuid,
        _LIVE,
    )
    return connection.execute(statement.values(dict(values))).rowcount


def _row(document: Document) -> dict[str, Any]:
    row: dict[str, Any] = {column.name: getattr(document, column.name) for column in _COLUMNS}
    row["metadata"] = None if document.metadata is None else dict(document.metadata)
    own = document.embedding
    row["vector"] = None if own is None else _packed(np.asarray(own, dtype=np.float32))
    return row | {"model": None}


def _document(row: Row[*tuple[Any, ...]]) -> Document:
    values = dict(row._mapping)
    packed = values.pop("vector")
    embedding = None if packed is None else tuple(np.frombuffer(packed, dtype="<f4").tolist())
    return Document(embedding=embedding, **values)


def _packed(vector: NDArray[np.float32]) -> bytes:
    return vector.astype("<f4").tobytes()
