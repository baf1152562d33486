"""API keys as they travel."""

from typing import Annotated, Literal

from pydantic import Field

from memcairn.wire.base import Moment, Page, Request, Response, Told
from memcairn.wire.events import Trust
from memcairn.wire.groups import Name

KeyScope = Literal["read", "write", "admin"]


class NewKey(Request):
    """A key to make; without `expires_at` it is good until it is revoked.

    `trust` is what everything written with it will be worth: `normal` unless told otherwise, and never more than that
    of the key it is made with.
    """

    name: Name
    scopes: Annotated[list[KeyScope], Field(min_length=1, max_length=3)] = Field(
        default_factory=lambda: list[KeyScope](("read", "write"))
    )
    expires_at: Moment | None = None
    trust: Trust | None = None


class Key(Response):
    """A key without its secret. `prefix` is enough to recognise it; `last_used_at` may be a second behind."""

    key_id: str
    name: str
    prefix: str
    scopes: list[str]
    is_active: bool
    created_at: Told
    expires_at: Told | None
    last_used_at: Told | None
    revoked_at: Told | None
    trust: str = "normal"


class MadeKey(Key):
    """A key just made. `api_key` is the key itself: it is not stored and cannot be shown again."""

    api_key: str


class KeyPage(Page):
    """Keys in the order they were made, ended ones included; `active_count` counts the usable ones of all pages."""

    items: list[Key]
    active_count: int
    max_keys: int
