"""Hiding events with everything that rests on them, in one transaction.

What that means is decided by `core.deletion_plan`, which only reads: so the texts that need new vectors can be embedded
beforehand, while no connection is held.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from memcairn.core.deletion_plan import Closing, Moved, Plan, plan
from memcairn.core.deps import Deps
from memcairn.core.indexing import Prepared, Segment, prepare, reindex
from memcairn.core.ingest import work_for
from memcairn.core.promotion import recheck, take_note
from memcairn.core.trusting import settle
from memcairn.domain.events import Event, EventStatus
from memcairn.domain.memories import Memory, MemoryStatus
from memcairn.domain.pool import Trait
from memcairn.store import events, jobs, lineage, memories, summaries
from memcairn.store.index.analysis import analyse, segments, traits_of
from memcairn.store.memories import NewChange


async def prepared_for(deps: Deps, org_id: str, find: Callable[[Connection], Sequence[str]]) -> dict[str, Prepared]:
    """The texts that hiding the events `find` returns would put into the index, cut and embedded."""

    def read(connection: Connection) -> list[str]:
        return plan(connection, org_id, find(connection), deps.clock.now()).texts

    texts = list(dict.fromkeys(await deps.db.read(read)))
    return dict(zip(texts, await prepare(deps, texts), strict=True)) if texts else {}


@dataclass(frozen=True, slots=True)
class Hidden:
    """How many live events were hidden, and what went for good with them: index rows, links of memories that stay."""

    events: int
    index_rows: int
    links: int


def hide_events(
    connection: Connection,
    deps: Deps,
    org_id: str,
    event_ids: Sequence[str],
    *,
    prepared: Mapping[str, Prepared],
) -> Hidden:
    """Hide events with all that rests on them alone, from every read at once."""
    decided = plan(connection, org_id, event_ids, deps.clock.now())
    count = events.mark_deleted(connection, org_id, event_ids, deps.clock.now())
    hidden = hide_derived(connection, deps, org_id, decided, gone=event_ids, prepared=prepared)
    return replace(hidden, events=count)


def hide_derived(
    connection: Connection,
    deps: Deps,
    org_id: str,
    decided: Plan,
    *,
    gone: Sequence[str],
    prepared: Mapping[str, Prepared],
) -> Hidden:
    """Carry out a plan made in this transaction for the events `gone`; the events themselves are left as they are."""
    work = _Work(connection, deps, org_id, prepared, deps.clock.now())
    memories.mark_deleted(connection, org_id, decided.vanished, work.now)
    index_rows = deps.index.remove(connection, org_id, decided.vanished)
    links = lineage.unlink(connection, org_id, decided.staying, gone)
    for moved in decided.moved:
        work.move(moved)
    trusted_again = settle(connection, deps, org_id, decided.staying)
    for closing in decided.closings:
        work.close_or_open(closing)
    for memory_id, supersedes in decided.relinked.items():
        memories.change(connection, org_id, memory_id, {"supersedes": supersedes, "updated_at": work.now})
    _derive_again(connection, org_id, decided.to_derive_again, work.now)
    moved_ids = [moved.memory.memory_id for moved in decided.moved]
    recheck(connection, deps, org_id, [*decided.vanished, *decided.staying], changed=moved_ids)
    reopened = [each.memory.memory_id for each in decided.closings if each.successor is None]
    take_note(connection, deps, org_id, [*reopened, *trusted_again])
    return Hidden(0, index_rows, links)


def forget_summaries(connection: Connection, org_id: str, gone: Sequence[Event], now: datetime) -> int:
    """Hide the summaries that may hold words of these events, in the transaction that hid or rewrote the events.

    Returns how many there were.
    """
    positions: dict[str, list[int]] = {}
    for event in gone:
        positions.setdefault(event.session_id, []).append(event.position)
    return sum(
        summaries.forget_covering(connection, org_id, session_id, its, now) for session_id, its in positions.items()
    )


def _derive_again(connection: Connection, org_id: str, sources: Sequence[Event], now: datetime) -> None:
    """What was read out of these events together with a deleted one is read out of them alone."""
    if sources:
        events.mark(connection, org_id, [event.event_id for event in sources], EventStatus.PENDING, now=now)
        jobs.enqueue(connection, list(work_for(org_id, sources)), now)


@dataclass(frozen=True, slots=True)
class _Work:
    """The writes of one plan."""

    connection: Connection
    deps: Deps
    org_id: str
    prepared: Mapping[str, Prepared]
    now: datetime

    def move(self, moved: Moved) -> None:
        memory_id = moved.memory.memory_id
        memories.change(self.connection, self.org_id, memory_id, {**moved.values, "updated_at": self.now})
        lineage.forget_former_values(self.connection, self.org_id, memory_id)
        self._note(memory_id, "moved", "what it was first read from was deleted; other events still say it")
        self._reindex(moved.memory, by_assistant=moved.by_assistant)

    def close_or_open(self, closing: Closing) -> None:
        memory, successor = closing.memory, closing.successor
        if successor is not None:
            values: dict[str, Any] = {"valid_to": successor.observed_at}
            memories.change(self.connection, self.org_id, memory.memory_id, values | {"updated_at": self.now})
            return
        values = {"status": MemoryStatus.ACTIVE.value, "valid_to": None, "updated_at": self.now}
        memories.change(self.connection, self.org_id, memory.memory_id, values)
        self._note(memory.memory_id, "holds_again", "what had superseded it was deleted")
        opened = replace(memory, status=MemoryStatus.ACTIVE, valid_to=None)
        self._reindex(opened, by_assistant=closing.by_assistant)
        self._mark_current(opened)

    def _mark_current(self, memory: Memory) -> None:
        """The words it was read from are no longer outdated, unless they also say something else that is."""
        sources = list(memory.source_event_ids)
        beside = memories.by_ids(
            self.connection, self.org_id, memories.ids_by_sources(self.connection, self.org_id, sources)
        )
        still = {
            event_id for each in beside if each.status is MemoryStatus.SUPERSEDED for event_id in each.source_event_ids
        }
        current = [event_id for event_id in sources if event_id not in still]
        verbatim = memories.verbatim_of(self.connection, self.org_id, current)
        self.deps.index.drop_trait(self.connection, self.org_id, verbatim, Trait.OUTDATED)

    def _reindex(self, memory: Memory, *, by_assistant: bool) -> None:
        # A text that needs a vector nobody foresaw is found by its words until it is written again.
        words_only = [Segment(analyse(piece), traits_of(piece), None) for piece in segments(memory.text)]
        prepared = self.prepared.get(memory.text) or words_only
        reindex(self.connection, self.deps, memory, prepared, by_assistant=by_assistant)

    def _note(self, memory_id: str, change: str, reason: str) -> None:
        memories.note_changes(self.connection, self.org_id, [NewChange(memory_id, change, reason)], self.now)
