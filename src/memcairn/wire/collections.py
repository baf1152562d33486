"""Collections and documents as they travel."""

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from memcairn.wire.base import MAX_IDS, MAX_QUERY_CHARS, MAX_SEARCH_LIMIT, Metadata, Page, Request, Response, Text, Told
from memcairn.wire.filters import MetadataFilter

MAX_DOCUMENTS = 1_000
MIN_DIMENSIONS = 8
MAX_DIMENSIONS = 2_000

DocumentId = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=100, pattern=r"^[\x20-\x7e]+$")]
Description = Annotated[str, StringConstraints(strict=True, max_length=1_000)]
Vector = Annotated[list[Annotated[float, Field(strict=True, allow_inf_nan=False)]], Field(max_length=MAX_DIMENSIONS)]


class NewCollection(Request):
    """A collection to make. Names hold 5 to 40 letters, digits, - and _, and are kept in small letters.

    With `is_auto_embedded` the server makes the vectors, and any declared width will do; without, each document brings
    one of `embedding_dimensions` numbers.
    """

    name: Annotated[str, StringConstraints(strict=True, min_length=5, max_length=40, pattern=r"^[A-Za-z0-9_-]+$")]
    description: Description = ""
    metadata: Metadata = Field(default_factory=dict)
    embedding_dimensions: Annotated[int, Field(strict=True, ge=MIN_DIMENSIONS, le=MAX_DIMENSIONS)] | None = None
    is_auto_embedded: Annotated[bool, Field(strict=True)] = True

    @model_validator(mode="after")
    def _width_is_known(self) -> Self:
        if not self.is_auto_embedded and self.embedding_dimensions is None:
            raise ValueError("a collection with vectors of your own needs `embedding_dimensions`")
        return self


class CollectionUpdate(Request):
    """What may change; fields left out stay as they are, and `metadata` is replaced whole."""

    description: Description | None = None
    metadata: Metadata | None = None


class Collection(Response):
    """A collection. When both counts are equal, every document can be found by its meaning."""

    collection_id: str
    name: str
    description: str
    metadata: Metadata
    embedding_dimensions: int
    is_auto_embedded: bool
    document_count: int
    document_embedded_count: int
    created_at: Told
    updated_at: Told


class CollectionPage(Page):
    items: list[Collection]


class NewDocument(Request):
    content: Text
    document_id: DocumentId | None = None
    metadata: Metadata | None = None
    embedding: Vector | None = None


class AddDocumentsRequest(Request):
    """Documents to keep, all or none. One whose `document_id` is taken replaces the other, unless `upsert` is off."""

    documents: Annotated[list[NewDocument], Field(min_length=1, max_length=MAX_DOCUMENTS)]
    upsert: Annotated[bool, Field(strict=True)] = True


class AddDocumentsResponse(Response):
    """The uuids in the order of the request."""

    document_uuids: list[str]


class DocumentUpdate(Request):
    """What may change; fields left out stay as they are, and `metadata` is replaced whole."""

    document_id: DocumentId | None = None
    metadata: Metadata | None = None


class Document(Response):
    """A document; `embedding` is null until it is embedded."""

    document_uuid: str
    document_id: str | None
    content: str
    metadata: Metadata | None
    embedding: list[float] | None
    is_embedded: bool
    created_at: Told
    updated_at: Told


class GetDocumentsRequest(Request):
    """The documents wanted, by `uuids` or by `document_ids`."""

    uuids: Annotated[list[str], Field(min_length=1, max_length=MAX_IDS)] | None = None
    document_ids: Annotated[list[str], Field(min_length=1, max_length=MAX_IDS)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.uuids is None) == (self.document_ids is None):
            raise ValueError("give `uuids` or `document_ids`, and not both")
        return self


class Documents(Response):
    """Documents in the order asked for; unknown ones are left out."""

    items: list[Document]


class DocumentSearchRequest(Request):
    """What to look for: `text` or `embedding`, with a filter or without; or a filter alone, newest first."""

    text: Annotated[str, StringConstraints(strict=True, max_length=MAX_QUERY_CHARS)] | None = None
    embedding: Vector | None = None
    metadata: MetadataFilter | None = None
    mmr: Annotated[bool, Field(strict=True)] = False
    mmr_lambda: Annotated[float, Field(strict=True, ge=0, le=1)] | None = None
    limit: Annotated[int, Field(strict=True, ge=1, le=MAX_SEARCH_LIMIT)] = 20


class DocumentHit(Response):
    """A document and its cosine with the question, -1 to 1; 0 for a search by metadata alone."""

    document: Document
    similarity: float


class DocumentSearchResponse(Response):
    """`query_vector` is what was searched with, null for a search by metadata alone."""

    hits: list[DocumentHit]
    query_vector: list[float] | None
