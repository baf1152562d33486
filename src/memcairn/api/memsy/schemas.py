"""What clients send in bodies: unknown fields are ignored, known ones are checked. NUL is gone before."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StringConstraints

from memcairn.domain.events import MAX_EVENTS_PER_REQUEST, MAX_ID_CHARS, EventKind
from memcairn.domain.keys import KeyScope
from memcairn.wire.base import MAX_QUERY_CHARS, MAX_SEARCH_LIMIT, Moment

MAX_METADATA_CHARS = 4_096
MAX_STATUS_IDS = 500
MAX_GROUPS = 1_000
MAX_NAME_CHARS = 100
MAX_FOCUS_CHARS = 500
MAX_PROMPT_CHARS = 32_000
MAX_NOTE_CHARS = 4_000
SEARCHABLE = re.compile(r"[A-Za-z0-9_\-:.@/]{1,256}")
"""What a search takes for a session id. Events take any: some sessions can be kept and not searched for, by design."""


def _none_if_blank(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("must hold more than white space")
    return value


def _searchable(value: str) -> str:
    if SEARCHABLE.fullmatch(value) is None:
        raise ValueError("a session to search must have an id of 1 to 256 of the characters A-Z a-z 0-9 _ - : . @ /")
    return value


Id = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_ID_CHARS)]
MaybeId = Annotated[Id | None, BeforeValidator(_none_if_blank)]
Text = Annotated[str, AfterValidator(_not_blank)]
MaybeMoment = Annotated[Moment | None, BeforeValidator(_none_if_blank)]
SessionFilter = Annotated[
    Annotated[str, AfterValidator(_searchable)] | None, BeforeValidator(lambda value: None if value == "" else value)
]
Ids = Annotated[list[str], Field(max_length=MAX_GROUPS), BeforeValidator(lambda value: [] if value is None else value)]


class Event(BaseModel):
    actor_id: Id
    session_id: Id
    kind: EventKind
    content: Text
    role_id: MaybeId = None
    team_id: MaybeId = None
    ts: MaybeMoment = None
    metadata: Annotated[str, StringConstraints(max_length=MAX_METADATA_CHARS)] | None = None


class Events(BaseModel):
    events: Annotated[list[Event], Field(max_length=MAX_EVENTS_PER_REQUEST)]


class StatusQuestion(BaseModel):
    event_ids: Annotated[list[str], Field(max_length=MAX_STATUS_IDS)]


class Search(BaseModel):
    query: Annotated[Text, StringConstraints(max_length=MAX_QUERY_CHARS)]
    limit: Annotated[int, Field(strict=True, ge=1, le=MAX_SEARCH_LIMIT)] = 10
    threshold: float = 0.0
    include_source_events: bool = False
    actor_id: Id | None = None
    session_id: SessionFilter = None
    exclude_session_id: SessionFilter = None
    role_ids: Ids = Field(default_factory=list)
    team_ids: Ids = Field(default_factory=list)


Name = Annotated[Text, StringConstraints(max_length=MAX_NAME_CHARS)]
Focus = Annotated[str, StringConstraints(max_length=MAX_FOCUS_CHARS)]


class NewDescription(BaseModel):
    """Of an org, a role or a team."""

    org_id: str | None = None
    name: Name
    focus: Focus = ""


class DescriptionUpdate(BaseModel):
    name: Name | None = None
    focus: Focus | None = None
    promotion_prompt: Annotated[Text, StringConstraints(max_length=MAX_PROMPT_CHARS)] | None = None


class NewKey(BaseModel):
    name: Name
    scopes: list[KeyScope] = Field(default_factory=lambda: [KeyScope.READ, KeyScope.WRITE])
    expires_at: MaybeMoment = None


Note = Annotated[str, StringConstraints(max_length=MAX_NOTE_CHARS)]


class InterestNote(BaseModel):
    email: Annotated[str, StringConstraints(strip_whitespace=True, max_length=320, pattern=r"^[^@\s]+@[^@\s]+$")]
    name: Name
    company: Note | None = None
    use_case: Note | None = None
    notes: Note | None = None


class S3Configuration(BaseModel):
    access_key_id: Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[A-Za-z0-9_]{16,128}$")]
    secret_access_key: Annotated[Text, StringConstraints(strip_whitespace=True, min_length=16, max_length=256)]
    region: Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[a-z]{2,}(-[a-z]+)+-\d{1,2}$")]
    bucket: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]$")]
    connector_id: MaybeId = None
