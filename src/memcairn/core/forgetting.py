"""Forgetting a source: everything that came from a key, a door, a session or an actor, and all that rests on it."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from memcairn.core.deletion import forget_summaries, hide_events, prepared_for
from memcairn.core.deps import Deps
from memcairn.core.indexing import Prepared
from memcairn.core.promotion import risen_from
from memcairn.core.purge import PAUSE_SECONDS
from memcairn.domain.errors import Invalid
from memcairn.domain.ids import new_id
from memcairn.domain.keys import KeyScope, Principal
from memcairn.domain.scopes import Level
from memcairn.store import events, locks, memories, provenance, tallies, users
from memcairn.store.provenance import Place
from memcairn.store.provenance import SourceFilter as SourceFilter

EVENTS_AT_ONCE = 200
"""Hidden in one transaction; other writers have their turn between two of them."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """How much was forgotten; of a trial, how much rests on the source at most. `receipt_id` is None for a trial.

    `memories` and `promoted` (what had risen from them) are gone; what other sources say as well stays, in their words.
    """

    receipt_id: str | None
    events: int
    memories: int
    promoted: int
    summaries: int


async def forget_source(deps: Deps, principal: Principal, where: SourceFilter, *, dry_run: bool = False) -> Receipt:
    """Hide what came from a source and everything derived from it alone, from every read; the purge removes it.

    What arrives meanwhile goes as well: revoke the key first, or it goes on. A memory that others vouch for stays,
    with their words and their trust. Interrupted, it can be repeated. Invalid (`no_source`) unless a source is named.
    """
    principal.require(KeyScope.ADMIN)
    if where == SourceFilter(received_after=where.received_after, received_before=where.received_before):
        raise Invalid(
            "Nothing says what to forget. Name a `key_id`, `channel`, `session_id`, `actor_id` or `max_trust`.",
            code="no_source",
        )
    org_id = principal.org_id
    if dry_run:
        return await _foreseen(deps, org_id, where)
    counts: Counter[str] = Counter()
    after: Place | None = None
    while True:
        last = after

        def found(connection: Connection, last: Place | None = last) -> list[str]:
            places = provenance.came_from(connection, org_id, where, after=last, limit=EVENTS_AT_ONCE)
            return [place.event_id for place in places]

        prepared = await prepared_for(deps, org_id, found)
        step = await deps.db.write(_forget_some, deps, org_id, where, after=last, prepared=prepared)
        if step is None:
            break
        after = step.last
        counts.update(step.counts)
        await asyncio.sleep(PAUSE_SECONDS)
    receipt = Receipt(new_id(), counts["events"], counts["memories"], counts["promoted"], counts["summaries"])
    now = deps.clock.now()
    await deps.db.write(users.keep_receipt, org_id, str(receipt.receipt_id), counts=dict(counts), now=now)
    deps.metrics.memories_changed("forgotten", counts["memories"])
    deps.wakeup.set()
    return receipt


@dataclass(frozen=True, slots=True)
class _Step:
    last: Place
    counts: Mapping[str, int]


def _forget_some(
    connection: Connection,
    deps: Deps,
    org_id: str,
    where: SourceFilter,
    *,
    after: Place | None,
    prepared: Mapping[str, Prepared],
) -> _Step | None:
    """One transaction; None when nothing is left."""
    locks.reworking(connection, org_id)
    places = provenance.came_from(connection, org_id, where, after=after, limit=EVENTS_AT_ONCE)
    if not places:
        return None
    ids = [place.event_id for place in places]
    said = events.by_ids(connection, org_id, ids)
    before = _by_level(connection, org_id)
    hidden = hide_events(connection, deps, org_id, ids, prepared=prepared)
    gone = before - _by_level(connection, org_id)
    summaries = forget_summaries(connection, org_id, said, deps.clock.now())
    of_actors = gone.pop(Level.ACTOR.value, 0)
    counts = {"events": hidden.events, "memories": of_actors, "promoted": gone.total(), "summaries": summaries}
    return _Step(places[-1], counts)


def _by_level(connection: Connection, org_id: str) -> Counter[str]:
    facets = tallies.facets_of(connection, org_id)
    return Counter({key.value: each.count for key, each in facets.items() if key.facet == tallies.LEVEL})


async def _foreseen(deps: Deps, org_id: str, where: SourceFilter) -> Receipt:
    resting: set[str] = set()
    count, after = 0, None
    while True:

        def look(connection: Connection, last: Place | None = after) -> tuple[list[Place], list[str]]:
            places = provenance.came_from(connection, org_id, where, after=last, limit=EVENTS_AT_ONCE)
            return places, memories.ids_by_sources(connection, org_id, [place.event_id for place in places])

        places, touched = await deps.db.read(look)
        if not places:
            break
        count, after = count + len(places), places[-1]
        resting.update(touched)
    promoted = await deps.db.read(_live_above, org_id, sorted(resting))
    return Receipt(None, count, len(resting), promoted, 0)


def _live_above(connection: Connection, org_id: str, memory_ids: list[str]) -> int:
    return len(memories.by_ids(connection, org_id, risen_from(connection, org_id, memory_ids)))
