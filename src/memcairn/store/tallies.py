"""How many memories there are of each sort and actor, kept exact by every write to `memories` in its transaction.

Counting 100,000 rows takes longer than answering should: so each write says what it took away and what it added.
"""

import functools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, case, delete, func, select, update

from memcairn.domain.memories import Memory, MemoryStatus
from memcairn.domain.statistics import bucket_of
from memcairn.store.batches import chunks
from memcairn.store.dialect import at_end, bring_forward, upsert_on
from memcairn.store.prepared import Prepared
from memcairn.store.schema import actor_tallies, memories, memory_tallies

STATUS, KIND, TYPE, LEVEL, CONFIDENCE, ENTITY = "status", "kind", "type", "level", "confidence", "entity"
"""Facets. Only the one of the status carries sums: together its rows hold every memory once."""

_VALUE_CHARS, _DETAIL_CHARS = 256, 64
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Counted:
    """What of a memory is counted."""

    actor_id: str | None
    level: str
    kind: str
    type: str
    status: str
    confidence: float
    strength: float
    entities: frozenset[tuple[str, str]]
    created_at: datetime

    def changed(self, values: Mapping[str, Any]) -> "Counted":
        """The same with columns set to other values; those that are not counted change nothing."""
        known = {name: value for name, value in values.items() if name in Counted.__slots__}
        if "entities" in known:
            known["entities"] = _named(known["entities"])
        return replace(self, **known)


COUNTED_COLUMNS = frozenset(Counted.__slots__)


@dataclass(frozen=True, slots=True)
class FacetKey:
    facet: str
    value: str
    detail: str = ""


@dataclass(slots=True)
class FacetSum:
    count: int = 0
    confidence: float = 0.0
    strength: float = 0.0

    @property
    def changed(self) -> bool:
        """Sums that went up and down again are nothing, but for what the last bits lost."""
        return self.count != 0 or abs(self.confidence) > _ROUNDING or abs(self.strength) > _ROUNDING


@dataclass(slots=True)
class ActorSum:
    count: int = 0
    active: int = 0
    moments: Counter[datetime] = field(default_factory=Counter)
    """By when they were made: a memory that goes and comes again in another state leaves no trace here."""

    @property
    def changed(self) -> bool:
        return self.active != 0 or any(self.moments.values())

    @property
    def lost_some(self) -> bool:
        return any(count < 0 for count in self.moments.values())

    @property
    def first(self) -> datetime | None:
        return min((moment for moment, count in self.moments.items() if count > 0), default=None)

    @property
    def last(self) -> datetime | None:
        return max((moment for moment, count in self.moments.items() if count > 0), default=None)


@dataclass(slots=True)
class Tally:
    """Sums over memories that were added (sign 1) and taken away (sign -1)."""

    facets: dict[FacetKey, FacetSum] = field(default_factory=dict)
    actors: dict[str, ActorSum] = field(default_factory=dict)

    def include(self, counted: Counted, sign: int) -> None:
        for key in _facets(counted):
            facet = self.facets.setdefault(key, FacetSum())
            facet.count += sign
            if key.facet == STATUS:
                facet.confidence += sign * counted.confidence
                facet.strength += sign * counted.strength
        if counted.actor_id is None:
            return
        actor = self.actors.setdefault(counted.actor_id, ActorSum())
        actor.count += sign
        actor.active += sign * (counted.status == MemoryStatus.ACTIVE.value)
        actor.moments[counted.created_at] += sign


def of_memory(memory: Memory) -> Counted:
    return Counted(
        actor_id=memory.scope.actor_id,
        level=memory.scope.level.value,
        kind=memory.kind.value,
        type=memory.type,
        status=memory.status.value,
        confidence=memory.confidence,
        strength=memory.strength,
        entities=frozenset((entity.name[:_VALUE_CHARS], entity.type[:_DETAIL_CHARS]) for entity in memory.entities),
        created_at=memory.created_at,
    )


def of_rows(
    connection: Connection, org_id: str, *, memory_ids: Sequence[str] | None = None, actor_id: str | None = None
) -> dict[str, Counted]:
    """What is counted of the live memories among `memory_ids`, of an actor, or of the whole org; by memory id."""
    columns = [memories.c[name] for name in Counted.__slots__]
    statement = select(memories.c.memory_id, *columns).where(
        memories.c.org_id == org_id, memories.c.deleted_at.is_(None)
    )
    if actor_id is not None:
        statement = statement.where(memories.c.actor_id == actor_id)
    if memory_ids is None:
        return {row.memory_id: _counted(row) for row in connection.execute(statement)}
    return {
        row.memory_id: _counted(row)
        for chunk in chunks(memory_ids)
        for row in connection.execute(statement.where(memories.c.memory_id.in_(chunk)))
    }


def record(connection: Connection, org_id: str, *, gone: Iterable[Counted] = (), come: Iterable[Counted] = ()) -> None:
    """Write the difference that memories going and coming make; the rows of `memories` are written already."""
    with _difference(connection, org_id) as tally:
        for counted in gone:
            tally.include(counted, -1)
        for counted in come:
            tally.include(counted, 1)


def strengthened(connection: Connection, org_id: str, gained: Mapping[str, float]) -> None:
    """Write by how much the strengths of memories went up or down together, by their status."""
    with _difference(connection, org_id) as tally:
        for status, strength in gained.items():
            tally.facets.setdefault(FacetKey(STATUS, status), FacetSum()).strength += strength


@contextmanager
def _difference(connection: Connection, org_id: str) -> Iterator[Tally]:
    """What the transaction changes, to be added to; written on the way out, or with all the rest at its end."""
    alone = _Difference(org_id)
    shared = at_end(connection, ("tallies", org_id), alone)
    yield (alone if shared is None else shared).tally
    if shared is None:
        alone(connection)


@dataclass(frozen=True, slots=True)
class _Difference:
    """What a transaction changes in the tallies of an org; calling it writes it."""

    org_id: str
    tally: Tally = field(default_factory=Tally)

    def __call__(self, connection: Connection) -> None:
        _write_facets(connection, self.org_id, self.tally.facets)
        _write_actors(connection, self.org_id, self.tally.actors)


def facets_of(connection: Connection, org_id: str) -> dict[FacetKey, FacetSum]:
    """Every tally of the org but those of entities."""
    bring_forward(connection, ("tallies", org_id))
    statement = select(memory_tallies).where(memory_tallies.c.org_id == org_id, memory_tallies.c.facet != ENTITY)
    return {
        FacetKey(row.facet, row.value, row.detail): FacetSum(row.memory_count, row.confidence, row.strength)
        for row in connection.execute(statement)
    }


def top_entities(connection: Connection, org_id: str, *, limit: int) -> list[tuple[FacetKey, int]]:
    """The entities named in most memories, most first, equals by name."""
    bring_forward(connection, ("tallies", org_id))
    statement = (
        select(memory_tallies.c.value, memory_tallies.c.detail, memory_tallies.c.memory_count)
        .where(memory_tallies.c.org_id == org_id, memory_tallies.c.facet == ENTITY)
        .order_by(memory_tallies.c.memory_count.desc(), memory_tallies.c.value, memory_tallies.c.detail)
    )
    return [
        (FacetKey(ENTITY, row.value, row.detail), row.memory_count)
        for row in connection.execute(statement.limit(limit))
    ]


def memory_count(connection: Connection, org_id: str) -> int:
    """How many live memories the org has, of every status."""
    bring_forward(connection, ("tallies", org_id))
    statement = select(func.coalesce(func.sum(memory_tallies.c.memory_count), 0)).where(
        memory_tallies.c.org_id == org_id, memory_tallies.c.facet == STATUS
    )
    return int(connection.execute(statement).scalar_one())


def _write_facets(connection: Connection, org_id: str, facets: Mapping[FacetKey, FacetSum]) -> None:
    # In one order everywhere, so that two transactions that touch the same rows lock them alike.
    rows = [
        {
            "org_id": org_id,
            "facet": key.facet,
            "value": key.value,
            "detail": key.detail,
            "memory_count": each.count,
            "confidence": each.confidence,
            "strength": each.strength,
        }
        for key, each in sorted(facets.items(), key=lambda item: (item[0].facet, item[0].value, item[0].detail))
        if each.changed
    ]
    if not rows:
        return
    _adding_to_facets(connection.dialect.name).run(connection, rows)
    if any(each.count < 0 for each in facets.values()):
        # What nothing holds any more must not be named here either.
        empty = (memory_tallies.c.org_id == org_id, memory_tallies.c.memory_count <= 0)
        names = {key.facet for key, each in facets.items() if each.count < 0}
        connection.execute(delete(memory_tallies).where(*empty, memory_tallies.c.facet.in_(sorted(names))))


@functools.cache
def _adding_to_facets(dialect: str) -> Prepared:
    statement = upsert_on(dialect, memory_tallies)
    sums = {
        name: memory_tallies.c[name] + statement.excluded[name] for name in ("memory_count", "confidence", "strength")
    }
    summed = statement.on_conflict_do_update(index_elements=["org_id", "facet", "value", "detail"], set_=sums)
    return Prepared(summed, columns=[column.key for column in memory_tallies.c], plain=False)


def _write_actors(connection: Connection, org_id: str, actors: Mapping[str, ActorSum]) -> None:
    ordered = [(actor_id, actors[actor_id]) for actor_id in sorted(actors) if actors[actor_id].changed]
    _add_to_actors(connection, org_id, [item for item in ordered if item[1].first is not None])
    for actor_id, each in ordered:
        if each.first is None:
            _change_counts(connection, org_id, actor_id, each)
        if each.lost_some:
            _look_up_times(connection, org_id, actor_id)


def _add_to_actors(connection: Connection, org_id: str, added: Sequence[tuple[str, ActorSum]]) -> None:
    if not added:
        return
    rows = [
        {
            "org_id": org_id,
            "actor_id": actor_id,
            "memory_count": each.count,
            "active_count": each.active,
            "first_memory_at": each.first,
            "last_memory_at": each.last,
        }
        for actor_id, each in added
    ]
    _adding_to_actors(connection.dialect.name).run(connection, rows)


@functools.cache
def _adding_to_actors(dialect: str) -> Prepared:
    statement = upsert_on(dialect, actor_tallies)
    kept, new = actor_tallies.c, statement.excluded
    summed = statement.on_conflict_do_update(
        index_elements=["org_id", "actor_id"],
        set_={
            "memory_count": kept.memory_count + new.memory_count,
            "active_count": kept.active_count + new.active_count,
            "first_memory_at": case(
                (new.first_memory_at < kept.first_memory_at, new.first_memory_at), else_=kept.first_memory_at
            ),
            "last_memory_at": case(
                (new.last_memory_at > kept.last_memory_at, new.last_memory_at), else_=kept.last_memory_at
            ),
        },
    )
    return Prepared(summed, columns=[column.key for column in actor_tallies.c], plain=False)


def _change_counts(connection: Connection, org_id: str, actor_id: str, change: ActorSum) -> None:
    values = {
        "memory_count": actor_tallies.c.memory_count + change.count,
        "active_count": actor_tallies.c.active_count + change.active,
    }
    mine = (actor_tallies.c.org_id == org_id, actor_tallies.c.actor_id == actor_id)
    connection.execute(update(actor_tallies).where(*mine).values(values))


def _look_up_times(connection: Connection, org_id: str, actor_id: str) -> None:
    """What went may have been the first or the last; of an actor without memories nothing stays."""
    mine = (actor_tallies.c.org_id == org_id, actor_tallies.c.actor_id == actor_id)
    live = (memories.c.org_id == org_id, memories.c.actor_id == actor_id, memories.c.deleted_at.is_(None))
    # One question each: for both at once SQLite goes through all of the actor's memories.
    earliest = select(func.min(memories.c.created_at)).where(*live).scalar_subquery()
    latest = select(func.max(memories.c.created_at)).where(*live).scalar_subquery()
    first, last = connection.execute(select(earliest, latest)).one()
    if first is None:
        connection.execute(delete(actor_tallies).where(*mine))
    else:
        connection.execute(update(actor_tallies).where(*mine).values(first_memory_at=first, last_memory_at=last))


def _facets(counted: Counted) -> Iterable[FacetKey]:
    yield FacetKey(STATUS, counted.status)
    yield FacetKey(KIND, counted.kind)
    yield FacetKey(TYPE, counted.type)
    yield FacetKey(LEVEL, counted.level)
    yield FacetKey(CONFIDENCE, str(bucket_of(counted.confidence)))
    for name, type_ in counted.entities:
        yield FacetKey(ENTITY, name, type_)


def _counted(row: Row[*tuple[Any, ...]]) -> Counted:
    values = {name: row._mapping[name] for name in Counted.__slots__}
    return Counted(**(values | {"entities": _named(values["entities"])}))


def _named(entities: Iterable[Mapping[str, str]]) -> frozenset[tuple[str, str]]:
    return frozenset((entity["name"][:_VALUE_CHARS], entity["type"][:_DETAIL_CHARS]) for entity in entities)
