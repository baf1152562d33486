"""From what single people know to what a role, a team and the org know.

Memories whose events carry a role or a team wait under it, unread. A run reads a page of them, compares their
statements with those of other people under the same scope while no connection is held, and writes what has risen,
with its support, in one transaction with the end of the job. Running it again changes nothing.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from memcairn.core.deps import Deps
from memcairn.core.indexing import prepare_now
from memcairn.core.promotion import backers, evidence_for, scopes_supported, stem
from memcairn.domain.claims import Claim, capitalised, claims_of, naming_nobody, risen_claim
from memcairn.domain.ids import new_id
from memcairn.domain.jobs import Job
from memcairn.domain.memories import Memory, MemoryStatus
from memcairn.domain.promotion import Decision, Held, Likeness, Rise, Support, decide
from memcairn.domain.promotion_table import promotion_table
from memcairn.domain.scopes import Level, Scope, scope_of_key
from memcairn.domain.sense import Sense, near_words, sense_of
from memcairn.pipeline import risen
from memcairn.pipeline.risen import Outcome
from memcairn.store import jobs, locks, memories, support
from memcairn.store.index.analysis import term_ids
from memcairn.store.support import Risen, SupportRow, Terms

PLACES_AT_ONCE = 400
"""Memories read in one run; what is left makes another."""
COMPARED_WITH = 64
"""Memories of other people fetched for one new claim."""
LEAST_SHARED = 0.4
"""The part of its terms, by rarity, that such a memory has to share: the rest may be said in other words."""


@dataclass(frozen=True, slots=True)
class Told:
    """Memories to be read for a scope, and who told each."""

    memories: Sequence[Memory]
    people: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Standing:
    """A memory that has risen to a scope, and what supports it."""

    row: Risen
    support: Sequence[Support]


@dataclass(frozen=True, slots=True)
class Page:
    """What a run has to do for one scope. `gone` may not rise to it any more, `unindexed` has been reworded or
    reopened since it was embedded, `terms` are those of everything read before."""

    scope: Scope
    fresh: Told
    gone: Sequence[str]
    standing: Sequence[Standing]
    unindexed: Sequence[Memory]
    terms: Mapping[str, Terms]


async def promote(deps: Deps, held: Sequence[Job]) -> None:
    """Read what waits in the orgs of these jobs and finish the jobs; LeaseLost if another worker has one by now."""
    for org_id, its in groupby(sorted(held, key=_org), key=_org):
        await _promote_org(deps, org_id, list(its))


async def _promote_org(deps: Deps, org_id: str, held: Sequence[Job]) -> None:
    waiting = await deps.db.read(support.unread, org_id, limit=PLACES_AT_ONCE)
    reader = _Reader()
    outcomes = []
    for scope_key, rows in groupby(waiting, key=lambda row: row.scope_key):
        page = await deps.db.read(_page, org_id, scope_key, [row.memory_id for row in rows])
        fresh = await asyncio.to_thread(reader.read, page.fresh)
        near = await deps.db.read(_neighbours, org_id, page, fresh)
        claims = [*fresh, *await asyncio.to_thread(reader.read, near)]
        decisions = await asyncio.to_thread(_decide, deps, page, claims)
        if risen_now := [each.words for each in decisions if isinstance(each, Rise)]:
            names = await deps.db.read(support.names_among, org_id, scope_key, _capitals(risen_now))
            if len(nameless := naming_nobody(claims, names)) < len(claims):
                decisions = await asyncio.to_thread(_decide, deps, page, nameless)
        outcomes.append(await asyncio.to_thread(_conclude, deps, page, fresh, decisions))

    def write(connection: Connection) -> int:
        jobs.finish(connection, held)
        locks.reworking(connection, org_id)
        now = deps.clock.now()
        count = sum(risen.write(connection, deps, org_id, outcome) for outcome in outcomes)
        if support.unread(connection, org_id, limit=1):
            support.request(connection, org_id, now)
        return count

    deps.metrics.memories_changed("promoted", await deps.db.write(write))


def _org(job: Job) -> str:
    return job.org_id


def _page(connection: Connection, org_id: str, scope_key: str, memory_ids: Sequence[str]) -> Page:
    risen_rows = support.risen(connection, org_id, scope_key)
    own = {row.memory_id for row in risen_rows}
    others = [memory_id for memory_id in memory_ids if memory_id not in own]
    may_support = scopes_supported(connection, org_id, others)
    fresh = [memory_id for memory_id in others if scope_key in may_support.get(memory_id, ())]
    rows = support.of(connection, org_id, list(own))
    reopened = memories.by_ids(connection, org_id, [memory_id for memory_id in memory_ids if memory_id in own])
    return Page(
        scope=scope_of_key(scope_key),
        fresh=_told(connection, org_id, fresh),
        gone=[memory_id for memory_id in others if memory_id not in set(fresh)],
        standing=[Standing(row, _support(connection, org_id, rows.get(row.memory_id, []))) for row in risen_rows],
        unindexed=reopened,
        terms={
            row.memory_id: row.terms for row in support.under(connection, org_id, scope_key) if row.terms is not None
        },
    )


def _told(connection: Connection, org_id: str, memory_ids: Sequence[str]) -> Told:
    found = [each for each in memories.by_ids(connection, org_id, memory_ids) if each.status is MemoryStatus.ACTIVE]
    groups = [each.memory_id for each in found if each.scope.level is not Level.ACTOR]
    behind = support.of(connection, org_id, groups)
    people = {
        each.memory_id: frozenset({each.scope.actor_id})
        if each.scope.actor_id is not None
        else frozenset().union(*backers(connection, org_id, behind.get(each.memory_id, [])))
        for each in found
    }
    return Told(found, people)


def _support(connection: Connection, org_id: str, rows: Sequence[SupportRow]) -> list[Support]:
    return [
        Support(row.supporting_memory_id, people, row.observed_at, row.agreement)
        for row, people in zip(rows, backers(connection, org_id, rows), strict=True)
    ]


class _Reader:
    """Reads the claims of memories; one that stands under several scopes is read once in a run."""

    def __init__(self) -> None:
        self._read: dict[str, list[Claim]] = {}

    def read(self, told: Told) -> list[Claim]:
        claims: list[Claim] = []
        for memory in told.memories:
            if memory.scope.level is not Level.ACTOR:
                claims.append(risen_claim(memory, told.people[memory.memory_id], stem))
                continue
            if memory.memory_id not in self._read:
                self._read[memory.memory_id] = claims_of(memory, stem)
            claims += self._read[memory.memory_id]
        return claims


def _capitals(claims: Sequence[Claim]) -> set[str]:
    return {word for claim in claims for word in capitalised(claim.said)}


def _terms_of(claims: Sequence[Claim]) -> dict[str, Terms]:
    keys: dict[str, set[str]] = {}
    for claim in claims:
        keys.setdefault(claim.memory_id, set()).update(claim.sense.keys)
    return {memory_id: term_ids(sorted(its)) for memory_id, its in keys.items()}


def _neighbours(connection: Connection, org_id: str, page: Page, fresh: Sequence[Claim]) -> Told:
    """The memories read before that share enough of the terms of a new claim, the rarest counting most."""
    known = {each.row.memory_id for each in page.standing} | {claim.memory_id for claim in fresh}
    others = [memory_id for memory_id in page.terms if memory_id not in known]
    if not others:
        return Told((), {})
    flat = np.concatenate([page.terms[memory_id] for memory_id in others])
    owners = np.repeat(np.arange(len(others)), [len(page.terms[memory_id]) for memory_id in others])
    values, places, counts = np.unique(flat, return_inverse=True, return_counts=True)
    rarity = np.log1p(len(others) / counts)
    chosen: set[int] = set()
    for claim in fresh:
        terms = term_ids(sorted(claim.sense.keys))
        shared = np.isin(values, terms)
        unshared = (len(terms) - int(shared.sum())) * np.log1p(len(others))
        scores = np.bincount(owners, weights=(rarity * shared)[places], minlength=len(others))
        enough = LEAST_SHARED * (float(rarity[shared].sum()) + unshared)
        best = np.argsort(-scores, kind="stable")[:COMPARED_WITH]
        chosen.update(int(at) for at in best if scores[at] >= enough)
    return _told(connection, org_id, [others[at] for at in sorted(chosen)])


def _decide(deps: Deps, page: Page, claims: Sequence[Claim]) -> list[Decision]:
    held = [
        Held(
            memory_id=each.row.memory_id,
            sense=sense_of(each.row.text, stem),
            support=each.support,
            standing=each.row.status is not MemoryStatus.SUPERSEDED,
            dropped=each.row.deleted or each.row.status is MemoryStatus.ARCHIVED,
        )
        for each in page.standing
    ]
    likeness = _likeness(deps, [*(claim.sense for claim in claims), *(each.sense for each in held)])
    return decide(claims, held, evidence_for(deps, page.scope), likeness, new_id=new_id)


def _conclude(deps: Deps, page: Page, fresh: Sequence[Claim], decisions: Sequence[Decision]) -> Outcome:
    texts = [each.words.general for each in decisions if isinstance(each, Rise)]
    texts += [memory.text for memory in page.unindexed]
    nothing = term_ids([])
    terms = {each.memory_id: nothing for each in page.fresh.memories} | _terms_of(fresh)
    terms |= {each.memory_id: term_ids(sorted(sense_of(each.text, stem).keys)) for each in page.unindexed}
    prepared = dict(zip(texts, prepare_now(deps, texts), strict=True))
    return Outcome(page.scope, page.gone, terms, decisions, prepared, page.unindexed)


def _likeness(deps: Deps, senses: Sequence[Sense]) -> Likeness:
    words = {word for sense in senses for word in sense.words.values()}
    words |= {word for pair in promotion_table().unlike for word in pair}
    listed = sorted(words)
    vectors: Mapping[str, NDArray[np.float32]] = {
        word: vector for word, vector in zip(listed, deps.embedder.embed(listed), strict=True) if vector.any()
    }
    return Likeness(vectors, near_words(vectors))
