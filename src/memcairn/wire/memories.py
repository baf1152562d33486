"""Memories as they travel."""

from typing import Annotated, Any, Literal

from pydantic import Field

from memcairn.wire.base import Label, Metadata, Page, Request, Response, Text, Told
from memcairn.wire.events import Event

Level = Literal["actor", "role", "team", "org"]
MemoryKind = Literal["semantic", "episodic", "procedural"]
MemoryStatus = Literal["active", "superseded", "archived", "decayed"]
MemorySort = Literal["observed_at_desc", "observed_at_asc", "created_at_desc", "strength_desc", "confidence_desc"]


class Scope(Response):
    level: str
    actor_id: str | None = None
    role_id: str | None = None
    team_id: str | None = None


class Entity(Response):
    name: str
    type: str


class Origin(Response):
    """A key and a door (`native`, `zep`, `memsy`, `mcp`, `import`) that sources of a memory came through."""

    key_id: str
    channel: str


class Memory(Response):
    """One memory. `strength` is 0 to 5 and already decayed to the moment of the answer; `confidence` is 0 to 1.

    `trust` (`low`, `normal`, `high`) is the lowest among its sources.
    """

    memory_id: str
    scope: Scope
    session_id: str | None
    kind: str
    type: str
    status: str
    text: str
    title: str | None
    speaker: str | None
    tags: list[str]
    entities: list[Entity]
    confidence: float
    strength: float
    recall_count: int
    last_recalled_at: Told | None
    half_life_days: float
    pinned: bool
    observed_at: Told
    valid_from: Told | None
    valid_to: Told | None
    supersedes: str | None
    metadata: Metadata
    created_at: Told
    updated_at: Told
    source_event_ids: list[str]
    trust: str = "normal"
    origins: list[Origin] = Field(default_factory=list)


class MemoryPage(Page):
    items: list[Memory]


class MemoryUpdate(Request):
    """What a person may change by hand; fields left out or null stay as they are, an empty title is removed."""

    text: Text | None = None
    title: Annotated[str, Field(strict=True, max_length=256)] | None = None
    tags: Annotated[list[Label], Field(max_length=64)] | None = None
    pinned: Annotated[bool, Field(strict=True)] | None = None
    status: Literal["active", "archived"] | None = None
    confidence: Annotated[float, Field(strict=True, ge=0, le=1)] | None = None
    half_life_days: Annotated[float, Field(strict=True, gt=0, le=36_500)] | None = None
    metadata: Metadata | None = None


class MemoryChange(Response):
    """One line of a memory's history; `before` holds the values that were replaced."""

    change_id: str
    change: str
    reason: str
    before: dict[str, Any] | None
    created_at: Told


class MemoryHistory(Response):
    items: list[MemoryChange]


class MemorySources(Response):
    """The events a memory rests on, in the order they were said."""

    items: list[Event]
