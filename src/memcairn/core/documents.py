"""Documents: added, embedded in the background, changed and deleted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection

from memcairn.core import collections
from memcairn.core.deps import Deps
from memcairn.core.idempotency import Repeatable, once
from memcairn.domain.collections import Collection, Document, NewDocument, check_document_id
from memcairn.domain.errors import Conflict, Invalid, NotFound
from memcairn.domain.ids import new_id
from memcairn.domain.jobs import NewJob, Task
from memcairn.domain.keys import KeyScope, Principal
from memcairn.store import documents, jobs

DOCUMENTS_PER_JOB = 100


@dataclass(frozen=True, slots=True)
class DocumentChange:
    """What shall change about a document; None leaves it as it is."""

    document_uuid: str
    document_id: str | None = None
    metadata: Mapping[str, Any] | None = None


async def add_documents(
    deps: Deps,
    principal: Principal,
    name: str,
    new: Sequence[NewDocument],
    *,
    upsert: bool = True,
    repeatable: Repeatable | None = None,
) -> list[str]:
    """Store documents, all or none, and return their uuids in order; auto-embedded ones are embedded soon after.

    A `document_id` that is taken has its document replaced, keeping the uuid; with `upsert` off that is a Conflict
    (`document_exists`). Invalid for blank contents, ids and vectors outside the rules, and vectors where the server
    makes them or none where it does not.
    """
    principal.require(KeyScope.WRITE)

    def save(connection: Connection) -> list[str]:
        def effect() -> list[str]:
            collection = collections.identify(connection, principal.org_id, name)
            return _save(connection, deps.clock.now(), collection, new, upsert=upsert)

        uuids: list[str] = once(connection, deps, principal, repeatable, effect)
        return uuids

    uuids = await deps.db.write(save)
    deps.wakeup.set()
    return uuids


async def get_document(deps: Deps, principal: Principal, name: str, document_uuid: str) -> Document:
    """One live document; NotFound (`document_not_found`) if the collection holds none of that uuid."""
    principal.require(KeyScope.READ)

    def load(connection: Connection) -> Document:
        return _require(connection, collections.identify(connection, principal.org_id, name), document_uuid)

    return await deps.db.read(load)


async def get_documents(
    deps: Deps,
    principal: Principal,
    name: str,
    *,
    uuids: Sequence[str] | None = None,
    document_ids: Sequence[str] | None = None,
) -> list[Document]:
    """The live documents of these uuids or of these ids, in the order asked for; unknown ones are passed over."""
    principal.require(KeyScope.READ)
    if (uuids is None) == (document_ids is None):
        raise Invalid("Name documents by `uuids` or by `document_ids`, and not by both.", code="invalid_documents")

    def load(connection: Connection) -> list[Document]:
        collection = collections.identify(connection, principal.org_id, name)
        wanted = list(uuids or ())
        if document_ids is not None:
            known = documents.uuids_by_id(connection, collection, list(dict.fromkeys(document_ids)))
            wanted = [known[each] for each in document_ids if each in known]
        return documents.by_uuids(connection, collection, wanted)

    return await deps.db.read(load)


async def update_document(
    deps: Deps,
    principal: Principal,
    name: str,
    document_uuid: str,
    *,
    document_id: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Document:
    """Change what is not None. Metadata is replaced, not merged, and only by an object that holds something.

    Conflict (`document_exists`) if the new id belongs to another document.
    """
    [changed] = await update_documents(
        deps, principal, name, [DocumentChange(document_uuid, document_id=document_id, metadata=metadata)]
    )
    return changed


async def update_documents(
    deps: Deps, principal: Principal, name: str, changes: Sequence[DocumentChange]
) -> list[Document]:
    """The same for several, all or none and one after another; returns them as they stand then."""
    principal.require(KeyScope.WRITE)
    for change in changes:
        if change.document_id is not None:
            check_document_id(change.document_id, "/document_id")

    def save(connection: Connection) -> list[Document]:
        collection = collections.identify(connection, principal.org_id, name)
        for change in changes:
            _change(connection, deps.clock.now(), collection, change)
        return documents.by_uuids(connection, collection, [change.document_uuid for change in changes])

    return await deps.db.write(save)


async def delete_document(deps: Deps, principal: Principal, name: str, document_uuid: str) -> None:
    """Hide one document from every read and search at once, and free its id; a second time it is NotFound."""
    if not await delete_documents(deps, principal, name, [document_uuid]):
        raise _not_found(document_uuid)


async def delete_documents(deps: Deps, principal: Principal, name: str, uuids: Sequence[str]) -> int:
    """The same for several; unknown ones are passed over. Returns how many there were."""
    principal.require(KeyScope.WRITE)

    def save(connection: Connection) -> int:
        collection = collections.identify(connection, principal.org_id, name)
        return documents.mark_deleted(connection, collection, list(dict.fromkeys(uuids)), deps.clock.now())

    return await deps.db.write(save)


def _save(
    connection: Connection, now: datetime, collection: Collection, new: Sequence[NewDocument], *, upsert: bool
) -> list[str]:
    for place, document in enumerate(new):
        _check(collection, document, f"/documents/{place}")
    ids = [document.document_id for document in new if document.document_id is not None]
    uuids = documents.uuids_by_id(connection, collection, list(dict.fromkeys(ids)))
    stored = set(uuids.values())
    rows: dict[str, Document] = {}
    order: list[str] = []
    for document in new:
        known = None if document.document_id is None else uuids.get(document.document_id)
        if known is not None and not upsert:
            raise _taken(collection, str(document.document_id))
        row = _document(collection, document, known or new_id(), now)
        if document.document_id is not None:
            uuids[document.document_id] = row.document_uuid
        rows[row.document_uuid] = row
        order.append(row.document_uuid)
    documents.add(connection, [row for row in rows.values() if row.document_uuid not in stored])
    documents.replace(connection, [row for row in rows.values() if row.document_uuid in stored])
    if collection.is_auto_embedded:
        jobs.enqueue(connection, _work_for(collection, list(rows)), now)
    return order


def _change(connection: Connection, now: datetime, collection: Collection, change: DocumentChange) -> None:
    before = _require(connection, collection, change.document_uuid)
    values: dict[str, Any] = {}
    if change.document_id is not None and change.document_id != before.document_id:
        if documents.uuids_by_id(connection, collection, [change.document_id]):
            raise _taken(collection, change.document_id)
        values["document_id"] = change.document_id
    if change.metadata:
        values["metadata"] = dict(change.metadata)
    if values:
        documents.change(connection, collection, change.document_uuid, values | {"updated_at": now})


def _document(collection: Collection, new: NewDocument, document_uuid: str, now: datetime) -> Document:
    return Document(
        org_id=collection.org_id,
        document_uuid=document_uuid,
        collection_id=collection.collection_id,
        document_id=new.document_id,
        content=new.content,
        metadata=new.metadata,
        embedding=new.embedding,
        created_at=now,
        updated_at=now,
    )


def _work_for(collection: Collection, uuids: Sequence[str]) -> list[NewJob]:
    serial_key = f"{collection.org_id}:documents:{collection.collection_id}"
    return [
        NewJob(
            collection.org_id,
            Task.EMBED_DOCUMENTS,
            serial_key,
            {"document_uuids": list(uuids[start : start + DOCUMENTS_PER_JOB])},
        )
        for start in range(0, len(uuids), DOCUMENTS_PER_JOB)
    ]


def _check(collection: Collection, new: NewDocument, pointer: str) -> None:
    if not new.content.strip():
        raise Invalid(
            "A document needs content that is more than white space.",
            code="invalid_document",
            pointer=f"{pointer}/content",
        )
    if new.document_id is not None:
        check_document_id(new.document_id, f"{pointer}/document_id")
    if collection.is_auto_embedded and new.embedding is not None:
        raise Invalid(
            f"The collection {collection.name!r} is auto-embedded: leave `embedding` out, or make a collection with "
            "`is_auto_embedded` false.",
            code="unexpected_embedding",
            pointer=f"{pointer}/embedding",
        )
    if not collection.is_auto_embedded:
        if new.embedding is None:
            raise Invalid(
                f"The collection {collection.name!r} holds vectors of your own: send an `embedding` with each one.",
                code="missing_embedding",
                pointer=f"{pointer}/embedding",
            )
        check_vector(new.embedding, collection.embedding_dimensions, f"{pointer}/embedding")


def check_vector(vector: Sequence[float], width: int, pointer: str) -> None:
    """Invalid (`invalid_embedding`) unless it holds `width` finite numbers that fit into 32 bits."""
    if len(vector) != width:
        raise Invalid(
            f"The embedding holds {len(vector):,} numbers; {width:,} are wanted here.",
            code="invalid_embedding",
            pointer=pointer,
        )
    with np.errstate(over="ignore"):
        finite = bool(np.isfinite(np.asarray(vector, dtype=np.float32)).all())
    if not finite:
        raise Invalid(
            "The embedding holds a number that is not finite in 32 bits.", code="invalid_embedding", pointer=pointer
        )


def _require(connection: Connection, collection: Collection, document_uuid: str) -> Document:
    found = documents.by_uuids(connection, collection, [document_uuid])
    if not found:
        raise _not_found(document_uuid)
    return found[0]


def _not_found(document_uuid: str) -> NotFound:
    return NotFound(f"There is no document {document_uuid[:100]!r} in this collection.", code="document_not_found")


def _taken(collection: Collection, document_id: str) -> Conflict:
    return Conflict(
        f"The document id {document_id!r} is taken in the collection {collection.name!r}.", code="document_exists"
    )
