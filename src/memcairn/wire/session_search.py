"""A search in one conversation and its hits."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from memcairn.wire.base import MAX_QUERY_CHARS, MAX_SEARCH_LIMIT, Moment, Request, Response
from memcairn.wire.events import Event
from memcairn.wire.filters import MetadataFilter
from memcairn.wire.summaries import Summary

SearchScope = Literal["messages", "summaries"]


class SessionSearchRequest(Request):
    """What to look for among the messages or the summaries of a session.

    With `text` the nearest come first, without it the newest. `start` and `end` bound the time of storing, both
    included. `mmr` weighs variety beside nearness; `mmr_lambda` is the weight of nearness, one half if it is null or 0.
    """

    text: Annotated[str, StringConstraints(strict=True, max_length=MAX_QUERY_CHARS)] | None = None
    metadata: MetadataFilter | None = None
    scope: SearchScope = "messages"
    mmr: Annotated[bool, Field(strict=True)] = False
    mmr_lambda: Annotated[float, Field(strict=True, ge=0, le=1)] | None = None
    limit: Annotated[int, Field(strict=True, ge=1, le=MAX_SEARCH_LIMIT)] = 10
    start: Moment | None = None
    end: Moment | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start is not None and self.end is not None and self.start > self.end:
            raise ValueError("`start` lies behind `end`")
        return self


class SessionHit(Response):
    """A message or a summary. `similarity` is its cosine with the text, -1 to 1; 0 where none was given."""

    message: Event | None
    summary: Summary | None
    similarity: float


class SessionSearchResponse(Response):
    hits: list[SessionHit]
