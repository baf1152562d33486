"""Users as they travel."""

from typing import Annotated

from pydantic import Field, StringConstraints

from memcairn.wire.base import Id, Metadata, Page, Request, Response, Told

Line = Annotated[str, StringConstraints(strict=True, max_length=1_000)]


class NewUser(Request):
    user_id: Id
    email: Line | None = None
    first_name: Line | None = None
    last_name: Line | None = None
    metadata: Metadata = Field(default_factory=dict)


class UserUpdate(Request):
    """What is null or left out stays; metadata is merged: objects level by level, everything else replaces."""

    email: Line | None = None
    first_name: Line | None = None
    last_name: Line | None = None
    metadata: Metadata | None = None


class User(Response):
    """`number` ascends in the order users are made."""

    user_id: str
    number: int
    email: str | None
    first_name: str | None
    last_name: str | None
    metadata: Metadata
    created_at: Told
    updated_at: Told


class UserPage(Page):
    items: list[User]


class Receipt(Response):
    """What an erasure removed for good: rows by table. The server keeps the same numbers, and not whose they were."""

    counts: dict[str, int]
