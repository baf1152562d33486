"""Recall makes memories stronger: searches note it here, and the upkeep of the server writes it in batches."""

from collections import Counter
from collections.abc import Iterable, Mapping

from sqlalchemy import Connection

from memcairn.core.deps import Deps
from memcairn.domain.clock import Clock
from memcairn.domain.memories import MAX_STRENGTH, RECALL_STEP, reinforced_strength, strength_at
from memcairn.store import locks, memories

STEPS_TO_MAX_STRENGTH = round(MAX_STRENGTH / RECALL_STEP)
"""More recalls than this between two writes change nothing."""


class Recalls:
    """Recalls not written yet, per org. Lost with the process: they are a hint about importance, not data."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = {}

    def note(self, org_id: str, memory_ids: Iterable[str]) -> None:
        self._counts.setdefault(org_id, Counter()).update(memory_ids)

    def take(self) -> Mapping[str, Counter[str]]:
        taken, self._counts = self._counts, {}
        return taken


async def write_recalls(deps: Deps, recalls: Recalls) -> None:
    """Reinforce everything recalled since the last time, one transaction per org."""
    for org_id, counts in recalls.take().items():
        await deps.db.write(_reinforce, deps.clock, org_id, counts)


def _reinforce(connection: Connection, clock: Clock, org_id: str, counts: Counter[str]) -> None:
    locks.reworking(connection, org_id)
    now = clock.now()
    strengths = {}
    for memory_id, used in memories.uses(connection, org_id, list(counts)).items():
        strength = strength_at(used, now)
        for _ in range(min(counts[memory_id], STEPS_TO_MAX_STRENGTH)):
            strength = reinforced_strength(strength)
        strengths[memory_id] = strength
    memories.reinforce(connection, org_id, strengths, counts, now)
