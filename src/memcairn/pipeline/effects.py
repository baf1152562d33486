"""What decisions do to the store: gathered for a batch, then written with few statements."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from memcairn.core import promotion, trusting
from memcairn.core.deps import Deps
from memcairn.core.indexing import Prepared, embed_later, entries
from memcairn.domain.consolidation import Add, Strengthen
from memcairn.domain.events import Event, EventKind
from memcairn.domain.memories import HALF_LIFE_DAYS, Memory, MemoryStatus, reinforced_strength
from memcairn.domain.pool import Trait
from memcairn.domain.scopes import Scope, actor_scope
from memcairn.domain.trust import Trust
from memcairn.store import memories
from memcairn.store.index.base import IndexEntry
from memcairn.store.memories import MemoryRow, NewChange


def scope_of(event: Event) -> Scope:
    """Everything is first known of the actor it was said by or to."""
    return actor_scope(event.actor_id)


@dataclass(slots=True)
class Effects:
    """The writes of one org's batch. A memory added in the batch may be strengthened or superseded in it, too."""

    connection: Connection
    deps: Deps
    org_id: str
    now: datetime
    _added: dict[str, MemoryRow] = field(default_factory=dict)
    _entries: dict[str, list[IndexEntry]] = field(default_factory=dict)
    _prepared: dict[str, Prepared] = field(default_factory=dict)
    _heard_again: list[Strengthen] = field(default_factory=list)
    _superseded: dict[str, Add] = field(default_factory=dict)

    def add(self, decision: Add, prepared: Prepared, event: Event) -> None:
        memory = self._memory(decision, event)
        candidate = decision.candidate
        self._added[memory.memory_id] = MemoryRow(memory, candidate.digest, candidate.slot_key, candidate.value)
        if memory.status is MemoryStatus.ACTIVE:
            by_assistant = event.kind is EventKind.ASSISTANT_MESSAGE
            self._prepared[memory.memory_id] = prepared
            self._entries[memory.memory_id] = entries(memory, prepared, by_assistant=by_assistant)
        if decision.supersedes is not None:
            self._superseded[decision.supersedes] = decision

    def strengthen(self, decision: Strengthen) -> None:
        self._heard_again.append(decision)

    def write(self) -> None:
        """Carry everything out on the connection the batch was begun with."""
        memories.add(self.connection, list(self._added.values()))
        self._strengthen_all()
        self._supersede_all()
        live = [entry for memory_id, its in self._entries.items() if memory_id not in self._superseded for entry in its]
        self.deps.index.put(self.connection, self.org_id, live, model=self.deps.embedder.model)
        indexed = {key: its for key, its in self._prepared.items() if key not in self._superseded}
        embed_later(self.connection, self.deps, self.org_id, indexed)
        self._mark_outdated()
        changes = [NewChange(memory_id, "created", _origin(row)) for memory_id, row in self._added.items()]
        memories.note_changes(self.connection, self.org_id, changes, self.now)

    def _memory(self, decision: Add, event: Event) -> Memory:
        candidate = decision.candidate
        return Memory(
            org_id=self.org_id,
            memory_id=decision.memory_id,
            scope=scope_of(event),
            session_id=candidate.session_id,
            position=candidate.position,
            kind=candidate.kind,
            type=candidate.type,
            status=decision.status,
            text=candidate.text,
            title=candidate.title,
            speaker=candidate.speaker,
            slot=candidate.slot,
            tags=candidate.tags,
            entities=candidate.entities,
            confidence=candidate.confidence,
            strength=1.0,
            recall_count=0,
            last_recalled_at=None,
            half_life_days=HALF_LIFE_DAYS,
            pinned=False,
            observed_at=candidate.observed_at,
            valid_from=candidate.valid_from,
            valid_to=candidate.valid_to,
            supersedes=decision.supersedes,
            metadata=candidate.metadata,
            created_at=self.now,
            updated_at=self.now,
            source_event_ids=(candidate.event_id,),
            trust=candidate.trust,
        )

    def _strengthen_all(self) -> None:
        ids = list(dict.fromkeys(decision.memory_id for decision in self._heard_again))
        current = {memory.memory_id: memory for memory in memories.by_ids(self.connection, self.org_id, ids)}
        strengths = {memory_id: memory.strength_at(self.now) for memory_id, memory in current.items()}
        changes = []
        for decision in self._heard_again:
            memory_id = decision.memory_id
            before = strengths[memory_id]
            strengths[memory_id] = reinforced_strength(before)
            memories.add_source(self.connection, self.org_id, memory_id, decision.event_id)
            replaced = {"strength": round(before, 4)}
            changes.append(NewChange(memory_id, "strengthened", f"heard again in event {decision.event_id}", replaced))
        memories.strengthen(self.connection, self.org_id, strengths, self.now)
        for memory_id, memory in current.items():
            if revived := _revived(memory):
                memories.change(self.connection, self.org_id, memory_id, revived)
        memories.note_changes(self.connection, self.org_id, changes, self.now)
        self._lower_trust(current)

    def _lower_trust(self, current: Mapping[str, Memory]) -> None:
        """A memory is worth what the least trusted of its sources is."""
        lowest = {memory_id: memory.trust for memory_id, memory in current.items()}
        for decision in self._heard_again:
            lowest[decision.memory_id] = min(lowest[decision.memory_id], decision.candidate.trust)
        fallen = trusting.hold_at(self.connection, self.deps, self.org_id, lowest)
        # Not in the index yet: what was added in this batch goes there when all its sources are known.
        for memory_id in fallen:
            if memory_id in self._entries:
                self._entries[memory_id] = [_marked(entry, lowest[memory_id]) for entry in self._entries[memory_id]]
        promotion.recheck(self.connection, self.deps, self.org_id, fallen)

    def _supersede_all(self) -> None:
        changes = []
        for memory_id, newer in self._superseded.items():
            closed = {"status": MemoryStatus.SUPERSEDED.value, "valid_to": newer.candidate.observed_at}
            memories.change(self.connection, self.org_id, memory_id, closed | {"updated_at": self.now})
            replaced = {"status": MemoryStatus.ACTIVE.value, "valid_to": None}
            reason = f"superseded by {newer.memory_id}"
            changes.append(NewChange(memory_id, "superseded", reason, replaced))
        memories.note_changes(self.connection, self.org_id, changes, self.now)
        self.deps.index.remove(self.connection, self.org_id, list(self._superseded))

    def _mark_outdated(self) -> None:
        """The words a superseded memory was read from stay findable, behind what holds now."""
        sources = memories.source_ids(self.connection, self.org_id, list(self._superseded))
        events = [event_id for ids in sources.values() for event_id in ids]
        verbatim = memories.verbatim_of(self.connection, self.org_id, events)
        self.deps.index.add_trait(self.connection, self.org_id, verbatim, Trait.OUTDATED)


def _marked(entry: IndexEntry, trust: Trust) -> IndexEntry:
    plain = entry.traits & ~int(Trait.LOW_TRUST | Trait.HIGH_TRUST)
    return replace(entry, traits=plain | int(trusting.trait_of(trust)))


def _origin(row: MemoryRow) -> str:
    return f"read from event {row.memory.source_event_ids[0]}"


def _revived(memory: Memory) -> Mapping[str, Any]:
    return {"status": MemoryStatus.ACTIVE.value} if memory.status is MemoryStatus.DECAYED else {}
