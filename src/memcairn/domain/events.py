"""What is said: the immutable log everything else is derived from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from memcairn.domain.trust import Channel, Trust

MAX_ID_CHARS = 256
MAX_CONTENT_CHARS = 32_000
MAX_EVENTS_PER_REQUEST = 1_000

ANONYMOUS = "session:"
"""What the id of an actor begins with that only stands for its session."""
UNNAMED = "User"
"""What such an actor is called in memories: its id is no name."""


class EventKind(StrEnum):
    USER_MESSAGE = "user_message"
    ASSISTANT_MESSAGE = "assistant_message"
    TOOL_RESULT = "tool_result"
    APP_EVENT = "app_event"


class EventStatus(StrEnum):
    """How far derivation got; an event is searchable in every one of these states but FAILED's memories are missing."""

    PENDING = "pending"
    COMPLETED = "completed"
    FAILED = "failed"


def trust_heard(of_key: Trust, kind: EventKind) -> Trust:
    """The trust of an event: its key's, and one less for the result of a tool.

    A tool repeats what strangers wrote, whoever asked it to; no other kind changes anything, and none raises it.
    """
    return Trust(max(Trust.LOW, of_key - 1)) if kind is EventKind.TOOL_RESULT else of_key


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event as a door hands it to the core: validated, not yet stored."""

    actor_id: str
    session_id: str
    kind: EventKind
    content: str
    name: str | None = None
    role: str | None = None
    occurred_at: datetime | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    role_id: str | None = None
    team_id: str | None = None
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """A stored event. `position` counts from 1 inside its session, in the order events were accepted."""

    org_id: str
    event_id: str
    session_id: str
    position: int
    actor_id: str
    kind: EventKind
    content: str
    name: str | None
    role: str | None
    token_count: int
    metadata: Mapping[str, Any]
    role_id: str | None
    team_id: str | None
    status: EventStatus
    error: str | None
    occurred_at: datetime
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
    key_id: str | None = None
    """The key it came with, and by which door; None for what is older than the record of it."""
    channel: Channel | None = None
    trust: Trust = Trust.NORMAL

    @property
    def speaker(self) -> str:
        """Who said it: the given name, or else the actor (UNNAMED if anonymous); assistants and tools: their kind."""
        if self.name:
            return self.name
        if self.kind is EventKind.USER_MESSAGE:
            return UNNAMED if self.actor_id.startswith(ANONYMOUS) else self.actor_id
        return {EventKind.ASSISTANT_MESSAGE: "assistant", EventKind.TOOL_RESULT: "tool"}.get(self.kind, "app")
