"""Roles, teams and the org as an admin describes them: a name, what matters there, and the prompt for promotion.

A description customises, it does not own: memories carry role and team ids whether or not anybody described them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from memcairn.domain.scopes import Level


class GroupKind(StrEnum):
    """Siblings under the org."""

    ROLE = "role"
    TEAM = "team"

    @property
    def level(self) -> Level:
        return Level(self.value)


@dataclass(frozen=True, slots=True)
class Group:
    """The description of one role or team; `prompt_meta` says where the prompt came from."""

    org_id: str
    kind: GroupKind
    group_id: str
    name: str
    focus: str
    promotion_prompt: str
    prompt_meta: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Org:
    """A tenant. `customised` says whether an admin described it; if not, name and prompt are those it began with."""

    org_id: str
    number: int
    name: str
    focus: str
    promotion_prompt: str
    prompt_meta: Mapping[str, Any]
    customised: bool
    created_at: datetime
    updated_at: datetime
