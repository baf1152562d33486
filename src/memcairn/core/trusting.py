"""Keeping the trust of memories in step with what they rest on, in the rows and in the index."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from memcairn.core.deps import Deps
from memcairn.domain.pool import Trait
from memcairn.domain.trust import Trust
from memcairn.store import lineage, provenance

_TRAITS: Mapping[Trust, Trait] = {Trust.LOW: Trait.LOW_TRUST, Trust.NORMAL: Trait(0), Trust.HIGH: Trait.HIGH_TRUST}


def trait_of(trust: Trust) -> Trait:
    """How the index marks rows of this trust."""
    return _TRAITS[trust]


def required(least: Trust | None) -> tuple[int, int] | None:
    """Bits of the traits to look at, and what they must read, for rows of at least this trust; None for any."""
    if least is None or least is Trust.LOW:
        return None
    if least is Trust.NORMAL:
        return int(Trait.LOW_TRUST), 0
    return int(Trait.HIGH_TRUST), int(Trait.HIGH_TRUST)


def hold_at(connection: Connection, deps: Deps, org_id: str, trusts: Mapping[str, Trust]) -> list[str]:
    """Give memories this trust; returns those that had more before and so may no longer count as evidence."""
    before = provenance.held_at(connection, org_id, list(trusts))
    for trust in Trust:
        changed = [each for each, held in before.items() if trusts[each] is trust and held is not trust]
        if changed:
            provenance.hold_at(connection, org_id, changed, trust)
            deps.index.drop_trait(connection, org_id, changed, int(Trait.LOW_TRUST | Trait.HIGH_TRUST))
            if trait_of(trust):
                deps.index.add_trait(connection, org_id, changed, int(trait_of(trust)))
    return [each for each, held in before.items() if trusts[each] < held]


def settle(connection: Connection, deps: Deps, org_id: str, memory_ids: Sequence[str]) -> list[str]:
    """After sources went: the lowest trust among those left. Returns the memories that are trusted more than before.

    What somebody wrote by hand stays what it is worth.
    """
    left = provenance.lowest(connection, org_id, memory_ids)
    before = provenance.held_at(connection, org_id, list(left))
    changed = {
        memory_id: left[memory_id]
        for memory_id, held in before.items()
        if left[memory_id] is not held and not lineage.edited_fields(connection, org_id, memory_id)
    }
    hold_at(connection, deps, org_id, changed)
    return [memory_id for memory_id, trust in changed.items() if trust > before[memory_id]]
