"""From what single people know to what a role, a team and the org know.

Memories whose events carry a role or a team wait under it, unread. A run reads a page of them, compares their
statements with those of other people under the same scope while no connection is held, and writes what has risen,
with its support, in one transaction with the end of the job. Running it again changes nothing.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from memcairn.core.deps import Deps
from memcairn.core.indexing import Prepared, prepare_now
from memcairn.core.promotion import ORG_KEY, backers, evidence_for, scopes_supported, stem
from memcairn.domain.claims import Claim, claims_of, risen_claim
from memcairn.domain.ids import new_id
from memcairn.domain.jobs import Job
from memcairn.domain.memories import Memory, MemoryStatus
from memcairn.domain.promotion import Decision, Held, Likeness, Rise, Support, decide
from memcairn.domain.promotion_table import promotion_table
from memcairn.domain.scopes import Level, Scope, scope_of_key
from memcairn.domain.sense import near_words, sense_of
from memcairn.pipeline import risen
from memcairn.store import jobs, memories, support
from memcairn.store.index.analysis import term_ids
from memcairn.store.support import SupportRow, Terms

PLACES_AT_ONCE = 400
"""Memories read in one run; what is left makes another."""
COMPARED_WITH = 64
"""Memories of other people fetched for one new memory: those that share its rarest terms."""


@dataclass(frozen=True, slots=True)
class Told:
    """Memories to be read for a scope, who told each, and names of people in it."""

    memories: Sequence[Memory]
    people: Mapping[str, frozenset[str]]
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Standing:
    """A memory that has risen to a scope, and what supports it."""

    memory: Memory
    dropped: bool
    support: Sequence[Support]


@dataclass(frozen=True, slots=True)
class Page:
    """What a run has to do for one scope; `gone` may not rise to it any more."""

    scope: Scope
    fresh: Told
    gone: Sequence[str]
    standing: Sequence[Standing]
    unindexed: Sequence[Memory]
    terms: Mapping[str, Terms]


@dataclass(slots=True)
class Outcome:
    """What a run writes for one scope."""

    scope: Scope
    terms: dict[str, Terms] = field(default_factory=dict)
    decisions: Sequence[Decision] = ()
    prepared: Mapping[str, Prepared] = field(default_factory=dict)
    unindexed: Sequence[Memory] = ()


async def promote(deps: Deps, held: Sequence[Job]) -> None:
    """Read what waits in the orgs of these jobs and finish the jobs; LeaseLost if another worker has one by now."""
    for org_id, its in groupby(sorted(held, key=_org), key=_org):
        await _promote_org(deps, org_id, list(its))


async def _promote_org(deps: Deps, org_id: str, held: Sequence[Job]) -> None:
    waiting = await deps.db.read(support.unread, org_id, limit=PLACES_AT_ONCE)
    outcomes = []
    for scope_key, rows in groupby(waiting, key=lambda row: row.scope_key):
        page = await deps.db.read(_page, org_id, scope_key, [row.memory_id for row in rows])
        fresh = await asyncio.to_thread(_read_claims, page.fresh)
        near = await deps.db.read(_neighbours, org_id, page, fresh)
        outcomes.append(await asyncio.to_thread(_conclude, deps, page, fresh, near))

    def write(connection: Connection) -> int:
        jobs.finish(connection, held)
        now = deps.clock.now()
        count = sum(risen.write(connection, deps, org_id, outcome) for outcome in outcomes)
        if support.unread(connection, org_id, limit=1):
            support.request(connection, org_id, now)
        return count

    deps.metrics.memories_changed("promoted", await deps.db.write(write))


def _org(job: Job) -> str:
    return job.org_id
