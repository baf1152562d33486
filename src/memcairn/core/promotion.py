"""Keeping what has risen in step with what it rests on, inside the transaction that changes that.

A memory rises later, in the worker; it falls at once. Whoever deletes, closes or changes memories calls `recheck`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from memcairn.core.deps import Deps
from memcairn.core.indexing import reindex, words_only
from memcairn.domain.candidates import digest_of
from memcairn.domain.claims import PRIVATE, Claim, capitalised, claims_of, is_private, naming_nobody
from memcairn.domain.events import Event
from memcairn.domain.memories import Memory, MemoryStatus
from memcairn.domain.promotion import Evidence, Support, confidence_of
from memcairn.domain.scopes import Level, Scope
from memcairn.domain.sense import sense_of
from memcairn.domain.trust import COUNTS_AS_EVIDENCE
from memcairn.store import lineage, locks, memories, support
from memcairn.store.index.analysis import analyse
from memcairn.store.memories import NewChange
from memcairn.store.support import SupportRow

ORG_KEY = Scope(Level.ORG).key


def concerns(event: Event) -> bool:
    """Whether what an event says may rise, or keep something from rising."""
    return event.role_id is not None or event.team_id is not None or event.metadata.get(PRIVATE) is True


def take_note(connection: Connection, deps: Deps, org_id: str, memory_ids: Sequence[str]) -> None:
    """Have new, repeated or reopened memories of actors considered for the roles and teams their events carry."""
    carried = support.carried(connection, org_id, memory_ids)
    places = [(key, memory_id) for memory_id, its in carried.items() for key in sorted(its.scope_keys)]
    if support.enter(connection, org_id, places):
        support.request(connection, org_id, deps.clock.now())
    now_private = [memory_id for memory_id, its in carried.items() if its.private]
    if now_private:
        recheck(connection, deps, org_id, now_private)


def recheck(
    connection: Connection, deps: Deps, org_id: str, memory_ids: Sequence[str], *, changed: Collection[str] = ()
) -> None:
    """Withdraw what no longer has enough support after these memories went, were closed or made private.

    `changed` say something else than before: they support nothing until they are read again.
    """
    ids = list(dict.fromkeys([*memory_ids, *changed]))
    if not support.places(connection, org_id, ids) and not support.affected_by(connection, org_id, ids):
        return
    locks.alone(connection, org_id, "risen")
    placed = support.places(connection, org_id, ids)
    backing = support.affected_by(connection, org_id, ids)
    work = _Work(connection, deps, org_id, deps.clock.now())
    may_support = scopes_supported(connection, org_id, ids)
    for memory_id, keys in placed.items():
        if stale := keys - may_support.get(memory_id, frozenset()):
            support.leave(connection, org_id, memory_id, stale)
    for risen_id, rows in backing.items():
        work.weaken(risen_id, [row for row in rows if row.supporting_memory_id in changed], rows, may_support)
    if changed and support.read_again(connection, org_id, list(changed)):
        support.request(connection, org_id, work.now)


def recheck_around(
    connection: Connection, deps: Deps, org_id: str, memory_ids: Sequence[str], *, changed: Collection[str] = ()
) -> None:
    """The same for memories that were closed, changed or deleted while what they were read from stays.

    What else was read from the same events is looked at too: it says the same.
    """
    sources = memories.source_ids(connection, org_id, [*memory_ids, *changed])
    beside = memories.ids_by_sources(connection, org_id, [event_id for its in sources.values() for event_id in its])
    recheck(connection, deps, org_id, [*memory_ids, *beside], changed=changed)


def recheck_message(connection: Connection, deps: Deps, org_id: str, event_id: str) -> None:
    """The same for a message that was marked private, or is so no more."""
    read_from_it = memories.ids_by_sources(connection, org_id, [event_id])
    recheck(connection, deps, org_id, read_from_it)
    take_note(connection, deps, org_id, read_from_it)


def scopes_supported(connection: Connection, org_id: str, memory_ids: Sequence[str]) -> dict[str, frozenset[str]]:
    """The scopes each memory may help to rise to, as things stand; those that may not are left out."""
    live = [each for each in memories.by_ids(connection, org_id, memory_ids) if each.status is MemoryStatus.ACTIVE]
    trusted = [each for each in live if each.trust >= COUNTS_AS_EVIDENCE]
    told = [each for each in trusted if each.scope.level is Level.ACTOR and not is_private(each)]
    carried = support.carried(connection, org_id, [each.memory_id for each in told])
    held_back = support.held_back(connection, org_id, list(carried))
    found = {
        memory_id: its.scope_keys
        for memory_id, its in carried.items()
        if not its.private and memory_id not in held_back and its.scope_keys
    }
    groups = (Level.ROLE, Level.TEAM)
    return found | {each.memory_id: frozenset({ORG_KEY}) for each in trusted if each.scope.level in groups}


def risen_from(connection: Connection, org_id: str, memory_ids: Sequence[str]) -> list[str]:
    """Everything that rests on these memories, over as many levels as there are; deleted ones included."""
    found: dict[str, None] = {}
    level = list(memory_ids)
    while level:
        level = [each for each in support.affected_by(connection, org_id, level) if each not in found]
        found |= dict.fromkeys(level)
    return list(found)


def withdraw(connection: Connection, deps: Deps, memory: Memory) -> None:
    """Hide a risen memory; what it had superseded holds again if it still has the support."""
    _Work(connection, deps, memory.org_id, deps.clock.now()).withdraw(memory)


def reopen(connection: Connection, deps: Deps, memory_id: str, org_id: str, *, reason: str) -> None:
    """Let a superseded risen memory hold again, if enough people hold it."""
    _Work(connection, deps, org_id, deps.clock.now()).reopen(memory_id, reason)


def backers(connection: Connection, org_id: str, rows: Sequence[SupportRow]) -> list[frozenset[str]]:
    """The people behind each support: one actor, or everybody behind the memory of a role or a team."""
    groups = [row.supporting_memory_id for row in rows if row.actor_id is None]
    behind = support.of(connection, org_id, groups)
    return [
        frozenset({row.actor_id})
        if row.actor_id is not None
        else frozenset(each.actor_id for each in behind.get(row.supporting_memory_id, ()) if each.actor_id is not None)
        for row in rows
    ]


def evidence_for(deps: Deps, scope: Scope) -> Evidence:
    return Evidence(deps.promotion_min_actors, of_groups=scope.level is Level.ORG)


def stem(word: str) -> str:
    """The term under which the index keeps a word."""
    terms = analyse(word)
    return terms[0] if terms else word


@dataclass(frozen=True, slots=True)
class _Work:
    """The writes that follow when support goes."""

    connection: Connection
    deps: Deps
    org_id: str
    now: datetime

    def weaken(
        self,
        risen_id: str,
        changed: Sequence[SupportRow],
        touched: Sequence[SupportRow],
        may_support: Mapping[str, frozenset[str]],
    ) -> None:
        found = memories.by_ids(self.connection, self.org_id, [risen_id])
        # What a person deleted keeps its support, so that it does not rise again from the same words.
        scope_key = found[0].scope.key if found else None
        gone = {
            row.supporting_memory_id
            for row in touched
            if row in changed or scope_key not in may_support.get(row.supporting_memory_id, frozenset())
        }
        if not found or not gone:
            return
        rows = support.of(self.connection, self.org_id, [risen_id]).get(risen_id, [])
        left = [row for row in rows if row.supporting_memory_id not in gone]
        people = backers(self.connection, self.org_id, left)
        if not evidence_for(self.deps, found[0].scope).suffices(people):
            self.withdraw(found[0])
            return
        support.drop(self.connection, self.org_id, risen_id, gone)
        evidence = [
            Support(row.supporting_memory_id, who, row.observed_at, row.agreement)
            for row, who in zip(left, people, strict=True)
        ]
        values = {"confidence": confidence_of(evidence), "updated_at": self.now}
        memories.change(self.connection, self.org_id, risen_id, values)
        if any(row.worded for row in touched if row.supporting_memory_id in gone):
            self._reword(found[0], left)

    def withdraw(self, memory: Memory) -> None:
        org_id, memory_id = self.org_id, memory.memory_id
        memories.mark_deleted(self.connection, org_id, [memory_id], self.now)
        self.deps.index.remove(self.connection, org_id, [memory_id])
        # Its support stays on record: whoever erases one of these people has to find what may hold their words.
        support.leave(self.connection, org_id, memory_id)
        self._note(memory_id, "withdrawn", "too few people are left who hold it")
        recheck(self.connection, self.deps, org_id, [memory_id])
        if memory.supersedes is not None:
            self.reopen(memory.supersedes, "what had superseded it was withdrawn")

    def reopen(self, memory_id: str, reason: str) -> None:
        found = memories.by_ids(self.connection, self.org_id, [memory_id])
        if not found or found[0].status is not MemoryStatus.SUPERSEDED:
            return
        rows = support.of(self.connection, self.org_id, [memory_id]).get(memory_id, [])
        if evidence_for(self.deps, found[0].scope).suffices(backers(self.connection, self.org_id, rows)):
            values = {"status": MemoryStatus.ACTIVE.value, "valid_to": None, "updated_at": self.now}
            memories.change(self.connection, self.org_id, memory_id, values)
            self._note(memory_id, "holds_again", reason)
            self._index(replace(found[0], status=MemoryStatus.ACTIVE, valid_to=None))

    def _reword(self, memory: Memory, left: Sequence[SupportRow]) -> None:
        """Say it in the words of somebody who still holds it, unless a person has written it."""
        memory_id = memory.memory_id
        if "text" in lineage.edited_fields(self.connection, self.org_id, memory_id):
            return
        found = self._other_words(memory, left)
        if found is None:
            self.withdraw(memory)
            return
        supporting_id, text = found
        support.mark_worded(self.connection, self.org_id, memory_id, supporting_id)
        values = {"text": text, "digest": digest_of(text, memory.scope.key), "updated_at": self.now}
        memories.change(self.connection, self.org_id, memory_id, values)
        lineage.forget_former_values(self.connection, self.org_id, memory_id)
        self._note(memory_id, "reworded", "the words it had were taken back; others still hold it")
        self._index(replace(memory, text=text))
        for above in self._worded_by(memory_id):
            self._reword(above, support.of(self.connection, self.org_id, [above.memory_id])[above.memory_id])

    def _worded_by(self, memory_id: str) -> list[Memory]:
        """What has the words of this memory, one level up."""
        above = support.affected_by(self.connection, self.org_id, [memory_id])
        ids = [risen_id for risen_id, rows in above.items() if any(row.worded for row in rows)]
        return memories.by_ids(self.connection, self.org_id, ids)

    def _other_words(self, memory: Memory, left: Sequence[SupportRow]) -> tuple[str, str] | None:
        told = memories.by_ids(self.connection, self.org_id, [row.supporting_memory_id for row in left])
        if memory.scope.level is Level.ORG:
            return (told[0].memory_id, told[0].text) if told else None
        meant = sense_of(memory.text, stem)
        said = [claim for each in told for claim in claims_of(each, stem)]
        words = {word for claim in said for word in capitalised(claim.said)}
        names = support.names_among(self.connection, self.org_id, memory.scope.key, words)
        claims = naming_nobody(said, names)

        def fit(claim: Claim) -> tuple[int, bool]:
            return len(claim.sense.keys & meant.keys), claim.neutral

        best = max(claims, key=fit, default=None)
        return None if best is None else (best.memory_id, best.general)

    def _index(self, memory: Memory) -> None:
        """By words at once; the worker adds vectors when it reads the memory again."""
        reindex(self.connection, self.deps, memory, words_only(memory.text))
        support.read_again(self.connection, self.org_id, [memory.memory_id])
        support.request(self.connection, self.org_id, self.now)

    def _note(self, memory_id: str, change: str, reason: str) -> None:
        memories.note_changes(self.connection, self.org_id, [NewChange(memory_id, change, reason)], self.now)
