"""Sessions as they travel."""

from typing import Annotated

from pydantic import Field

from memcairn.wire.base import Id, Metadata, Page, Request, Response, Told


class NewSession(Request):
    """A session made by hand; adding a message to an id nobody has used makes one as well."""

    session_id: Id
    user_id: Id | None = None
    metadata: Metadata | None = None


class SessionUpdate(Request):
    """Metadata to be merged into what is there: objects level by level, everything else replaces, null is kept."""

    metadata: Metadata | None = None


class Session(Response):
    """`number` ascends in the order sessions are made; `metadata` is null until somebody gives some."""

    session_id: str
    number: int
    user_id: str | None
    metadata: Metadata | None
    created_at: Told
    updated_at: Told


class SessionPage(Page):
    items: list[Session]


class SessionDeleted(Response):
    """How many messages were hidden with their session."""

    messages: Annotated[int, Field(ge=0)]
