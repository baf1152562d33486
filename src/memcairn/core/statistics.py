"""How many memories there are, of which sort."""

from memcairn.core.deps import Deps
from memcairn.domain.keys import KeyScope, Principal
from memcairn.domain.statistics import MemoryStats
from memcairn.store import statistics


async def memory_stats(deps: Deps, principal: Principal, *, actor_id: str | None = None) -> MemoryStats:
    """Exact statistics of the org's memories, or of one actor's; an actor nobody knows has none."""
    principal.require(KeyScope.READ)
    if actor_id is None:
        return await deps.db.read(statistics.of_org, principal.org_id)
    return await deps.db.read(statistics.of_actor, principal.org_id, actor_id)
