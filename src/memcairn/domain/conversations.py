"""Who talks where: users, sessions and the messages in them.

A message is an event of the one log, seen from its session.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from memcairn.domain.events import ANONYMOUS, MAX_ID_CHARS, EventKind

_KIND_BY_ROLE: Mapping[str, EventKind] = {
    "human": EventKind.USER_MESSAGE,
    "user": EventKind.USER_MESSAGE,
    "customer": EventKind.USER_MESSAGE,
    "ai": EventKind.ASSISTANT_MESSAGE,
    "assistant": EventKind.ASSISTANT_MESSAGE,
    "bot": EventKind.ASSISTANT_MESSAGE,
    "chatbot": EventKind.ASSISTANT_MESSAGE,
    "model": EventKind.ASSISTANT_MESSAGE,
    "agent": EventKind.ASSISTANT_MESSAGE,
    "tool": EventKind.TOOL_RESULT,
    "function": EventKind.TOOL_RESULT,
    "system": EventKind.APP_EVENT,
    "developer": EventKind.APP_EVENT,
}
"""The words chat interfaces use; LangChain, OpenAI, Cohere and Gemini among them."""


@dataclass(frozen=True, slots=True)
class Session:
    """A conversation. `number` ascends inside the org; `metadata` is None until somebody gives some.

    `deleted_at` is None for every session a read returns.
    """

    org_id: str
    session_id: str
    session_uuid: str
    number: int
    user_id: str | None
    metadata: Mapping[str, Any] | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class User:
    """An actor with a profile. `number` ascends inside the org."""

    org_id: str
    user_id: str
    user_uuid: str
    number: int
    email: str | None
    first_name: str | None
    last_name: str | None
    metadata: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message as a door hands it to the core. With the `message_id` of an earlier one it takes that one's place.

    Without `token_count` it is estimated, without `occurred_at` it is said now.
    """

    role: str
    content: str
    name: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    message_id: str | None = None
    occurred_at: datetime | None = None
    token_count: int | None = None


def kind_of_role(role: str) -> EventKind:
    """What a role means to extraction; a word nobody knows counts as an application speaking."""
    return _KIND_BY_ROLE.get(role) or _KIND_BY_ROLE.get(role.strip().casefold(), EventKind.APP_EVENT)


def actor_of(session_id: str, user_id: str | None) -> str:
    """Whose memories the messages of a session become: its user's, or those of an actor that stands for the session.

    A session id too long to fit an actor id together with the prefix is represented by its hash.
    """
    if user_id is not None:
        return user_id
    if len(ANONYMOUS) + len(session_id) <= MAX_ID_CHARS:
        return ANONYMOUS + session_id
    return ANONYMOUS + hashlib.blake2b(session_id.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
