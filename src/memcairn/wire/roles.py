"""Roles as they travel."""

from memcairn.wire.base import Id, Page, Request
from memcairn.wire.groups import Description, DescriptionUpdate, Focus, Name, PromptText


class NewRole(Request):
    """A role to describe. Without a `role_id` it gets a new one; memories may carry the id already."""

    name: Name
    focus: Focus = ""
    role_id: Id | None = None
    promotion_prompt: PromptText | None = None


class RoleUpdate(DescriptionUpdate):
    """What may change of a role's description."""


class Role(Description):
    """The description of a role."""

    role_id: str


class RolePage(Page):
    items: list[Role]
