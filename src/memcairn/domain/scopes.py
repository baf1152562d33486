"""Who may see a memory: the levels, and what one search is allowed to look at."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

EVERYTHING = "*"
"""The scope key under which the whole org is counted and cached."""


class Level(StrEnum):
    ACTOR = "actor"
    ROLE = "role"
    TEAM = "team"
    ORG = "org"


@dataclass(frozen=True, slots=True)
class Scope:
    """The level a memory lives at and the one id that belongs to that level; `org` has none."""

    level: Level
    actor_id: str | None = None
    role_id: str | None = None
    team_id: str | None = None

    @property
    def key(self) -> str:
        """One string per scope inside an org, such as `actor:alice` or `org`."""
        # Asked of every hit: enum members as keys of a mapping take twice as long.
        if self.level is Level.ACTOR:
            owner = self.actor_id
        elif self.level is Level.ROLE:
            owner = self.role_id
        else:
            owner = self.team_id if self.level is Level.TEAM else None
        return str(self.level) if owner is None else f"{self.level}:{owner}"


def actor_scope(actor_id: str) -> Scope:
    return Scope(Level.ACTOR, actor_id=actor_id)


def scope_of_key(key: str) -> Scope:
    """The scope whose `key` this is."""
    name, _, owner = key.partition(":")
    level = Level(name)
    return Scope(level) if level is Level.ORG else Scope(level, **{f"{name}_id": owner})


def visible_scope_keys(
    actor_id: str | None, role_ids: Sequence[str] = (), team_ids: Sequence[str] = ()
) -> tuple[str, ...]:
    """The scope keys a search may see; without an actor that is the whole org, whatever role or team ids are given."""
    if actor_id is None:
        return (EVERYTHING,)
    keys = [actor_scope(actor_id).key]
    keys += [Scope(Level.ROLE, role_id=role_id).key for role_id in dict.fromkeys(role_ids)]
    keys += [Scope(Level.TEAM, team_id=team_id).key for team_id in dict.fromkeys(team_ids)]
    return (*keys, Scope(Level.ORG).key)
