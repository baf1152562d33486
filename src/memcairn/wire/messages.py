"""Messages as they travel: on the way in as a chat has them, on the way out as the events they are."""

from typing import Annotated

from pydantic import Field, StringConstraints

from memcairn.wire.base import MAX_EVENTS, Id, Metadata, Moment, Page, Request, Response, Text, Told
from memcairn.wire.events import Event

MAX_TOKENS = 2**31 - 1


class NewMessage(Request):
    """One message. With the `message_id` of an earlier one of the session it takes that one's place.

    `role` is any word; `user`, `assistant`, `tool`, `system` and their usual synonyms say what kind of event it is.
    `name` is who spoke where the role does not say it. The server counts tokens unless `token_count` does.
    """

    role: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=256)]
    content: Text
    name: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=256)] | None = None
    metadata: Metadata = Field(default_factory=dict)
    message_id: Id | None = None
    occurred_at: Moment | None = None
    token_count: Annotated[int, Field(strict=True, ge=0, le=MAX_TOKENS)] | None = None


class AddMessagesRequest(Request):
    messages: Annotated[list[NewMessage], Field(min_length=1, max_length=MAX_EVENTS)]


class AddMessagesResponse(Response):
    """The ids in the order of the request; a message's id is the id of its event."""

    message_ids: list[str]


class MessagePage(Page):
    items: list[Event]


class MessageUpdate(Request):
    """Metadata to be merged into what is there: objects level by level, everything else replaces, null is kept."""

    metadata: Metadata


class HoldRequest(Request):
    held: Annotated[bool, Field(strict=True)]


class Hold(Response):
    """Whether a message is kept from the purge; `deleted_at` is null while it is not deleted."""

    message_id: str
    held: bool
    deleted_at: Told | None
