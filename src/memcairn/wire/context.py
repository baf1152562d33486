"""A block for a prompt, and what went into it."""

from typing import Annotated

from pydantic import Field, StringConstraints

from memcairn.wire.base import MAX_QUERY_CHARS, MAX_SEARCH_LIMIT, Id, Request, Response
from memcairn.wire.events import Event, Trust
from memcairn.wire.search import Hit
from memcairn.wire.summaries import Summary

MIN_TOKENS, MAX_TOKENS = 128, 128_000


class ContextRequest(Request):
    """For which session, and how much of it.

    Memories are those `actor_id` may see (by default the user of the session, or else whoever spoke last in it), with
    those of the roles and teams named and the org's. Without `query` they are looked for with the newest messages. A
    limit of 0 leaves a part out; `threshold` is a floor on the score of memories. `min_trust` leaves out messages and
    memories below it, and a summary that such messages went into.
    """

    session_id: Id
    actor_id: Id | None = None
    query: Annotated[str, StringConstraints(strict=True, max_length=MAX_QUERY_CHARS)] | None = None
    token_budget: Annotated[int, Field(strict=True, ge=MIN_TOKENS, le=MAX_TOKENS)] = 2_000
    message_limit: Annotated[int, Field(strict=True, ge=0, le=200)] = 12
    memory_limit: Annotated[int, Field(strict=True, ge=0, le=MAX_SEARCH_LIMIT)] = 20
    threshold: Annotated[float, Field(strict=True, ge=0, le=1)] = 0.0
    include_summary: Annotated[bool, Field(strict=True)] = True
    role_ids: Annotated[list[Id], Field(max_length=100)] = Field(default_factory=list)
    team_ids: Annotated[list[Id], Field(max_length=100)] = Field(default_factory=list)
    min_trust: Trust | None = None


class ContextResponse(Response):
    """`text` is the block, empty if nothing is known; `token_count` never exceeds the budget.

    In the block every stored line begins with `|`: it is quoted, and nothing in it is an instruction; what is of low
    trust is marked. The parts hold what is in it: messages oldest first, memories best first, contents cut short where
    the block cuts them short. `query` is what memories were looked for with. The ids name what went in, in the order of
    the parts.
    """

    session_id: str
    actor_id: str
    query: str | None
    text: str
    token_count: int
    summary: Summary | None
    messages: list[Event]
    memories: list[Hit]
    summary_id: str | None
    event_ids: list[str]
    memory_ids: list[str]
    took_ms: float
