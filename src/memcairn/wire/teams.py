"""Teams as they travel."""

from memcairn.wire.base import Id, Page, Request
from memcairn.wire.groups import Description, DescriptionUpdate, Focus, Name, PromptText


class NewTeam(Request):
    """A team to describe. Without a `team_id` it gets a new one; memories may carry the id already."""

    name: Name
    focus: Focus = ""
    team_id: Id | None = None
    promotion_prompt: PromptText | None = None


class TeamUpdate(DescriptionUpdate):
    """What may change of a team's description."""


class Team(Description):
    """The description of a team."""

    team_id: str


class TeamPage(Page):
    items: list[Team]
