"""Memories by hand: read, list, edit, delete, and where they came from."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from memcairn.core import cursors
from memcairn.core.deps import Deps
from memcairn.core.indexing import prepare, reindex
from memcairn.core.promotion import recheck_around
from memcairn.core.trusting import hold_at
from memcairn.domain.candidates import digest_as, value_as
from memcairn.domain.errors import NotFound
from memcairn.domain.events import Event, EventKind
from memcairn.domain.keys import KeyScope, Principal
from memcairn.domain.memories import Memory, MemoryStatus
from memcairn.store import events, lineage, locks, memories, support
from memcairn.store.memories import MemoryFilter as MemoryFilter

_WORDS = frozenset({"text", "title", "tags", "metadata"})
"""What a memory says, in one form or another."""


@dataclass(frozen=True, slots=True)
class MemoryPage:
    """Some memories of a list, in its order; without a `next_cursor` they are the last."""

    items: Sequence[Memory]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class MemoryExcerpt:
    """Some memories of a list, and how many the whole list holds."""

    items: Sequence[Memory]
    total: int


async def get_memory(deps: Deps, principal: Principal, memory_id: str) -> Memory:
    """The memory of that id; NotFound if the org holds no live one."""
    principal.require(KeyScope.READ)
    return await deps.db.read(_require, principal.org_id, memory_id)


async def list_memories(
    deps: Deps,
    principal: Principal,
    where: memories.MemoryFilter,
    *,
    sort: str,
    limit: int,
    cursor: str | None = None,
) -> MemoryPage:
    """Live memories in the order of `sort`; pages are exact under concurrent additions and deletions."""
    principal.require(KeyScope.READ)
    of = asdict(where) | {"sort": sort}
    after = None
    if cursor is not None:
        value, memory_id = cursors.decode(cursor, of, length=2)
        after = memories.Mark(_sorted_by(sort, value), str(memory_id))

    def load(connection: Connection) -> list[Memory]:
        return memories.page(connection, principal.org_id, where, sort=sort, after=after, limit=limit + 1)

    found = await deps.db.read(load)
    items = found[:limit]
    if len(found) <= limit:
        return MemoryPage(items, None)
    value = getattr(items[-1], memories.SORTS[sort][0].name)
    place = value.isoformat() if isinstance(value, datetime) else value
    return MemoryPage(items, cursors.encode([place, items[-1].memory_id], of))


async def memories_from(
    deps: Deps, principal: Principal, where: memories.MemoryFilter, *, sort: str, skip: int, limit: int
) -> MemoryExcerpt:
    """The same list without its first `skip`, and how long it is."""
    principal.require(KeyScope.READ)

    def load(connection: Connection) -> MemoryExcerpt:
        total = memories.count(connection, principal.org_id, where)
        if skip >= total:
            return MemoryExcerpt([], total)
        found = memories.page(connection, principal.org_id, where, sort=sort, skip=skip, limit=limit)
        return MemoryExcerpt(found, total)

    return await deps.db.read(load)


async def memory_history(deps: Deps, principal: Principal, memory_id: str) -> list[memories.Change]:
    """Every change of a memory with its reason, oldest first."""
    principal.require(KeyScope.READ)

    def load(connection: Connection) -> list[memories.Change]:
        _require(connection, principal.org_id, memory_id)
        return memories.history(connection, principal.org_id, memory_id)

    return await deps.db.read(load)


async def memory_sources(deps: Deps, principal: Principal, memory_id: str) -> list[Event]:
    """The live events a memory rests on, in the order they were heard."""
    principal.require(KeyScope.READ)

    def load(connection: Connection) -> list[Event]:
        memory = _require(connection, principal.org_id, memory_id)
        return events.by_ids(connection, principal.org_id, list(memory.source_event_ids))

    return await deps.db.read(load)


async def update_memory(deps: Deps, principal: Principal, memory_id: str, values: Mapping[str, Any]) -> Memory:
    """Change fields by hand, keep what they were in the history, and bring the index up to date, all at once.

    What is None stays as it is; an empty title is removed.
    """
    principal.require(KeyScope.WRITE)
    values = {name: value or None if name == "title" else value for name, value in values.items() if value is not None}
    text = values.get("text") or (await deps.db.read(_require, principal.org_id, memory_id)).text
    [prepared] = await prepare(deps, [text])

    def save(connection: Connection) -> Memory:
        locks.reworking(connection, principal.org_id)
        before = _require(connection, principal.org_id, memory_id)
        changed = {name: value for name, value in values.items() if _plain(getattr(before, name)) != value}
        if not changed:
            return before
        now = deps.clock.now()
        compared = _compared(connection, before, str(changed["text"])) if "text" in changed else {}
        memories.change(connection, principal.org_id, memory_id, {**changed, **compared, "updated_at": now})
        replaced = {name: _plain(getattr(before, name)) for name in changed}
        note = memories.NewChange(memory_id, "edited", "changed by hand", replaced)
        memories.note_changes(connection, principal.org_id, [note], now)
        after = _require(connection, principal.org_id, memory_id)
        if changed.keys() & {"text", "status"}:
            first = events.by_ids(connection, principal.org_id, list(after.source_event_ids[:1]))
            by_assistant = any(event.kind is EventKind.ASSISTANT_MESSAGE for event in first)
            reindex(connection, deps, after, prepared, by_assistant=by_assistant)
        if changed.keys() & _WORDS and principal.trust < before.trust:
            # Whoever writes into a memory lends it no more than their own trust.
            hold_at(connection, deps, principal.org_id, {memory_id: principal.trust})
        if changed.keys() & {"text", "status", "tags", "metadata"}:
            recheck_around(connection, deps, principal.org_id, [], changed=[memory_id])
        return _require(connection, principal.org_id, memory_id)

    return await deps.db.write(save)


async def delete_memory(deps: Deps, principal: Principal, memory_id: str) -> None:
    """Hide a memory from every read and search at once. Its events stay; it is not derived from them again."""
    principal.require(KeyScope.WRITE)

    def save(connection: Connection) -> None:
        locks.reworking(connection, principal.org_id)
        _require(connection, principal.org_id, memory_id)
        memories.mark_deleted(connection, principal.org_id, [memory_id], deps.clock.now())
        deps.index.remove(connection, principal.org_id, [memory_id])
        by_hand = memories.NewChange(memory_id, support.DELETED_BY_HAND, "deleted by hand")
        memories.note_changes(connection, principal.org_id, [by_hand], deps.clock.now())
        recheck_around(connection, deps, principal.org_id, [memory_id])

    await deps.db.write(save)
    deps.metrics.memories_changed("forgotten")


def _sorted_by(sort: str, value: object) -> datetime | int | float:
    """The value of the sort column that a cursor holds."""
    column, _ = memories.SORTS[sort]
    return cursors.number(value) if column.type.python_type is float else cursors.moment(value)


def _require(connection: Connection, org_id: str, memory_id: str) -> Memory:
    found = memories.by_ids(connection, org_id, [memory_id])
    if not found:
        raise NotFound(f"There is no memory {memory_id!r}.", code="memory_not_found")
    return found[0]


def _compared(connection: Connection, before: Memory, text: str) -> dict[str, Any]:
    """By what a repetition finds the memory from now on: what somebody wrote, and no longer what was read."""
    compared = {"digest": digest_as(before, text)}
    if before.slot is None:
        return compared
    [known] = lineage.known_by_ids(connection, before.org_id, [before.memory_id])
    return compared | {"value": value_as(before.text, known.value or "", text)}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return value.value if isinstance(value, MemoryStatus) else value
