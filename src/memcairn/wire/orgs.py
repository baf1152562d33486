"""The org as it travels: a key sees its own."""

from memcairn.wire.base import Request
from memcairn.wire.groups import Description, DescriptionUpdate, Focus, Name


class NewOrgDescription(Request):
    """The first description of the org; without a `name` it keeps the one it has."""

    name: Name | None = None
    focus: Focus = ""


class OrgUpdate(DescriptionUpdate):
    """What may change of the org's description."""


class Org(Description):
    """`customised` says whether somebody described the org, or it is as it was made."""

    customised: bool
