"""What has to go, to stay and to come back when events do: decided here, and nothing written.

A memory that rests on nothing else goes with its events. One with other sources stays and is put on the first of
those: its words are read out of them anew, so that none of a deleted event is left. What a vanished memory had closed
holds again, unless something else has closed it since.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from memcairn.domain.candidates import Candidate, slot_key
from memcairn.domain.consolidation import Known, Strengthen, consolidate
from memcairn.domain.events import Event, EventKind
from memcairn.domain.extraction import extract
from memcairn.domain.memories import Memory, MemoryStatus
from memcairn.domain.scopes import Level
from memcairn.domain.supersession import Belief, next_rival
from memcairn.store import events, lineage, memories
from memcairn.store.memories import KnownMemory

_CLOSED_BY_ANOTHER = frozenset({MemoryStatus.ACTIVE, MemoryStatus.DECAYED, MemoryStatus.SUPERSEDED})


@dataclass(frozen=True, slots=True)
class Moved:
    """A memory put on another source: what it is from now on, the columns that say so, and who said it."""

    memory: Memory
    values: Mapping[str, Any]
    by_assistant: bool


@dataclass(frozen=True, slots=True)
class Closing:
    """A closed memory after what closed it is gone: closed by `successor` from now on, or open again (None)."""

    memory: Memory
    successor: Belief | None
    by_assistant: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What the disappearance of some events does to what was derived from them."""

    vanished: Sequence[str]
    staying: Sequence[str]
    moved: Sequence[Moved]
    closings: Sequence[Closing]
    relinked: Mapping[str, str | None]
    """Memory to what it supersedes from now on."""
    to_derive_again: Sequence[Event]

    @property
    def texts(self) -> list[str]:
        """What the index will need vectors of."""
        opened = [each.memory.text for each in self.closings if each.successor is None]
        return [each.memory.text for each in self.moved if each.memory.status is MemoryStatus.ACTIVE] + opened


def plan(connection: Connection, org_id: str, event_ids: Sequence[str], now: datetime) -> Plan:
    """What hiding these events means for what was derived from them; nothing is written."""
    gone = frozenset(event_ids)
    touched_ids = memories.ids_by_sources(connection, org_id, event_ids)
    alone = lineage.standing_alone(connection, org_id, touched_ids, without=gone)
    touched = lineage.known_by_ids(connection, org_id, [each for each in touched_ids if each not in alone])
    places = _places(connection, org_id, event_ids) if touched else frozenset()
    vanished: list[KnownMemory] = []
    staying: list[str] = []
    moved: list[Moved] = []
    to_derive_again: dict[str, Event] = {}
    for known in touched:
        left = [event_id for event_id in known.memory.source_event_ids if event_id not in gone]
        sources = events.by_ids(connection, org_id, left) if left else []
        if not sources:
            vanished.append(known)
        elif (known.memory.session_id, known.memory.position) not in places:
            staying.append(known.memory.memory_id)
        elif (on_another := _moved(connection, org_id, known, sources, now)) is not None:
            staying.append(known.memory.memory_id)
            moved.append(on_another)
        else:
            vanished.append(known)
            to_derive_again |= {event.event_id: event for event in sources}
    closings, relinked = _closings(connection, org_id, vanished)
    gone_memories = [*sorted(alone), *(known.memory.memory_id for known in vanished)]
    return Plan(gone_memories, staying, moved, closings, relinked, list(to_derive_again.values()))


def _places(connection: Connection, org_id: str, event_ids: Sequence[str]) -> frozenset[tuple[str | None, int | None]]:
    found = events.by_ids(connection, org_id, event_ids, deleted=True)
    return frozenset((event.session_id, event.position) for event in found)


def _moved(
    connection: Connection, org_id: str, known: KnownMemory, sources: Sequence[Event], now: datetime
) -> Moved | None:
    """The memory as its other sources tell it; None when none of them does."""
    edited = lineage.edited_fields(connection, org_id, known.memory.memory_id)
    said_there = [(event, candidate) for event in sources for candidate in extract(event)]
    found = next(((event, each) for event, each in said_there if _says(each, known, now)), None)
    if found is None and "text" not in edited and known.memory.scope.level is Level.ACTOR:
        return None
    event, candidate = found or (sources[0], None)
    values: dict[str, Any] = {
        "session_id": event.session_id if known.memory.session_id is not None else None,
        "position": event.position,
        "observed_at": event.occurred_at,
    }
    if candidate is not None and known.memory.scope.level is Level.ACTOR:
        values |= _words_of(candidate, edited)
    plain = {name: value for name, value in values.items() if name not in {"digest", "value", "entities"}}
    entities = known.memory.entities if candidate is None or "entities" not in values else candidate.entities
    memory = replace(known.memory, **plain, entities=entities, source_event_ids=[each.event_id for each in sources])
    return Moved(memory, values, event.kind is EventKind.ASSISTANT_MESSAGE)


def _says(candidate: Candidate, known: KnownMemory, now: datetime) -> bool:
    """Whether a candidate, heard by itself, would have strengthened the memory."""
    memory = known.memory
    held = Known(
        memory_id=memory.memory_id,
        kind=memory.kind,
        type=memory.type,
        text=memory.text,
        speaker=memory.speaker,
        digest=known.digest,
        observed_at=candidate.observed_at,
        slot=memory.slot,
        value=known.value,
        trust=memory.trust,
    )
    [decision] = consolidate([candidate], [held], now)
    return isinstance(decision, Strengthen)


def _words_of(candidate: Candidate, edited: Collection[str]) -> dict[str, Any]:
    """What a memory takes over from a candidate, except for what a person has written."""
    values: dict[str, Any] = {
        "text": candidate.text,
        "title": candidate.title,
        "tags": list(candidate.tags),
        "metadata": dict(candidate.metadata),
    }
    values = {name: value for name, value in values.items() if name not in edited}
    values |= {"digest": candidate.digest, "value": candidate.value}
    if "text" in values:
        values["entities"] = [{"name": each.name, "type": each.type} for each in candidate.entities]
    return values


def _closings(
    connection: Connection, org_id: str, vanished: Sequence[KnownMemory]
) -> tuple[list[Closing], dict[str, str | None]]:
    """What becomes of the memories the vanished ones had closed, and of those that had closed the vanished ones."""
    gone = {known.memory.memory_id for known in vanished}
    closings: dict[str, Closing] = {}
    relinked: dict[str, str | None] = {}
    replaced_by = lineage.successors(connection, org_id, list(gone))
    rivals: dict[str, tuple[dict[str, Belief], dict[str, Belief]]] = {}
    for known in vanished:
        before = _predecessor(connection, org_id, known.memory.supersedes, gone)
        above = _left_above(known.memory.memory_id, replaced_by, gone)
        after = {each.memory.memory_id: _belief(each) for each in lineage.known_by_ids(connection, org_id, above)}
        relinked |= dict.fromkeys(after, before)
        in_slot = _in_slot(connection, org_id, known, gone)
        for closed in _closed_by(connection, org_id, known, before, in_slot):
            # Of several that go at once each may have closed it: whatever stands against it beside any of them counts.
            others, explicit = rivals.setdefault(closed.memory.memory_id, ({}, {}))
            others |= {e.memory.memory_id: _belief(e) for e in in_slot if e.memory.status in _CLOSED_BY_ANOTHER}
            explicit |= after
            rival = next_rival(_belief(closed), list(others.values()), list(explicit.values()))
            first = events.by_ids(connection, org_id, list(closed.memory.source_event_ids[:1]))
            by_assistant = any(event.kind is EventKind.ASSISTANT_MESSAGE for event in first)
            closings[closed.memory.memory_id] = Closing(closed.memory, rival, by_assistant)
    return list(closings.values()), relinked


def _predecessor(connection: Connection, org_id: str, memory_id: str | None, gone: Collection[str]) -> str | None:
    """Down the chain of replacements to the first that is left."""
    seen: set[str] = set()
    while memory_id is not None and memory_id not in seen:
        seen.add(memory_id)
        link = lineage.link(connection, org_id, memory_id)
        if link is None or (link.live and memory_id not in gone):
            return None if link is None else memory_id
        memory_id = link.supersedes
    return None


def _left_above(memory_id: str, replaced_by: Mapping[str, Sequence[str]], gone: Collection[str]) -> list[str]:
    """Up the chain of replacements to the first that are left."""
    left: list[str] = []
    above = list(replaced_by.get(memory_id, ()))
    while above:
        each = above.pop()
        if each in gone:
            above += replaced_by.get(each, ())
        else:
            left.append(each)
    return left


def _in_slot(connection: Connection, org_id: str, known: KnownMemory, gone: Collection[str]) -> list[KnownMemory]:
    memory = known.memory
    if memory.slot is None:
        return []
    slots = [slot_key(memory.speaker or "", memory.slot)]
    found = memories.known(connection, org_id, memory.scope.key, digests=[], slots=slots)
    return [each for each in found if each.memory.memory_id not in gone]


def _closed_by(
    connection: Connection, org_id: str, known: KnownMemory, before: str | None, in_slot: Sequence[KnownMemory]
) -> list[KnownMemory]:
    """What a vanished memory had closed: its predecessor, and what came late and was closed from the start."""
    late = [each for each in in_slot if each.memory.valid_to == known.memory.observed_at]
    replaced = [] if before is None else lineage.known_by_ids(connection, org_id, [before])
    both = {each.memory.memory_id: each for each in (*late, *replaced)}
    return [each for each in both.values() if each.memory.status is MemoryStatus.SUPERSEDED]


def _belief(known: KnownMemory) -> Belief:
    return Belief(known.memory.memory_id, known.memory.observed_at, known.value)
