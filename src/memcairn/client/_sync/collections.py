# Written by tools/unasync.py from ../_async/collections.py: change that, and run it.
"""`client.collections`: documents to be found by meaning, beside the conversations."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from memcairn.client._operations import collections as operations
from memcairn.client._sync.calls import Calls
from memcairn.wire.collections import (
    AddDocumentsResponse,
    Collection,
    CollectionPage,
    Document,
    Documents,
    DocumentSearchResponse,
    NewDocument,
)


class Collections:
    """Makes and searches collections of documents; their names are kept in small letters."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def add(
        self,
        name: str,
        *,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        embedding_dimensions: int | None = None,
        is_auto_embedded: bool = True,
        idempotency_key: str | None = None,
    ) -> Collection:
        """Makes an empty collection; `ConflictError` if there is one of that name (5 to 40 letters, digits, - and _).

        The server makes the vectors unless `is_auto_embedded` is off: then each document brings its own, of
        `embedding_dimensions` (8 to 2,000) numbers. Repeating is safe, by a key of the call's own or `idempotency_key`.
        """
        return self._calls.run(
            operations.add(
                name,
                description=description,
                metadata=metadata,
                embedding_dimensions=embedding_dimensions,
                is_auto_embedded=is_auto_embedded,
                idempotency_key=idempotency_key,
            )
        )

    def get(self, name: str) -> Collection:
        """The collection with its counts; `NotFoundError` if there is none. Equal counts: all of it is embedded."""
        return self._calls.run(operations.get(name))

    def update(
        self, name: str, *, description: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> Collection:
        """Sets what is given and leaves what is None; `metadata` replaces what was there unless it is empty."""
        return self._calls.run(operations.update(name, description=description, metadata=metadata))

    def delete(self, name: str) -> None:
        """Removes the collection and its documents at once and for good; `NotFoundError` if there is none."""
        self._calls.run(operations.delete(name))

    def list(self, *, limit: int = 50, cursor: str | None = None) -> CollectionPage:
        """One page of at most `limit` (1 to 200) collections by name; `cursor` is the page before's `next_cursor`."""
        return self._calls.run(operations.page(limit=limit, cursor=cursor))

    def list_all(self, *, page_size: int = 200) -> Iterator[Collection]:
        """Every collection, fetched page by page while it is iterated over."""
        return self._calls.items(lambda cursor: operations.page(limit=page_size, cursor=cursor))

    def add_documents(
        self,
        name: str,
        documents: Sequence[NewDocument | Mapping[str, Any]],
        *,
        upsert: bool = True,
        idempotency_key: str | None = None,
    ) -> AddDocumentsResponse:
        """Hands over up to 1,000 documents, all or none, and returns their uuids in order once they are on disk.

        One whose `document_id` is taken replaces the other under its uuid; with `upsert` off that is a `ConflictError`.
        Vectors the server makes follow within moments. Repeating is safe, as with `add`.
        """
        return self._calls.run(
            operations.add_documents(name, documents, upsert=upsert, idempotency_key=idempotency_key)
        )

    def get_document(self, name: str, document_uuid: str) -> Document:
        """One document with its vector; `NotFoundError` if the collection holds none of that uuid."""
        return self._calls.run(operations.get_document(name, document_uuid))

    def get_documents(
        self, name: str, *, uuids: Sequence[str] | None = None, document_ids: Sequence[str] | None = None
    ) -> Documents:
        """The documents of these uuids or of these ids, in the order asked for; unknown ones are left out."""
        return self._calls.run(operations.get_documents(name, uuids=uuids, document_ids=document_ids))

    def update_document(
        self,
        name: str,
        document_uuid: str,
        *,
        document_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Document:
        """Sets what is given and leaves what is None; `metadata` replaces what was there unless it is empty."""
        return self._calls.run(
            operations.update_document(name, document_uuid, document_id=document_id, metadata=metadata)
        )

    def delete_document(self, name: str, document_uuid: str) -> None:
        """Removes one document from every read and search at once; `NotFoundError` if there is none."""
        self._calls.run(operations.delete_document(name, document_uuid))

    def search(
        self,
        name: str,
        text: str | None = None,
        *,
        embedding: Sequence[float] | None = None,
        metadata: Mapping[str, Any] | None = None,
        mmr: bool = False,
        mmr_lambda: float | None = None,
        limit: int = 20,
    ) -> DocumentSearchResponse:
        """The documents nearest to `text` or `embedding`, of those that fulfil the filter `metadata`.

        A filter alone gives the newest. With `mmr` variety counts beside nearness, whose weight is `mmr_lambda`.
        """
        return self._calls.run(
            operations.search(
                name,
                text,
                embedding=embedding,
                metadata=metadata,
                mmr=mmr,
                mmr_lambda=mmr_lambda,
                limit=limit,
            )
        )
