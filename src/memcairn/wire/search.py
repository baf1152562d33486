"""A search and its hits."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from memcairn.wire.base import MAX_QUERY_CHARS, MAX_SEARCH_LIMIT, Id, Label, Moment, Request, Response
from memcairn.wire.events import Event
from memcairn.wire.filters import MetadataFilter
from memcairn.wire.memories import Memory, MemoryKind


class SearchRequest(Request):
    """What to look for, and where.

    With `actor_id` a search sees that actor's memories, those of the roles and teams named and the org's; without it
    the whole org. `threshold` is a floor on `score`. `asked_at` is the moment words like "last week" are read from.
    `metadata` keeps memories whose own metadata, or that of an event they rest on, fulfils the filter.
    """

    query: Annotated[str, StringConstraints(strict=True, max_length=MAX_QUERY_CHARS)]
    limit: Annotated[int, Field(strict=True, ge=1, le=MAX_SEARCH_LIMIT)] = 10
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.0
    actor_id: Id | None = None
    session_id: Id | None = None
    exclude_session_id: Id | None = None
    role_ids: Annotated[list[Id], Field(max_length=100)] = Field(default_factory=list)
    team_ids: Annotated[list[Id], Field(max_length=100)] = Field(default_factory=list)
    kinds: Annotated[list[MemoryKind], Field(max_length=3)] | None = None
    types: Annotated[list[Label], Field(max_length=64)] | None = None
    occurred_after: Moment | None = None
    occurred_before: Moment | None = None
    asked_at: Moment | None = None
    metadata: MetadataFilter | None = None
    include_source_events: Annotated[bool, Field(strict=True)] = False
    explain: Annotated[bool, Field(strict=True)] = False


class Hit(Response):
    """One result. `score` (0 to 1) orders the list; `similarity` (0 to 1) compares across lists.

    `pending` marks raw text that is committed and not processed yet: it has no memory, only its event.
    """

    score: float
    similarity: float
    text: str
    pending: bool
    source_event_ids: list[str]
    speaker: str | None
    session_id: str | None
    observed_at: Moment
    memory: Memory | None
    source_events: list[Event] | None = None
    explanation: dict[str, Any] | None = None


class SearchResponse(Response):
    hits: list[Hit]
    took_ms: float
