"""The types every message shares: strict on the way in, tolerant of additions on the way out."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

MAX_ID_CHARS = 256
MAX_CONTENT_CHARS = 32_000
MAX_EVENTS = 1_000
MAX_QUERY_CHARS = 32_000
MAX_SEARCH_LIMIT = 100
MAX_PAGE = 200
MAX_SESSION_PAGE = 1_000
"""Sessions and users are small: their pages may be longer than those of texts."""
MAX_IDS = 1_000
MAX_METADATA_KEYS = 1_000


class Request(BaseModel):
    """What a client sends: unknown fields are refused, types are not guessed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Response(BaseModel):
    """What the server answers: fields a newer server adds are ignored by an older client.

    Words from a closed set (`kind`, `status`) are plain strings here, so that a new word does not break it either.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("must hold more than white space")
    return value


def _moment(value: Any) -> Any:
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.strip())
        except ValueError:
            raise ValueError("must be an ISO 8601 date and time such as 2026-03-15T14:22:10Z") from None
    else:
        raise ValueError("must be an ISO 8601 date and time in a string, such as 2026-03-15T14:22:10Z")
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (OverflowError, ValueError):
        raise ValueError("lies outside the years 1 to 9999 in UTC") from None


Id = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=MAX_ID_CHARS), AfterValidator(_not_blank)]
Text = Annotated[
    str, StringConstraints(strict=True, min_length=1, max_length=MAX_CONTENT_CHARS), AfterValidator(_not_blank)
]
Label = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=64)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
"""A time in UTC. A string without a zone is read as UTC."""
Told = datetime
"""A time in an answer, which the server writes in UTC and with its zone: nothing about it has to be guessed."""
Metadata = Annotated[dict[str, Any], Field(max_length=MAX_METADATA_KEYS)]


class Page(Response):
    """One page of a list; `next_cursor` is null on the last one and opaque otherwise."""

    next_cursor: str | None = None
