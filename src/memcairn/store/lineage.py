"""What memories rest on, and what took whose place: read and repaired when sources go away."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, select, update

from memcairn.store import memories
from memcairn.store.batches import chunks
from memcairn.store.memories import KnownMemory
from memcairn.store.schema import memories as memory_rows
from memcairn.store.schema import memory_history, memory_sources

_LIVE = memory_rows.c.deleted_at.is_(None)


@dataclass(frozen=True, slots=True)
class Link:
    """A memory as a link in a chain of replacements; `live` is False when it was deleted."""

    memory_id: str
    supersedes: str | None
    live: bool


def known_by_ids(connection: Connection, org_id: str, memory_ids: Sequence[str]) -> list[KnownMemory]:
    """Live memories with what consolidation compares them by, in the order asked for."""
    compared: dict[str, Any] = {}
    for chunk in chunks(memory_ids):
        statement = select(memory_rows.c.memory_id, memory_rows.c.digest, memory_rows.c.value).where(
            memory_rows.c.org_id == org_id, memory_rows.c.memory_id.in_(chunk), _LIVE
        )
        compared |= {row.memory_id: row for row in connection.execute(statement)}
    found = memories.by_ids(connection, org_id, memory_ids)
    return [KnownMemory(each, compared[each.memory_id].digest, compared[each.memory_id].value) for each in found]


def standing_alone(
    connection: Connection, org_id: str, memory_ids: Sequence[str], *, without: Collection[str]
) -> set[str]:
    """Those that rest on events of `without` only, fill no slot, and neither replaced nor were replaced by another.

    They are most of all memories: nothing more has to be known of them to let them go.
    """
    sources = memories.source_ids(connection, org_id, memory_ids)
    alone = [each for each in memory_ids if all(event_id in without for event_id in sources.get(each, ()))]
    replaced = successors(connection, org_id, alone)
    found: set[str] = set()
    for chunk in chunks([each for each in alone if each not in replaced]):
        statement = select(memory_rows.c.memory_id).where(
            memory_rows.c.org_id == org_id,
            memory_rows.c.memory_id.in_(chunk),
            memory_rows.c.slot_key.is_(None),
            memory_rows.c.supersedes.is_(None),
        )
        found.update(connection.execute(statement).scalars())
    return found


def link(connection: Connection, org_id: str, memory_id: str) -> Link | None:
    statement = select(memory_rows.c.memory_id, memory_rows.c.supersedes, memory_rows.c.deleted_at).where(
        memory_rows.c.org_id == org_id, memory_rows.c.memory_id == memory_id
    )
    row = connection.execute(statement).one_or_none()
    return None if row is None else Link(row.memory_id, row.supersedes, row.deleted_at is None)


def successors(connection: Connection, org_id: str, memory_ids: Sequence[str]) -> dict[str, list[str]]:
    """The live memories that took the place of each of these, in the order they were stored; those nothing has replaced
    are left out."""
    found: dict[str, list[str]] = {}
    for chunk in chunks(memory_ids):
        statement = select(memory_rows.c.supersedes, memory_rows.c.memory_id).where(
            memory_rows.c.org_id == org_id, memory_rows.c.supersedes.in_(chunk), _LIVE
        )
        for row in connection.execute(statement):
            found.setdefault(row.supersedes, []).append(row.memory_id)
    return {memory_id: sorted(its) for memory_id, its in found.items()}


def unlink(connection: Connection, org_id: str, memory_ids: Sequence[str], event_ids: Collection[str]) -> int:
    """Take events out of what these memories rest on, and their ids out of the history; returns how many links went."""
    count = 0
    for chunk in chunks(list(event_ids)):
        for of_memories in chunks(memory_ids):
            statement = delete(memory_sources).where(
                memory_sources.c.org_id == org_id,
                memory_sources.c.memory_id.in_(of_memories),
                memory_sources.c.event_id.in_(chunk),
            )
            count += connection.execute(statement).rowcount
    for memory_id in memory_ids:
        _forget_in_history(connection, org_id, memory_id, event_ids)
    return count


def edited_fields(connection: Connection, org_id: str, memory_id: str) -> set[str]:
    """The fields a person has changed by hand."""
    edits = [each.before for each in memories.history(connection, org_id, memory_id) if each.change == "edited"]
    return {name for before in edits for name in before or ()}


def former_texts(connection: Connection, org_id: str, memory_id: str) -> list[str]:
    """What a memory said before it was changed by hand, oldest first."""
    edits = [each.before or {} for each in memories.history(connection, org_id, memory_id) if each.change == "edited"]
    return [str(before["text"]) for before in edits if "text" in before]


def forget_former_values(connection: Connection, org_id: str, memory_id: str) -> None:
    """Keep the lines of a memory's history, without the values they replaced."""
    statement = update(memory_history).where(memory_history.c.org_id == org_id, memory_history.c.memory_id == memory_id)
    connection.execute(statement.values(before=None))


def _forget_in_history(connection: Connection, org_id: str, memory_id: str, event_ids: Collection[str]) -> None:
    for line in memories.history(connection, org_id, memory_id):
        named = next((event_id for event_id in event_ids if line.reason.endswith(f" {event_id}")), None)
        if named is not None:
            reason = line.reason.removesuffix(named) + "that was deleted since"
            mine = (memory_history.c.org_id == org_id, memory_history.c.change_id == line.change_id)
            connection.execute(update(memory_history).where(*mine).values(reason=reason))
