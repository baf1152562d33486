"""A search and its hits."""

from typing import Annotated

from pydantic import Field, StringConstraints

from memcairn.wire.base import MAX_QUERY_CHARS, MAX_SEARCH_LIMIT, Id, Label, Moment, Request, Response, Told
from memcairn.wire.events import Event, Trust
from memcairn.wire.filters import MetadataFilter
from memcairn.wire.memories import Memory, MemoryKind


class _Query(Request):
    query: Annotated[str, StringConstraints(strict=True, max_length=MAX_QUERY_CHARS)]
    limit: Annotated[int, Field(strict=True, ge=1, le=MAX_SEARCH_LIMIT)] = 10
    threshold: Annotated[float, Field(strict=True, ge=0, le=1)] = 0.0
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
    min_trust: Trust | None = None
    diverse: Annotated[bool, Field(strict=True)] = True


class SearchRequest(_Query):
    """What to look for, and where.

    With `actor_id` a search sees that actor's memories, those of the roles and teams named and the org's; without it
    the whole org. `threshold` is a floor on `score`. `asked_at` is the moment words like "last week" are read from.
    `metadata` keeps memories whose own metadata, or that of an event they rest on, fulfils the filter.
    `min_trust` leaves out what any less trusted source has a part in. With `diverse`, texts that say nearly the same
    stand back behind the others and near ties are spread; without, hits come in the plain order of their scores.
    """

    include_source_events: Annotated[bool, Field(strict=True)] = False
    explain: Annotated[bool, Field(strict=True)] = False


class WhyRequest(_Query):
    """A search, and the memory whose fate in it is asked for."""

    memory_id: Id


class Arm(Response):
    """One way of searching: the place it would give the memory alone (from 1), its figure, and what that adds."""

    rank: int
    value: float
    contribution: float


class Explanation(Response):
    """Why a hit stands where it stands: contributions of `arms` and `factors` add up to `fused`, which orders hits.

    `coverage` (0 to 1) is the part of the question's words, weighed by rarity, that stands in the text itself;
    `reasons` say the same in words, the weightiest first.
    """

    fused: float
    arms: dict[str, Arm]
    factors: dict[str, float]
    coverage: float
    reasons: list[str]


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
    observed_at: Told
    trust: str = "normal"
    memory: Memory | None
    source_events: list[Event] | None = None
    explanation: Explanation | None = None


class SearchResponse(Response):
    hits: list[Hit]
    took_ms: float


class Loss(Response):
    """One thing that keeps a memory from the hits, and the field of the query that does it, if one does.

    `stage` is one of `deleted`, `out_of_scope`, `not_active` (superseded, archived), `decayed`, `filtered`,
    `not_a_candidate`, `collapsed` (another hit says the same), `below_threshold`, `beyond_limit`, `changed_meanwhile`.
    """

    stage: str
    detail: str
    field: str | None


class WhyResponse(Response):
    """What became of a memory in a search: it was found, or everything in `losses` kept it from the hits.

    `place` (from 1), `score`, `similarity` and `explanation` are those it has, or would have if nothing but its rank
    decided; `place` is null if the hit `shown_by` stands for it, and all are null for a deleted memory.
    """

    memory_id: str
    found: bool
    losses: list[Loss]
    place: int | None
    score: float | None
    similarity: float | None
    shown_by: str | None
    explanation: Explanation | None
    took_ms: float
