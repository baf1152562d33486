"""Why a memory stands where it does: how many people hold it, since when, and what has risen from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from memcairn.core.deps import Deps
from memcairn.core.promotion import backers
from memcairn.domain.errors import NotFound
from memcairn.domain.keys import KeyScope, Principal
from memcairn.domain.memories import Memory
from memcairn.domain.scopes import Level, Scope
from memcairn.store import memories, support
from memcairn.store.support import SupportRow

PROMOTION_CHANGES = frozenset({"promoted", "strengthened", "reworded", "superseded", "holds_again"})


@dataclass(frozen=True, slots=True)
class Group:
    """A role or a team behind a memory of the org, and how many different people there hold it."""

    scope: Scope
    actors: int


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened on the way, and why."""

    change: str
    reason: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Lineage:
    """Who counts, when and why; nobody is named.

    `actors` are different people, `memories` the memories of theirs that were counted. `supporting_memory_ids` is None
    for a key that may not see them. `risen` are the memories this one supports, one level up each.
    """

    memory: Memory
    actors: int
    memories: int
    needed: int
    groups: Sequence[Group]
    since: datetime
    last_support_at: datetime
    supporting_memory_ids: Sequence[str] | None
    risen: Sequence[Memory]
    steps: Sequence[Step]
    why: str


async def lineage(deps: Deps, principal: Principal, memory_id: str) -> Lineage:
    """The lineage of a live memory of any level; NotFound if the org holds none of that id.

    The ids of supporting memories are for admin keys: through them the memories of single people can be read.
    """
    principal.require(KeyScope.READ)
    return await deps.db.read(_load, deps, principal, memory_id)


def _load(connection: Connection, deps: Deps, principal: Principal, memory_id: str) -> Lineage:
    org_id = principal.org_id
    found = memories.by_ids(connection, org_id, [memory_id])
    if not found:
        raise NotFound(f"There is no memory {memory_id!r}.", code="memory_not_found")
    memory = found[0]
    rows = support.of(connection, org_id, [memory_id]).get(memory_id, [])
    behind = backers(connection, org_id, rows)
    actors = len(frozenset().union(*behind)) if rows else 1
    above = memories.by_ids(connection, org_id, list(support.affected_by(connection, org_id, [memory_id])))
    may_see_ids = KeyScope.ADMIN in principal.scopes
    history = memories.history(connection, org_id, memory_id)
    return Lineage(
        memory=memory,
        actors=actors,
        memories=_counted(connection, org_id, memory, rows),
        needed=deps.promotion_min_actors,
        groups=_groups(connection, org_id, memory, rows),
        since=memory.created_at,
        last_support_at=max((row.observed_at for row in rows), default=memory.observed_at),
        supporting_memory_ids=[row.supporting_memory_id for row in rows] if may_see_ids else None,
        risen=above,
        steps=[Step(each.change, each.reason, each.created_at) for each in history if each.change in PROMOTION_CHANGES],
        why=_why(memory.scope, actors, len(rows), deps.promotion_min_actors),
    )


def _counted(connection: Connection, org_id: str, memory: Memory, rows: Sequence[SupportRow]) -> int:
    if memory.scope.level is not Level.ORG:
        return len(rows) or 1
    behind = support.of(connection, org_id, [row.supporting_memory_id for row in rows])
    return len({row.supporting_memory_id for its in behind.values() for row in its})


def _groups(connection: Connection, org_id: str, memory: Memory, rows: Sequence[SupportRow]) -> list[Group]:
    if memory.scope.level is not Level.ORG:
        return []
    people = dict(zip([row.supporting_memory_id for row in rows], backers(connection, org_id, rows), strict=True))
    return [
        Group(each.scope, len(people[each.memory_id])) for each in memories.by_ids(connection, org_id, list(people))
    ]


def _why(scope: Scope, actors: int, count: int, needed: int) -> str:
    if scope.level is Level.ACTOR:
        return "It belongs to one actor; nobody else has to agree with it."
    if scope.level is Level.ORG:
        return (
            f"{count} roles or teams hold it, {actors} different people in all; two are needed, each with {needed} "
            "people of its own."
        )
    owner = scope.role_id or scope.team_id
    return (
        f"{actors} different people in the {scope.level.value} {owner!r} said it, in words that mean the same; "
        f"{needed} are needed."
    )
