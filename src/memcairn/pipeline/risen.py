"""What decisions about common statements do to the store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from memcairn.core import trusting
from memcairn.core.deps import Deps
from memcairn.core.indexing import Prepared, embed_later, entries, reindex
from memcairn.core.promotion import ORG_KEY, evidence_for, recheck, reopen, scopes_supported, withdraw
from memcairn.domain.candidates import digest_of
from memcairn.domain.memories import HALF_LIFE_DAYS, Memory, MemoryStatus, reinforced_strength
from memcairn.domain.promotion import Decision, Return, Rise, Support, Uphold, Yield
from memcairn.domain.scopes import Level, Scope
from memcairn.domain.trust import Trust
from memcairn.store import memories, provenance, support
from memcairn.store.index.analysis import term_ids
from memcairn.store.memories import MemoryRow, NewChange
from memcairn.store.support import SupportRow, Terms


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run found for one scope: `terms` of the memories it read, and what to do about the statements in them."""

    scope: Scope
    gone: Sequence[str]
    terms: Mapping[str, Terms]
    decisions: Sequence[Decision]
    prepared: Mapping[str, Prepared]
    unindexed: Sequence[Memory]


def write(connection: Connection, deps: Deps, org_id: str, outcome: Outcome) -> int:
    """Carry it out as far as it still holds; returns how many memories have risen."""
    work = _Work(connection, deps, org_id, outcome)
    for memory_id in outcome.gone:
        support.leave(connection, org_id, memory_id, [outcome.scope.key])
    support.note_read(connection, org_id, outcome.scope.key, outcome.terms)
    work.index_again()
    named = [each.memory_id for decision in outcome.decisions for each in _support_of(decision)]
    work.may_support = scopes_supported(connection, org_id, named)
    return sum(work.carry_out(decision) for decision in outcome.decisions)


def _support_of(decision: Decision) -> Sequence[Support]:
    return decision.support if isinstance(decision, Rise | Uphold) else ()


@dataclass(slots=True)
class _Work:
    """The writes of one outcome. What was deleted or closed meanwhile supports nothing."""

    connection: Connection
    deps: Deps
    org_id: str
    outcome: Outcome
    may_support: Mapping[str, frozenset[str]] | None = None

    def carry_out(self, decision: Decision) -> bool:
        match decision:
            case Rise():
                return self._raise(decision)
            case Uphold():
                self._uphold(decision)
            case Yield():
                self._yield(decision)
            case Return():
                reason = "more people hold it again than what had taken its place"
                reopen(self.connection, self.deps, decision.memory_id, self.org_id, reason=reason)
        return False

    def index_again(self) -> None:
        """Vectors for what was reworded or reopened, unless that happened again meanwhile."""
        ids = [memory.memory_id for memory in self.outcome.unindexed]
        for memory in memories.by_ids(self.connection, self.org_id, ids):
            if memory.text in self.outcome.prepared:
                reindex(self.connection, self.deps, memory, self.outcome.prepared[memory.text])

    def _raise(self, rise: Rise) -> bool:
        left = self._still(rise.support)
        if not evidence_for(self.deps, self.outcome.scope).suffices([each.people for each in left]):
            return False
        if rise.words.memory_id not in {each.memory_id for each in left}:
            self._look_again(left)  # its words were taken back in the meantime
            return False
        memory = self._memory(rise, self._lowest_of(left))
        digest = digest_of(memory.text, memory.scope.key)
        memories.add(self.connection, [MemoryRow(memory, digest)])
        prepared = self.outcome.prepared[memory.text]
        self.deps.index.put(self.connection, self.org_id, entries(memory, prepared), model=self.deps.embedder.model)
        embed_later(self.connection, self.deps, self.org_id, {memory.memory_id: prepared})
        self._note(memory.memory_id, "promoted", _reason(left, self.outcome.scope))
        self._add_support(memory.memory_id, left, worded=rise.words.memory_id)
        support.enter(self.connection, self.org_id, [(memory.scope.key, memory.memory_id)])
        own_terms = {memory.memory_id: term_ids(sorted(rise.words.sense.keys))}
        support.note_read(self.connection, self.org_id, memory.scope.key, own_terms)
        if memory.scope.level is not Level.ORG:
            support.enter(self.connection, self.org_id, [(ORG_KEY, memory.memory_id)])
        return True

    def _uphold(self, decision: Uphold) -> None:
        held = support.of(self.connection, self.org_id, [decision.memory_id]).get(decision.memory_id, [])
        known = {row.supporting_memory_id for row in held}
        added = [each for each in self._still(decision.support) if each.memory_id not in known]
        found = memories.by_ids(self.connection, self.org_id, [decision.memory_id])
        if not added:
            return
        here = {each.memory_id for each in support.risen(self.connection, self.org_id, self.outcome.scope.key)}
        if decision.memory_id not in here:  # withdrawn in the meantime
            self._look_again(added)
            return
        self._add_support(decision.memory_id, added)
        if not found:  # deleted by hand: it swallows what agrees with it
            return
        lowest = min(found[0].trust, self._lowest_of(added))
        trusting.hold_at(self.connection, self.deps, self.org_id, {decision.memory_id: lowest})
        known_people = {row.actor_id for row in held}
        if any(not each.people <= known_people for each in added):
            strength = reinforced_strength(found[0].strength)
            self._change(decision.memory_id, {"strength": strength, "confidence": decision.confidence})
            self._note(decision.memory_id, "strengthened", _reason(added, self.outcome.scope))
        if self.outcome.scope.level is not Level.ORG:
            support.read_again(self.connection, self.org_id, [decision.memory_id], scope_key=ORG_KEY)

    def _look_again(self, given: Sequence[Support]) -> None:
        ids = [each.memory_id for each in given]
        support.read_again(self.connection, self.org_id, ids, scope_key=self.outcome.scope.key)

    def _yield(self, decision: Yield) -> None:
        ids = [decision.memory_id] if decision.to is None else [decision.memory_id, decision.to]
        found = {each.memory_id: each for each in memories.by_ids(self.connection, self.org_id, ids)}
        loser = found.get(decision.memory_id)
        if loser is None or loser.status is not MemoryStatus.ACTIVE:
            return
        if decision.to is None:
            withdraw(self.connection, self.deps, loser)
            return
        winner = found.get(decision.to)
        if winner is None:
            return
        self._change(loser.memory_id, {"status": MemoryStatus.SUPERSEDED.value, "valid_to": self.deps.clock.now()})
        self.deps.index.remove(self.connection, self.org_id, [loser.memory_id])
        self._note(loser.memory_id, "superseded", f"superseded by {winner.memory_id}")
        if winner.supersedes is None and loser.supersedes != winner.memory_id:
            self._change(winner.memory_id, {"supersedes": loser.memory_id})
        recheck(self.connection, self.deps, self.org_id, [loser.memory_id])

    def _lowest_of(self, given: Sequence[Support]) -> Trust:
        """Rising lifts no trust: what has risen is worth what the least trusted of its support is."""
        held = provenance.held_at(self.connection, self.org_id, [each.memory_id for each in given])
        return min(held.values(), default=Trust.LOW)

    def _memory(self, rise: Rise, trust: Trust) -> Memory:
        now = self.deps.clock.now()
        return Memory(
            org_id=self.org_id,
            memory_id=rise.memory_id,
            scope=self.outcome.scope,
            session_id=None,
            position=None,
            kind=rise.kind,
            type=rise.type,
            status=MemoryStatus.ACTIVE,
            text=rise.words.general,
            title=None,
            speaker=None,
            slot=None,
            tags=(),
            entities=(),
            confidence=rise.confidence,
            strength=1.0,
            recall_count=0,
            last_recalled_at=None,
            half_life_days=HALF_LIFE_DAYS,
            pinned=False,
            observed_at=max(each.observed_at for each in rise.support),
            valid_from=None,
            valid_to=None,
            supersedes=None,
            metadata={},
            created_at=now,
            updated_at=now,
            trust=trust,
        )

    def _still(self, given: Sequence[Support]) -> list[Support]:
        key, may_support = self.outcome.scope.key, self.may_support or {}
        return [each for each in given if key in may_support.get(each.memory_id, frozenset())]

    def _add_support(self, memory_id: str, given: Sequence[Support], *, worded: str | None = None) -> None:
        now = self.deps.clock.now()
        of_groups = self.outcome.scope.level is Level.ORG
        rows = [
            SupportRow(
                memory_id=memory_id,
                supporting_memory_id=each.memory_id,
                actor_id=None if of_groups else next(iter(each.people)),
                agreement=each.agreement,
                worded=each.memory_id == worded,
                created_at=now,
                observed_at=each.observed_at,
            )
            for each in given
        ]
        support.add(self.connection, self.org_id, rows)

    def _change(self, memory_id: str, values: Mapping[str, Any]) -> None:
        now = self.deps.clock.now()
        memories.change(self.connection, self.org_id, memory_id, {**values, "updated_at": now})

    def _note(self, memory_id: str, change: str, reason: str) -> None:
        line = NewChange(memory_id, change, reason)
        memories.note_changes(self.connection, self.org_id, [line], self.deps.clock.now())


def _reason(given: Sequence[Support], scope: Scope) -> str:
    people = len(frozenset().union(*(each.people for each in given)))
    held = "1 more person holds it" if people == 1 else f"{people} people hold it"
    if scope.level is Level.ORG:
        return f"{len(given)} roles or teams hold it, {people} people in all"
    return f"{held} in the {scope.level.value} {scope.role_id or scope.team_id}"
