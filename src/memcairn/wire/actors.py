"""Actors as they travel."""

from typing import Literal

from memcairn.wire.base import Page, Response, Told

ActorSort = Literal["first_memory_desc", "first_memory_asc", "last_memory_desc", "actor_id_asc"]


class Actor(Response):
    """Whom memories are about. The times are those at which its first and last memory were written.

    `role_ids` and `team_ids` are those that what was said by or to the actor was marked with.
    """

    actor_id: str
    memory_count: int
    active_memory_count: int
    first_memory_at: Told
    last_memory_at: Told
    scope_levels: list[str]
    role_ids: list[str]
    team_ids: list[str]


class ActorPage(Page):
    """`total` counts the whole list, not this page."""

    items: list[Actor]
    total: int
