"""Collections of documents: texts to be found by meaning, beside the conversations and apart from them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from memcairn.domain.errors import Invalid

MIN_DIMENSIONS = 8
MAX_DIMENSIONS = 2_000
MAX_DOCUMENT_ID_CHARS = 100
MAX_DESCRIPTION_CHARS = 1_000

_NAME = re.compile(r"[a-z0-9_-]{5,40}")
_DOCUMENT_ID = re.compile(rf"[\x20-\x7e]{{1,{MAX_DOCUMENT_ID_CHARS}}}")


@dataclass(frozen=True, slots=True)
class Collection:
    """A named set of documents.

    `embedding_dimensions` is the width of the caller's vectors; where the server embeds (`is_auto_embedded`) it is what
    was declared, whatever the embedder's own width. `document_embedded_count` counts those that vector search can find.
    """

    org_id: str
    collection_id: str
    name: str
    description: str
    metadata: Mapping[str, Any]
    embedding_dimensions: int
    is_auto_embedded: bool
    created_at: datetime
    updated_at: datetime
    document_count: int = 0
    document_embedded_count: int = 0


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document as a door hands it to the core. `embedding` belongs to collections that are not auto-embedded."""

    content: str
    document_id: str | None = None
    metadata: Mapping[str, Any] | None = None
    embedding: Sequence[float] | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A stored document; `embedding` is None until it is embedded."""

    org_id: str
    document_uuid: str
    collection_id: str
    document_id: str | None
    content: str
    metadata: Mapping[str, Any] | None
    embedding: Sequence[float] | None
    created_at: datetime
    updated_at: datetime


def collection_name(name: str) -> str:
    """The name in the one spelling it is kept and looked up by; Invalid (`invalid_collection_name`) if it is none."""
    folded = name.lower()
    if not _NAME.fullmatch(folded):
        raise Invalid(
            f"The collection name {name[:100]!r} is not allowed: 5 to 40 letters a to z, digits, - and _.",
            code="invalid_collection_name",
            pointer="/name",
        )
    return folded


def check_document_id(document_id: str, pointer: str) -> None:
    """Invalid (`invalid_document_id`) unless it holds 1 to 100 printable ASCII characters."""
    if not _DOCUMENT_ID.fullmatch(document_id):
        raise Invalid(
            f"The document id {document_id[:100]!r} is not allowed: 1 to {MAX_DOCUMENT_ID_CHARS} printable ASCII "
            "characters.",
            code="invalid_document_id",
            pointer=pointer,
        )
