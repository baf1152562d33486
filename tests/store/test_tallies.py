"""What is counted while memories come, change and go equals what counting them all would say."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from memcairn.domain.memories import Entity, Memory, MemoryStatus
from memcairn.domain.scopes import Level, Scope, actor_scope
from memcairn.store import actors, memories, statistics, tallies
from memcairn.store.database import Database
from memcairn.store.memories import MemoryRow
from memcairn.store.schema import actor_tallies, memory_tallies
from memcairn.store.schema import memories as memory_rows
from memcairn.store.tallies import FacetKey, FacetSum, Tally
from tests.build import NOW, ORG, at, make

pytestmark = pytest.mark.anyio

ACTORS = ("ann", "slack:T0/B7 x", "ÉMILE")
ENTITIES = (Entity("Lisbon", "PLACE"), Entity("Ann", "PERSON"), Entity("Lisbon", "ORG"))


def recounted(connection: Connection) -> Tally:
    tally = Tally()
    for counted in tallies.of_rows(connection, ORG).values():
        tally.include(counted, 1)
    return tally


def kept_facets(connection: Connection) -> dict[FacetKey, FacetSum]:
    rows = connection.execute(select(memory_tallies).where(memory_tallies.c.org_id == ORG))
    return {
        FacetKey(row.facet, row.value, row.detail): FacetSum(
            row.memory_count, round(row.confidence, 6), round(row.strength, 6)
        )
        for row in rows
    }


def assert_exact(connection: Connection) -> None:
    right = recounted(connection)
    rounded = {
        key: FacetSum(each.count, round(each.confidence, 6), round(each.strength, 6))
        for key, each in right.facets.items()
    }
    assert kept_facets(connection) == rounded
    kept = connection.execute(select(actor_tallies).where(actor_tallies.c.org_id == ORG)).all()
    assert {row.actor_id: (row.memory_count, row.active_count) for row in kept} == {
        actor_id: (each.count, each.active) for actor_id, each in right.actors.items()
    }
    assert {row.actor_id: (row.first_memory_at, row.last_memory_at) for row in kept} == {
        actor_id: (each.first, each.last) for actor_id, each in right.actors.items()
    }


def a_row(number: int, actor: str | None, entities: list[Entity], confidence: float) -> MemoryRow:
    scope = Scope(Level.ORG) if actor is None else actor_scope(actor)
    memory = make(
        Memory,
        scope=scope,
        entities=tuple(entities),
        confidence=confidence,
        type="fact" if number % 2 else "preference",
        created_at=NOW + timedelta(minutes=number % 7),
    )
    return MemoryRow(memory, digest=f"d{number}")


ADDITIONS = st.tuples(
    st.just("add"),
    st.sampled_from([*ACTORS, None]),
    st.lists(st.sampled_from(ENTITIES), max_size=3),
    st.floats(0, 1),
)
CHANGES = st.tuples(st.sampled_from(["supersede", "revive", "recall", "rename", "delete", "erase"]), st.integers(0, 30))

CHANGED: dict[str, dict[str, Any]] = {
    "supersede": {"status": MemoryStatus.SUPERSEDED.value, "confidence": 0.3},
    "revive": {"status": MemoryStatus.ACTIVE.value, "strength": 2.5},
    "rename": {"entities": [{"name": "Porto", "type": "PLACE"}], "text": "Porto"},
}


def carry_out(connection: Connection, ids: list[str], step: Any, number: int) -> None:
    if step[0] == "add":
        row = a_row(number, *step[1:])
        memories.add(connection, [row])
        ids.append(row.memory.memory_id)
        return
    if not ids:
        return
    memory_id = ids[step[1] % len(ids)]
    if step[0] == "delete":
        memories.mark_deleted(connection, ORG, [memory_id], NOW)
    elif step[0] == "erase":
        memories.erase(connection, ORG, [memory_id])
    elif step[0] == "recall":
        memories.reinforce(connection, ORG, {memory_id: 1.0 + number / 10}, {memory_id: 1}, NOW)
    else:
        memories.change(connection, ORG, memory_id, CHANGED[step[0]])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(ADDITIONS | CHANGES, max_size=30), together=st.integers(1, 5))
async def test_whatever_happens_to_memories_the_counts_stay_exact(
    database: Database, steps: list[Any], together: int
) -> None:
    def forget(connection: Connection) -> None:
        memories.erase(connection, ORG, list(connection.execute(select(memory_rows.c.memory_id)).scalars()))

    def live(connection: Connection, numbered: Sequence[tuple[int, Any]]) -> list[str]:
        ids = [*known]
        for number, step in numbered:
            carry_out(connection, ids, step, number)
        return ids

    await database.write(forget)
    known: list[str] = []
    left = list(enumerate(steps))
    while left:
        known = await database.write(live, left[:together])
        left = left[together:]
        await database.read(assert_exact)


async def test_a_name_nobody_mentions_any_more_is_nowhere(database: Database) -> None:
    row = a_row(1, "ann", [Entity("Zanzibar", "PLACE")], 0.5)

    def come_and_go(connection: Connection) -> None:
        memories.add(connection, [row])
        memories.mark_deleted(connection, ORG, [row.memory.memory_id], NOW)

    await database.write(come_and_go)

    assert await database.read(kept_facets) == {}
    assert await database.read(actors.page, ORG, sort="actor_id_asc", limit=10) == []


async def test_the_first_and_last_time_of_an_actor_follow_what_is_left(database: Database) -> None:
    rows = [
        MemoryRow(make(Memory, scope=actor_scope("ann"), created_at=at(day=day)), digest=str(day)) for day in (1, 2, 3)
    ]

    def come_and_go(connection: Connection) -> None:
        memories.add(connection, rows)
        memories.mark_deleted(connection, ORG, [rows[0].memory.memory_id, rows[2].memory.memory_id], NOW)

    await database.write(come_and_go)

    found = await database.read(actors.get, ORG, "ann")
    assert found is not None
    assert (found.memory_count, found.first_memory_at, found.last_memory_at) == (1, at(day=2), at(day=2))


async def test_statistics_out_of_tallies_equal_those_out_of_rows(database: Database) -> None:
    rows = [a_row(n, "ann", list(ENTITIES[: n % 4]), n / 10) for n in range(11)]
    await database.write(memories.add, rows)

    of_org = await database.read(statistics.of_org, ORG)
    of_actor = await database.read(statistics.of_actor, ORG, "ann")

    assert of_org == of_actor
    assert (of_org.total, of_org.active, round(of_org.average_confidence, 6)) == (11, 11, 0.5)
    assert of_org.by_type == {"fact": 5, "preference": 6}
    assert [bucket.count for bucket in of_org.confidence_buckets] == [2, 2, 2, 2, 3]
    assert [(entity.name, entity.type, entity.count) for entity in of_org.top_entities] == [
        ("Lisbon", "PLACE", 8),
        ("Ann", "PERSON", 5),
        ("Lisbon", "ORG", 2),
    ]


async def test_an_org_without_memories_has_zeros(database: Database) -> None:
    stats = await database.read(statistics.of_org, "nobody")

    assert (stats.total, stats.active, stats.average_confidence, stats.average_strength) == (0, 0, 0.0, 0.0)
    assert (stats.by_type, stats.top_entities, stats.earliest_observed_at) == ({}, [], None)
