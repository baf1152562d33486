"""What clients send. Unknown fields are ignored and null means absent, as in Zep's server; wrong types are refused."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, RootModel

from memcairn.api.zep.values import canonical_uuid
from memcairn.domain.events import MAX_ID_CHARS

Metadata = dict[str, Any]


def _none_as_empty_text(value: object) -> object:
    return "" if value is None else value


def _none_as_empty_list(value: object) -> object:
    return [] if value is None else value


def _blank_as_none(value: str | None) -> str | None:
    return value or None


def _required(value: str) -> str:
    if not value:
        raise ValueError("must not be empty")
    return value


Text = Annotated[str, BeforeValidator(_none_as_empty_text)]
"""Free text that may be empty."""
MaybeText = Annotated[str | None, AfterValidator(_blank_as_none)]
"""Text for which empty means absent."""
NewId = Annotated[Text, Field(max_length=MAX_ID_CHARS), AfterValidator(_required)]
Uuid = Annotated[str, AfterValidator(canonical_uuid)]
MaybeUuid = Annotated[MaybeText, AfterValidator(lambda value: None if value is None else canonical_uuid(value))]
Vector = list[float]


class NewSession(BaseModel):
    session_id: NewId
    user_id: MaybeText = None
    metadata: Metadata | None = None


class SessionUpdate(BaseModel):
    metadata: Metadata | None = None


class NewUser(BaseModel):
    user_id: NewId
    email: MaybeText = None
    first_name: MaybeText = None
    last_name: MaybeText = None
    metadata: Metadata | None = None


class UserUpdate(BaseModel):
    email: MaybeText = None
    first_name: MaybeText = None
    last_name: MaybeText = None
    metadata: Metadata | None = None


class Message(BaseModel):
    role: Text = ""
    content: Text = ""
    uuid: MaybeUuid = None
    created_at: object = None
    metadata: Metadata | None = None


class Memory(BaseModel):
    messages: Annotated[list[Message], BeforeValidator(_none_as_empty_list)] = Field(default_factory=list)


class MessageUpdate(RootModel[dict[str, Any]]):
    """The caller's dictionary, sent as it is: see `messages.update`."""


class MemorySearch(BaseModel):
    text: Text = ""
    metadata: Metadata | None = None
    search_scope: MaybeText = None
    search_type: MaybeText = None
    mmr_lambda: float | None = None


class NewCollection(BaseModel):
    name: Text
    description: Text = ""
    metadata: Metadata | None = None
    embedding_dimensions: int
    is_auto_embedded: bool


class CollectionUpdate(BaseModel):
    description: MaybeText = None
    metadata: Metadata | None = None


class NewDocument(BaseModel):
    content: Text = ""
    document_id: MaybeText = None
    metadata: Metadata | None = None
    embedding: Vector | None = None


class NewDocuments(RootModel[list[NewDocument]]):
    pass


class DocumentUpdate(BaseModel):
    document_id: MaybeText = None
    metadata: Metadata | None = None


class NamedDocumentUpdate(DocumentUpdate):
    uuid: Uuid


class NamedDocumentUpdates(RootModel[list[NamedDocumentUpdate]]):
    pass


class DocumentUuids(RootModel[list[Uuid]]):
    pass


class DocumentSelection(BaseModel):
    uuids: list[Uuid] | None = None
    document_ids: list[str] | None = None


class DocumentSearch(BaseModel):
    text: Text = ""
    embedding: Vector | None = None
    metadata: Metadata | None = None
    search_type: MaybeText = None
    mmr_lambda: float | None = None
