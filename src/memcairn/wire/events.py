"""Events: what is said, as it travels."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from memcairn.wire.base import MAX_EVENTS, MAX_IDS, Id, Metadata, Moment, Page, Request, Response, Text, Told

Kind = Literal["user_message", "assistant_message", "tool_result", "app_event"]
Trust = Literal["low", "normal", "high"]
Status = Literal["pending", "completed", "failed", "not_found"]


class NewEvent(Request):
    """One event to keep. `name` is who said it where that is not the actor; `occurred_at` defaults to now."""

    actor_id: Id
    session_id: Id
    kind: Kind
    content: Text
    name: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=256)] | None = None
    role: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=256)] | None = None
    occurred_at: Moment | None = None
    metadata: Metadata = Field(default_factory=dict)
    role_id: Id | None = None
    team_id: Id | None = None
    event_id: Id | None = None


class IngestRequest(Request):
    events: Annotated[list[NewEvent], Field(min_length=1, max_length=MAX_EVENTS)]


class IngestResponse(Response):
    """The ids in the order of the request; a repeated event carries the id of the first one.

    `statuses` is filled when the caller asked to wait.
    """

    event_ids: list[str]
    statuses: dict[str, str] | None = None


class StatusRequest(Request):
    event_ids: Annotated[list[Id], Field(min_length=1, max_length=MAX_IDS)]


class EventState(Response):
    """How far an event got; `error` says why one failed."""

    event_id: str
    status: str
    error: str | None = None


class StatusResponse(Response):
    """One state per id asked for, in that order; ids the org does not hold are `not_found`."""

    events: list[EventState]


class Event(Response):
    """One event. `key_id` and `channel` are the key and the door it came by, `trust` is what that makes it worth."""

    event_id: str
    session_id: str
    position: int
    actor_id: str
    kind: str
    content: str
    name: str | None
    role: str | None
    token_count: int
    metadata: Metadata
    role_id: str | None
    team_id: str | None
    status: str
    error: str | None
    occurred_at: Told
    created_at: Told
    updated_at: Told
    key_id: str | None = None
    channel: str | None = None
    trust: str = "normal"


class EventPage(Page):
    items: list[Event]
