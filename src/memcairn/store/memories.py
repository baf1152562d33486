"""Memories at rest: the words, what they rest on, and every change with its reason."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, func, select, update

from memcairn.domain.candidates import MESSAGE
from memcairn.domain.ids import new_id
from memcairn.domain.memories import Entity, Memory, MemoryKind, MemoryStatus, Used
from memcairn.domain.scopes import Level, Scope
from memcairn.domain.trust import Trust
from memcairn.store import prepared, provenance, tallies
from memcairn.store.batches import chunks
from memcairn.store.paging import behind
from memcairn.store.prepared import Prepared
from memcairn.store.schema import memories, memory_history, memory_sources

_LIVE = memories.c.deleted_at.is_(None)
_HIDDEN = {"scope_key", "slot_key", "digest", "value", "deleted_at"}
_SHOWN = [column for column in memories.c if column.name not in _HIDDEN]
_LEVELS = {level.value: level for level in Level}
_KINDS = {kind.value: kind for kind in MemoryKind}
_STATUSES = {status.value: status for status in MemoryStatus}
_TRUSTS = {trust.value: trust for trust in Trust}
_BY_IDS = Prepared(
    select(*_SHOWN).where(
        memories.c.org_id == bindparam("of_org"), memories.c.memory_id.in_(bindparam("these", expanding=True)), _LIVE
    ),
    many="these",
)
_ALL_BY_IDS = Prepared(
    select(memories).where(
        memories.c.org_id == bindparam("of_org"), memories.c.memory_id.in_(bindparam("these", expanding=True)), _LIVE
    ),
    many="these",
)
"""With what only consolidation asks for. Were the scope asked for too, SQLite would go through it for many ids."""
_USES, _STRENGTHS = (
    select(memories.c.memory_id, *columns).where(
        memories.c.org_id == bindparam("org_id"),
        memories.c.memory_id.in_(bindparam("memory_ids", expanding=True)),
        _LIVE,
    )
    for columns in (
        [memories.c[name] for name in ("strength", "pinned", "created_at", "last_recalled_at", "half_life_days")],
        [memories.c.status, memories.c.strength],
    )
)
_RECALL = Prepared(
    update(memories)
    .where(memories.c.org_id == bindparam("of_org"), memories.c.memory_id == bindparam("recalled"), _LIVE)
    .values(
        strength=bindparam("recalled_to"),
        recall_count=memories.c.recall_count + bindparam("recalls"),
        last_recalled_at=bindparam("now"),
    )
)
_STRENGTHEN = Prepared(
    update(memories)
    .where(memories.c.org_id == bindparam("of_org"), memories.c.memory_id == bindparam("heard_again"), _LIVE)
    .values(strength=bindparam("strengthened_to"), updated_at=bindparam("now"))
)
_SOURCE_COUNT = Prepared(
    select(func.count().label("known"))
    .select_from(memory_sources)
    .where(memory_sources.c.org_id == bindparam("of_org"), memory_sources.c.memory_id == bindparam("of_memory"))
)
_WITH_ONE = {
    column.name: Prepared(
        select(memories).where(
            memories.c.org_id == bindparam("of_org"),
            memories.c.scope_key == bindparam("of_scope"),
            column == bindparam("wanted"),
            _LIVE,
        )
    )
    for column in (memories.c.digest, memories.c.slot_key)
}
"""For what the worker asks of each actor, most of whom said one thing."""

_WITH_SOME = {
    column.name: Prepared(
        select(memories).where(
            memories.c.org_id == bindparam("of_org"),
            memories.c.scope_key == bindparam("of_scope"),
            column.in_(bindparam("these", expanding=True)),
            _LIVE,
        ),
        many="these",
    )
    for column in (memories.c.digest, memories.c.slot_key)
}
_RESTING_ON = Prepared(
    select(memory_sources.c.memory_id)
    .join(
        memories,
        and_(memories.c.org_id == memory_sources.c.org_id, memories.c.memory_id == memory_sources.c.memory_id),
    )
    .where(
        memory_sources.c.org_id == bindparam("of_org"),
        memory_sources.c.event_id.in_(bindparam("these", expanding=True)),
        _LIVE,
    ),
    many="these",
)


@dataclass(frozen=True, slots=True)
class MemoryRow:
    """A memory on its way in, with the keys by which a repetition or a correction finds it."""

    memory: Memory
    digest: str
    slot_key: str | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True)
class MemoryFilter:
    """Which memories a list holds; None means any."""

    actor_id: str | None = None
    session_id: str | None = None
    kind: str | None = None
    type: str | None = None
    status: str | None = None
    level: str | None = None
    role_id: str | None = None
    team_id: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class KnownMemory:
    """A memory as consolidation sees it."""

    memory: Memory
    digest: str
    value: str | None


@dataclass(frozen=True, slots=True)
class Change:
    change_id: str
    change: str
    reason: str
    before: Mapping[str, Any] | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewChange:
    """A line of history to be written: what happened to `memory_id`, and the values it replaced."""

    memory_id: str
    change: str
    reason: str
    before: Mapping[str, Any] | None = field(default=None)


@dataclass(frozen=True, slots=True)
class Mark:
    """The last memory of a page: its value in the sort column, and its id."""

    value: Any
    memory_id: str


SORTS: Mapping[str, tuple[ColumnElement[Any], bool]] = {
    "observed_at_desc": (memories.c.observed_at, True),
    "observed_at_asc": (memories.c.observed_at, False),
    "created_at_desc": (memories.c.created_at, True),
    "strength_desc": (memories.c.strength, True),
    "confidence_desc": (memories.c.confidence, True),
}
"""Sort name to column and whether it descends; ties are broken by id in the same direction."""


def add(connection: Connection, rows: Sequence[MemoryRow]) -> None:
    if not rows:
        return
    prepared.add(connection, memories, [_columns(row) for row in rows])
    links = [
        {"org_id": row.memory.org_id, "memory_id": row.memory.memory_id, "event_id": event_id, "ordinal": ordinal}
        for row in rows
        for ordinal, event_id in enumerate(row.memory.source_event_ids)
    ]
    prepared.add(connection, memory_sources, links)
    for org_id in dict.fromkeys(row.memory.org_id for row in rows):
        come = [tallies.of_memory(row.memory) for row in rows if row.memory.org_id == org_id]
        tallies.record(connection, org_id, come=come)


def add_source(connection: Connection, org_id: str, memory_id: str, event_id: str) -> None:
    bound = {"of_org": org_id, "of_memory": memory_id}
    ordinal = _SOURCE_COUNT.first(connection, bound).known
    row = {"org_id": org_id, "memory_id": memory_id, "event_id": event_id, "ordinal": ordinal}
    prepared.add(connection, memory_sources, [row])


def change(connection: Connection, org_id: str, memory_id: str, values: Mapping[str, Any]) -> int:
    """Set columns of one live memory; returns 0 when there is none of that id."""
    statement = update(memories).where(memories.c.org_id == org_id, memories.c.memory_id == memory_id, _LIVE)
    if not values.keys() & tallies.COUNTED_COLUMNS:
        return connection.execute(statement.values(dict(values))).rowcount
    before = tallies.of_rows(connection, org_id, memory_ids=[memory_id])
    count = connection.execute(statement.values(dict(values))).rowcount
    after = [each.changed(values) for each in before.values()]
    tallies.record(connection, org_id, gone=before.values(), come=after)
    return count


def note_changes(connection: Connection, org_id: str, changes: Iterable[NewChange], now: datetime) -> None:
    rows = [
        {
            "org_id": org_id,
            "change_id": new_id(),
            "memory_id": new.memory_id,
            "change": new.change,
            "reason": new.reason,
            "before": None if new.before is None else dict(new.before),
            "created_at": now,
        }
        for new in changes
    ]
    prepared.add(connection, memory_history, rows)


def by_ids(connection: Connection, org_id: str, memory_ids: Sequence[str]) -> list[Memory]:
    """The live memories among `memory_ids`, in the order asked for, with their live sources."""
    found: dict[str, Memory] = {}
    for chunk in chunks(memory_ids):
        rows = _BY_IDS.rows(connection, {"of_org": org_id, "these": chunk})
        found |= {memory.memory_id: memory for memory in _memories(connection, org_id, rows)}
    return [found[memory_id] for memory_id in memory_ids if memory_id in found]


def is_deleted(connection: Connection, org_id: str, memory_id: str) -> bool:
    """Whether the org holds a memory of that id that was deleted and is not purged yet."""
    mine = (memories.c.org_id == org_id, memories.c.memory_id == memory_id)
    return connection.execute(select(func.count()).where(*mine, ~_LIVE)).scalar_one() > 0


def count(connection: Connection, org_id: str, where: MemoryFilter) -> int:
    statement = select(func.count()).where(memories.c.org_id == org_id, _LIVE, *_conditions(where))
    return connection.execute(statement).scalar_one()


def page(
    connection: Connection,
    org_id: str,
    where: MemoryFilter,
    *,
    sort: str,
    after: Mark | None = None,
    skip: int = 0,
    limit: int,
) -> list[Memory]:
    """Live memories in the order of `sort`, at most `limit` of them behind `after` or without the first `skip`."""
    column, descending = SORTS[sort]
    statement = select(memories).where(memories.c.org_id == org_id, _LIVE, *_conditions(where))
    if after is not None:
        mark = (after.value, after.memory_id)
        statement = statement.where(behind((column, memories.c.memory_id), mark, descending=descending))
    order = (column.desc(), memories.c.memory_id.desc()) if descending else (column, memories.c.memory_id)
    rows = connection.execute(statement.order_by(*order).limit(limit).offset(skip)).all()
    return _memories(connection, org_id, rows)


def source_ids(connection: Connection, org_id: str, memory_ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The live source events of each memory, in the order they were heard."""
    sources = provenance.sources(connection, org_id, memory_ids)
    return {memory_id: tuple(each.event_id for each in its) for memory_id, its in sources.items()}


def ids_by_sources(connection: Connection, org_id: str, event_ids: Sequence[str]) -> list[str]:
    """The live memories that rest on any of these events, in the order they were stored."""
    found: set[str] = set()
    for chunk in chunks(event_ids):
        found |= {row.memory_id for row in _RESTING_ON.rows(connection, {"of_org": org_id, "these": chunk})}
    return sorted(found)


def verbatim_of(connection: Connection, org_id: str, event_ids: Sequence[str]) -> list[str]:
    """The live memories that keep the very words of these events."""
    found = by_ids(connection, org_id, ids_by_sources(connection, org_id, event_ids))
    return [memory.memory_id for memory in found if memory.type == MESSAGE]


def known(
    connection: Connection,
    org_id: str,
    scope_key: str,
    *,
    digests: Sequence[str],
    slots: Sequence[str],
    memory_ids: Sequence[str] = (),
) -> list[KnownMemory]:
    """Live memories of a scope, of any status, oldest first.

    Those that say the same (by digest), fill the same slot, or are among `memory_ids`.
    """
    rows: dict[str, Any] = {}
    for column, wanted in ((memories.c.digest, digests), (memories.c.slot_key, slots)):
        if len(wanted) == 1:
            bound = {"of_org": org_id, "of_scope": scope_key, "wanted": wanted[0]}
            rows |= {row.memory_id: row for row in _WITH_ONE[column.name].rows(connection, bound)}
            continue
        for chunk in chunks(wanted):
            several = {"of_org": org_id, "of_scope": scope_key, "these": chunk}
            rows |= {row.memory_id: row for row in _WITH_SOME[column.name].rows(connection, several)}
    for chunk in chunks(memory_ids):
        found = _ALL_BY_IDS.rows(connection, {"of_org": org_id, "these": chunk})
        rows |= {row.memory_id: row for row in found if row.scope_key == scope_key}
    ordered = sorted(rows.values(), key=lambda row: (row.observed_at, row.memory_id))
    known_memories = _memories(connection, org_id, ordered) if ordered else []
    return [KnownMemory(each, row.digest, row.value) for each, row in zip(known_memories, ordered, strict=True)]


def history(connection: Connection, org_id: str, memory_id: str) -> list[Change]:
    """Every change of one memory, oldest first."""
    statement = (
        select(
            memory_history.c.change_id,
            memory_history.c.change,
            memory_history.c.reason,
            memory_history.c.before,
            memory_history.c.created_at,
        )
        .where(memory_history.c.org_id == org_id, memory_history.c.memory_id == memory_id)
        .order_by(memory_history.c.change_id)
    )
    return [Change(*row) for row in connection.execute(statement)]


def uses(connection: Connection, org_id: str, memory_ids: Sequence[str]) -> dict[str, Used]:
    """What the strengths of the live memories among `memory_ids` depend on."""
    return {
        row.memory_id: row
        for chunk in chunks(memory_ids)
        for row in connection.execute(_USES, {"org_id": org_id, "memory_ids": chunk})
    }


def reinforce(
    connection: Connection, org_id: str, strengths: Mapping[str, float], recalls: Mapping[str, int], now: datetime
) -> None:
    """Set the strength of recalled memories and count the recalls."""
    gained = _gained(connection, org_id, strengths)
    # All at once: every search recalls ten memories, and most of the work was putting statements together.
    rows = [
        {"of_org": org_id, "recalled": memory_id, "recalled_to": strength, "recalls": recalls[memory_id], "now": now}
        for memory_id, strength in strengths.items()
    ]
    _RECALL.run(connection, rows)
    tallies.strengthened(connection, org_id, gained)


def strengthen(connection: Connection, org_id: str, strengths: Mapping[str, float], now: datetime) -> None:
    """Set the strength of memories that were heard again."""
    gained = _gained(connection, org_id, strengths)
    rows = [
        {"of_org": org_id, "heard_again": memory_id, "strengthened_to": strength, "now": now}
        for memory_id, strength in strengths.items()
    ]
    _STRENGTHEN.run(connection, rows)
    tallies.strengthened(connection, org_id, gained)


def _gained(connection: Connection, org_id: str, strengths: Mapping[str, float]) -> Counter[str]:
    """By how much new strengths differ from those the live memories among them have, by status."""
    gained: Counter[str] = Counter()
    for chunk in chunks(list(strengths)):
        for row in connection.execute(_STRENGTHS, {"org_id": org_id, "memory_ids": chunk}):
            gained[row.status] += strengths[row.memory_id] - row.strength
    return gained


def mark_deleted(connection: Connection, org_id: str, memory_ids: Sequence[str], now: datetime) -> int:
    """Hide live memories from every read; returns how many there were."""
    gone = tallies.of_rows(connection, org_id, memory_ids=memory_ids)
    count = 0
    for chunk in chunks(memory_ids):
        statement = update(memories).where(memories.c.org_id == org_id, memories.c.memory_id.in_(chunk), _LIVE)
        count += connection.execute(statement.values(deleted_at=now, updated_at=now)).rowcount
    tallies.record(connection, org_id, gone=gone.values())
    return count


def erase(connection: Connection, org_id: str, memory_ids: Sequence[str]) -> int:
    """Remove rows for good, with their history and links; returns how many memories there were."""
    gone = tallies.of_rows(connection, org_id, memory_ids=memory_ids)
    count = 0
    for chunk in chunks(memory_ids):
        statement = delete(memories).where(memories.c.org_id == org_id, memories.c.memory_id.in_(chunk))
        count += connection.execute(statement).rowcount
    tallies.record(connection, org_id, gone=gone.values())
    return count


def _conditions(where: MemoryFilter) -> list[ColumnElement[bool]]:
    names = ("actor_id", "session_id", "kind", "type", "status", "level", "role_id", "team_id")
    conditions: list[ColumnElement[bool]] = [
        memories.c[name] == getattr(where, name) for name in names if getattr(where, name) is not None
    ]
    if where.text is not None:
        conditions.append(memories.c.text.icontains(where.text, autoescape=True))
    return conditions


def _columns(row: MemoryRow) -> dict[str, Any]:
    memory = row.memory
    values = {name: getattr(memory, name) for name in Memory.__slots__}
    scope: Scope = values.pop("scope")
    values.pop("source_event_ids")
    values.pop("origins")
    return values | {
        "scope_key": scope.key,
        "level": scope.level.value,
        "actor_id": scope.actor_id,
        "role_id": scope.role_id,
        "team_id": scope.team_id,
        "kind": memory.kind.value,
        "status": memory.status.value,
        "trust": int(memory.trust),
        "slot_key": row.slot_key,
        "tags": list(memory.tags),
        "entities": [{"name": entity.name, "type": entity.type} for entity in memory.entities],
        "metadata": dict(memory.metadata),
        "digest": row.digest,
        "value": row.value,
    }


def _memories(connection: Connection, org_id: str, rows: Sequence[Any]) -> list[Memory]:
    sources = provenance.sources(connection, org_id, [row.memory_id for row in rows])
    return [_memory(row, sources.get(row.memory_id, ())) for row in rows]


def _memory(row: Any, sources: Sequence[provenance.Source]) -> Memory:
    # Every search makes as many of these as it has hits: named one by one, in a third of the time a loop takes.
    return Memory(
        org_id=row.org_id,
        memory_id=row.memory_id,
        scope=Scope(_LEVELS[row.level], row.actor_id, row.role_id, row.team_id),
        session_id=row.session_id,
        position=row.position,
        kind=_KINDS[row.kind],
        type=row.type,
        status=_STATUSES[row.status],
        text=row.text,
        title=row.title,
        speaker=row.speaker,
        slot=row.slot,
        tags=tuple(row.tags),
        entities=tuple(Entity(**entity) for entity in row.entities),
        confidence=row.confidence,
        strength=row.strength,
        recall_count=row.recall_count,
        last_recalled_at=row.last_recalled_at,
        half_life_days=row.half_life_days,
        pinned=row.pinned,
        observed_at=row.observed_at,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        supersedes=row.supersedes,
        metadata=row.metadata,
        created_at=row.created_at,
        updated_at=row.updated_at,
        source_event_ids=tuple(each.event_id for each in sources),
        trust=_TRUSTS[row.trust],
        origins=tuple(dict.fromkeys(each.origin for each in sources if each.origin is not None)),
    )
