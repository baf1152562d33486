"""Where a memory comes from, as it travels."""

from memcairn.wire.base import Response, Told
from memcairn.wire.memories import Scope


class LineageGroup(Response):
    """A role or a team that holds a memory of the org, and how many different people there do."""

    scope: Scope
    actors: int


class RisenMemory(Response):
    """A memory of a wider scope that rests on this one."""

    memory_id: str
    scope: Scope


class LineageStep(Response):
    change: str
    reason: str
    created_at: Told


class Lineage(Response):
    """Who counts, when and why.

    `actors` is the number of different people who hold the memory, `memories` that of their memories which were
    counted, `needed` how many people a role or a team needs. `supporting_memory_ids` is null unless the key is an admin
    key. `promoted_to` are the memories this one supports.
    """

    memory_id: str
    scope: Scope
    actors: int
    memories: int
    needed: int
    groups: list[LineageGroup]
    since: Told
    last_support_at: Told
    why: str
    supporting_memory_ids: list[str] | None
    promoted_to: list[RisenMemory]
    steps: list[LineageStep]
