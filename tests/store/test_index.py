"""The search index: what was put in is found inside its scope, and nothing else is."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection, text

from memcairn.domain.pool import Pool, Trait
from memcairn.domain.query import understand
from memcairn.domain.ranking import RankQuery, rank
from memcairn.domain.scopes import EVERYTHING
from memcairn.domain.weights import Weights
from memcairn.providers.fake import FakeEmbedder
from memcairn.store import orgs
from memcairn.store.database import Database, SqliteDatabase
from memcairn.store.index import large as in_memory
from memcairn.store.index import sqlite, wide
from memcairn.store.index.analysis import analyse_query, term_ids
from memcairn.store.index.base import Bounds, Found, Index, IndexEntry, IndexQuery
from memcairn.store.index.pools import PoolCache
from memcairn.store.index.postgres import PostgresIndex
from memcairn.store.index.sqlite import SqliteIndex
from tests.build import NOW, ORG, entry, index_on

pytestmark = pytest.mark.anyio

EMBEDDER = FakeEmbedder()
ALL = (EVERYTHING,)
ANN = ("actor:ann", "org")
BOB = ("actor:bob", "org")
SMALL = 5
"""Candidates per arm in tests of large scopes."""


def query(words: str) -> IndexQuery:
    vectors = [vector for vector in EMBEDDER.embed([words]) if vector.any()]
    return IndexQuery(analyse_query(words), vectors, EMBEDDER.model, EMBEDDER.dimensions)


class Indexed:
    """An index on a database, each verb in a transaction of its own."""

    def __init__(self, db: Database, index: Index) -> None:
        self.db = db
        self.index = index

    async def put(self, *entries: IndexEntry, org: str = ORG, model: str = EMBEDDER.model) -> None:
        await self.db.write(self.index.put, org, entries, model=model)

    async def remove(self, *memory_ids: str, org: str = ORG) -> int:
        return await self.db.write(self.index.remove, org, memory_ids)

    async def add_trait(self, trait: Trait, *memory_ids: str, org: str = ORG) -> None:
        await self.db.write(self.index.add_trait, org, memory_ids, trait)

    async def find(self, words: str = "lisbon", *, scope: Sequence[str] = ALL, org: str = ORG) -> Found:
        return await self.db.read(self.index.find, org, scope, query(words))

    async def ids(self, words: str = "lisbon", *, scope: Sequence[str] = ALL, org: str = ORG) -> list[str]:
        return sorted((await self.find(words, scope=scope, org=org)).pool.memory_ids)


WAYS: dict[str, dict[str, int]] = {
    "whole": {},
    "in memory": {"exact_rows": 0},
    "on disk": {"exact_rows": 0, "cache_bytes": 0},
}
"""How a scope may be searched: ranked whole, or by its best candidates, which come from memory or from disk."""


@pytest.fixture(params=WAYS)
def indexed(database: Database, request: pytest.FixtureRequest) -> Indexed:
    """Everything that must hold whether a scope is ranked whole or gives its best candidates."""
    return Indexed(database, index_on(database, **WAYS[request.param]))


@pytest.fixture
def exact(database: Database) -> Indexed:
    return Indexed(database, index_on(database))


@pytest.fixture(params=["in memory", "on disk"])
def large(database: Database, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Indexed:
    monkeypatch.setattr(wide, "CANDIDATES_PER_ARM", SMALL)
    return Indexed(database, index_on(database, **WAYS[request.param]))


def rows(pool: Pool) -> list[dict[str, Any]]:
    """Every row of a pool in full, in the pool's order."""
    return [
        {
            "memory_id": pool.memory_ids[i],
            "segment": int(pool.segments[i]),
            "source": pool.sources[i],
            "session": pool.session_ids[pool.sessions[i]] if pool.sessions[i] >= 0 else None,
            "position": int(pool.positions[i]),
            "speaker": pool.speaker_names[pool.speakers[i]] if pool.speakers[i] >= 0 else None,
            "occurred_at": int(pool.occurred_at[i]),
            "traits": int(pool.traits[i]),
            "kind": pool.kind_names[pool.kinds[i]],
            "type": pool.type_names[pool.types[i]],
            "terms": pool.term_ids[pool.offsets[i] : pool.offsets[i + 1]].tolist(),
            "vector": np.round(pool.vectors[i].astype(float), 3).tolist(),
        }
        for i in range(len(pool))
    ]


def turns(texts: Sequence[str], *, session: str = "s1", scope: str = "actor:ann") -> list[IndexEntry]:
    return [
        entry(words, memory_id=f"{session}-{n}", session_id=session, position=n, scope_key=scope)
        for n, words in enumerate(texts, start=1)
    ]


class TestContents:
    async def test_a_row_says_what_its_entry_said(self, indexed: Indexed) -> None:
        put = entry(
            "lisbon is warm",
            memory_id="m1",
            segment=2,
            session_id="s9",
            position=7,
            source="e1",
            speaker="Ann",
            kind="semantic",
            type="fact",
            traits=int(Trait.TYPED | Trait.HAS_TIME),
            occurred_at=1_700_000_000,
        )
        await indexed.put(put)

        [found] = rows((await indexed.find()).pool)

        assert put.vector is not None
        assert found == {
            "memory_id": "m1",
            "segment": 2,
            "source": "e1",
            "session": "s9",
            "position": 7,
            "speaker": "Ann",
            "occurred_at": 1_700_000_000,
            "traits": int(Trait.TYPED | Trait.HAS_TIME),
            "kind": "semantic",
            "type": "fact",
            "terms": term_ids(put.terms).tolist(),
            "vector": np.round(put.vector.astype("<f2").astype(float), 3).tolist(),
        }

    async def test_what_is_missing_stays_missing(self, indexed: Indexed) -> None:
        await indexed.put(entry("lisbon", session_id=None, position=None, speaker=None))

        [found] = rows((await indexed.find()).pool)

        assert (found["session"], found["position"], found["speaker"]) == (None, -1, None)

    async def test_rows_come_by_session_position_and_segment(self, indexed: Indexed) -> None:
        places = [("s2", 1, 0), ("s1", 3, 1), ("s1", 3, 0), ("s2", 0, 0), ("s1", 1, 0)]
        for n, (session, position, segment) in enumerate(places):
            await indexed.put(
                entry("lisbon", memory_id=f"m{n}", session_id=session, position=position, segment=segment)
            )

        found = rows((await indexed.find()).pool)

        by_session: dict[str, list[tuple[int, int]]] = {}
        for row in found:
            by_session.setdefault(row["session"], []).append((row["position"], row["segment"]))
        assert by_session == {"s1": [(1, 0), (3, 0), (3, 1)], "s2": [(0, 0), (1, 0)]}
        assert [row["session"] for row in found] in (["s1"] * 3 + ["s2"] * 2, ["s2"] * 2 + ["s1"] * 3)

    async def test_a_vector_of_another_model_is_never_compared(self, indexed: Indexed) -> None:
        await indexed.put(entry("lisbon"), model="another")

        [vector] = (await indexed.find()).pool.vectors

        assert not vector.any()

    async def test_a_removed_memory_is_gone_with_all_its_segments(self, indexed: Indexed) -> None:
        await indexed.put(entry("lisbon", memory_id="m1"), entry("lisbon", memory_id="m1", segment=1))
        await indexed.put(entry("lisbon", memory_id="m2"))

        assert await indexed.remove("m1", "nobody") == 2
        assert await indexed.ids() == ["m2"]
        assert await indexed.remove("m1") == 0

    async def test_a_removed_memory_may_come_back_changed(self, indexed: Indexed) -> None:
        await indexed.put(entry("lisbon", memory_id="m1"))
        await indexed.find()
        await indexed.remove("m1")
        await indexed.put(entry("lisbon and porto", memory_id="m1"))

        [found] = rows((await indexed.find("porto")).pool)

        assert len(found["terms"]) == 3

    async def test_a_trait_is_added_to_what_was_there(self, indexed: Indexed) -> None:
        await indexed.put(entry("lisbon", memory_id="m1", traits=int(Trait.SHORT)), entry("lisbon", memory_id="m2"))
        await indexed.find()

        await indexed.add_trait(Trait.OUTDATED, "m1", "nobody")
        await indexed.add_trait(Trait.OUTDATED, "m1")

        found = {row["memory_id"]: row["traits"] for row in rows((await indexed.find()).pool)}
        assert found == {"m1": Trait.SHORT | Trait.OUTDATED, "m2": 0}

    async def test_an_empty_index_answers_any_query(self, indexed: Indexed) -> None:
        for words in ("lisbon", "", "the", "?"):
            assert await indexed.ids(words) == []

    async def test_work_that_was_undone_leaves_nothing(self, indexed: Indexed) -> None:
        def put_and_fail(connection: Connection) -> None:
            indexed.index.put(connection, ORG, [entry("lisbon", memory_id="m1")], model=EMBEDDER.model)
            raise LookupError("no")

        with pytest.raises(LookupError):
            await indexed.db.write(put_and_fail)

        assert await indexed.ids() == []
        await indexed.put(entry("lisbon", memory_id="m1"))
        assert await indexed.ids() == ["m1"]


class TestIsolation:
    async def test_an_actor_sees_its_own_scope_and_the_orgs(self, indexed: Indexed) -> None:
        for scope in ("actor:ann", "actor:bob", "role:nurse", "org"):
            await indexed.put(entry("lisbon", memory_id=scope, scope_key=scope))

        assert await indexed.ids(scope=ANN) == ["actor:ann", "org"]
        assert await indexed.ids(scope=BOB) == ["actor:bob", "org"]
        assert await indexed.ids(scope=(*ANN, "role:nurse")) == ["actor:ann", "org", "role:nurse"]
        assert await indexed.ids(scope=("actor:nobody",)) == []
        assert await indexed.ids(scope=ALL) == ["actor:ann", "actor:bob", "org", "role:nurse"]

    async def test_orgs_do_not_meet(self, indexed: Indexed) -> None:
        await indexed.db.write(orgs.add, "other", "Other", NOW)
        await indexed.put(entry("lisbon", memory_id="m1", scope_key="org"))
        await indexed.put(entry("lisbon", memory_id="m1", scope_key="org"), org="other")

        assert await indexed.remove("m1", org="other") == 1
        await indexed.add_trait(Trait.OUTDATED, "m1", org="other")

        assert await indexed.ids(org="other") == []
        assert [row["traits"] for row in rows((await indexed.find()).pool)] == [0]

    async def test_words_of_another_scope_do_not_count(self, large: Indexed) -> None:
        await large.put(*turns(["lisbon"] * 3), *turns(["lisbon"] * 4, session="s2", scope="actor:bob"))

        found = await large.find(scope=ANN)

        assert found.total == 3
        assert found.frequencies is not None
        assert list(found.frequencies.values()) == [3]

    async def test_neighbours_of_another_scope_are_not_shown(self, large: Indexed) -> None:
        await large.put(entry("lisbon", memory_id="mine", session_id="s1", position=2))
        await large.put(entry("porto", memory_id="yours", session_id="s1", position=1, scope_key="actor:bob"))

        assert await large.ids(scope=ANN) == ["mine"]
        assert await large.ids(scope=ALL) == ["mine", "yours"]


class TestTwoProcesses:
    """Two index objects on one file stand for two servers: each caches, neither shows what is no longer there."""

    @pytest.mark.parametrize("way", WAYS)
    async def test_each_sees_what_the_other_did(self, database: Database, way: str) -> None:
        here, there = (Indexed(database, index_on(database, **WAYS[way])) for _ in range(2))
        await here.put(entry("lisbon", memory_id="m1"), entry("lisbon", memory_id="m2"))
        assert await here.ids() == await there.ids() == ["m1", "m2"]

        await there.remove("m1")
        await there.put(entry("lisbon", memory_id="m3"))
        await there.add_trait(Trait.OUTDATED, "m2")

        assert await here.ids() == await there.ids() == ["m2", "m3"]
        assert rows((await here.find()).pool) == rows((await there.find()).pool)

    async def test_one_that_missed_more_changes_than_are_on_record_reads_all_again(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sqlite, "CHANGES_KEPT", 2)
        here, there = (Indexed(database, index_on(database, exact_rows=0)) for _ in range(2))
        await here.put(*(entry("lisbon", memory_id=f"m{n}") for n in range(5)))
        assert len(await here.ids()) == 5

        for n in range(4):
            await there.remove(f"m{n}")

        assert await here.ids() == ["m4"]

    async def test_a_scope_that_was_forgotten_and_filled_again_starts_afresh(self, database: Database) -> None:
        here, there = (Indexed(database, index_on(database)) for _ in range(2))
        await here.put(entry("lisbon", memory_id="old"))
        for trait in (Trait.OUTDATED, Trait.SHORT):
            await here.add_trait(trait, "old")
        assert await here.ids(scope=ANN) == ["old"]

        await there.remove("old")
        await database.write(there.index.forget_empty_scopes, ORG)
        await there.put(entry("lisbon", scope_key="actor:bob"))
        await there.put(entry("lisbon", memory_id="new"))

        assert await here.ids(scope=ANN) == ["new"]

    async def test_a_cached_scope_is_not_read_again(self, exact: Indexed) -> None:
        await exact.put(entry("lisbon"))

        first = await exact.find(scope=ANN)
        await exact.put(entry("lisbon", scope_key="actor:bob"))

        assert (await exact.find(scope=ANN)).pool is first.pool

    async def test_at_hand_is_what_was_found_before_as_long_as_it_holds(self, exact: Indexed) -> None:
        async def at_hand(most_rows: int = 10) -> Found | None:
            return await exact.db.read(exact.index.at_hand, ORG, ANN, query("lisbon"), most_rows=most_rows)

        await exact.put(entry("lisbon", memory_id="m1"), entry("lisbon", memory_id="m2"))
        assert await at_hand() is None

        found = await exact.find(scope=ANN)
        held = await at_hand()
        assert held is not None
        assert held.pool is found.pool
        assert await at_hand(most_rows=1) is None

        await exact.remove("m1")
        assert await at_hand() is None

    async def test_searches_at_once_agree_with_a_fresh_index(self, exact: Indexed) -> None:
        async def write(n: int) -> None:
            await exact.put(entry(f"lisbon {n}", memory_id=f"m{n}", position=n))
            if n % 3 == 0:
                await exact.remove(f"m{n}")

        for n in range(0, 30, 10):
            await asyncio.gather(*(write(i) for i in range(n, n + 10)), *(exact.find() for _ in range(10)))

        fresh = Indexed(exact.db, index_on(exact.db))
        assert rows((await exact.find()).pool) == rows((await fresh.find()).pool)

    async def test_the_cache_stays_within_its_bound(self, database: Database) -> None:
        index = index_on(database, cache_bytes=20_000)
        indexed = Indexed(database, index)
        for n in range(12):
            await indexed.put(*(entry("lisbon", scope_key=f"actor:{n}") for _ in range(10)))

        for n in range(12):
            assert len((await indexed.find(scope=(f"actor:{n}",))).pool) == 10
            assert _cache_of(index).size_bytes <= 20_000


class TestLargeScopes:
    TOPICS = ("lisbon", "bread", "violin", "garden", "taxes", "winter", "doctor", "train")

    @pytest.mark.parametrize("way", ["in memory", "on disk"])
    async def test_small_data_gives_the_same_rows_either_way(self, exact: Indexed, way: str) -> None:
        await exact.put(*turns([f"{topic} number {n}" for n, topic in enumerate(self.TOPICS)]))
        large = Indexed(exact.db, index_on(exact.db, **WAYS[way]))

        whole, candidates = await exact.find("violin"), await large.find("violin")

        assert rows(whole.pool) == rows(candidates.pool)
        assert (whole.frequencies, whole.total) == (None, None)
        assert candidates.total == len(self.TOPICS)

    async def test_the_best_hits_are_among_the_candidates(self, exact: Indexed, large: Indexed) -> None:
        texts = [f"{topic} and {other}" for topic in self.TOPICS for other in self.TOPICS if topic != other]
        await exact.put(*turns(texts))

        for words in ("violin and taxes", "winter garden", "the doctor"):
            whole, candidates = await exact.find(words), await large.find(words)

            assert len(candidates.pool) < len(whole.pool)
            assert _best(whole, words) in candidates.pool.memory_ids

    async def test_the_turns_around_a_candidate_come_along(self, large: Indexed) -> None:
        texts = [f"bread number {n}" for n in range(1, 30)]
        texts[14] = "quark"
        vectorless = [entry(words, memory_id=f"m{n}", position=n) for n, words in enumerate(texts, start=1)]
        await large.db.write(large.index.put, ORG, vectorless, model="another")

        found = await large.db.read(
            large.index.find, ORG, ALL, IndexQuery(analyse_query("quark"), [], EMBEDDER.model, EMBEDDER.dimensions)
        )

        assert sorted(found.pool.positions.tolist()) == [13, 14, 15, 16, 17]

    async def test_the_nearest_of_many_vectors_are_found_and_exact(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(in_memory, "WEIGHED_LEAST", 1_000)
        indexed = Indexed(database, index_on(database, exact_rows=0))
        vectors = np.random.default_rng(1).standard_normal((2_001, 64)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        entries = [replace(entry("word", memory_id=f"m{n}", session_id=None), vector=vectors[n]) for n in range(2_000)]
        await indexed.put(*entries)
        exact = (vectors[:2_000].astype("<f2").astype(np.float32) @ vectors[2_000]).argsort()[::-1][:10]

        asked = IndexQuery([], [vectors[2_000]], EMBEDDER.model, 64)
        pool = (await database.read(indexed.index.find, ORG, ALL, asked)).pool

        at = {memory_id: place for place, memory_id in enumerate(pool.memory_ids)}
        found = [n for n in exact.tolist() if f"m{n}" in at]
        assert len(found) >= 9
        for n in found:
            assert pool.vectors[at[f"m{n}"]].tolist() == vectors[n].astype("<f2").astype(np.float32).tolist()

    async def test_a_scope_whose_org_is_in_memory_comes_from_there(self, sqlite_database: SqliteDatabase) -> None:
        indexed = Indexed(sqlite_database, SqliteIndex(exact_rows=2))
        await indexed.put(*turns(["lisbon is warm", "porto"]), *turns(["bread"] * 3, session="s2", scope="actor:bob"))
        await indexed.find()

        from_memory = await indexed.find(scope=ANN)

        fresh = Indexed(sqlite_database, SqliteIndex())
        assert rows(from_memory.pool) == rows((await fresh.find(scope=ANN)).pool)
        assert from_memory.total is None

    async def test_candidates_are_taken_among_what_the_filters_leave(self, large: Indexed) -> None:
        said = turns(["lisbon"] * 40)
        trusted = replace(said[30], traits=int(Trait.HIGH_TRUST))
        apart = [replace(one, position=10 * n) for n, one in enumerate([*said[:30], trusted, *said[31:]])]
        await large.put(*apart)
        trait = int(Trait.HIGH_TRUST)

        for asked in (replace(query("lisbon"), traits=(trait, trait)), replace(query("lisbon"), allowed={"s1-31"})):
            found = await large.db.read(large.index.find, ORG, ANN, asked)

            assert list(found.pool.memory_ids) == ["s1-31"]

    @pytest.mark.parametrize(
        "bounds",
        [
            Bounds(kinds=["semantic"]),
            Bounds(types=["fact", "unheard of"]),
            Bounds(session_id="s9"),
            Bounds(exclude_session_id="s1"),
            Bounds(since=2_000, before=3_000),
        ],
        ids=["kinds", "types", "one session", "all but one", "times"],
    )
    async def test_candidates_are_taken_within_the_bounds(self, large: Indexed, bounds: Bounds) -> None:
        said = [replace(one, position=10 * n, occurred_at=1_000) for n, one in enumerate(turns(["lisbon"] * 40))]
        apart = entry("lisbon", memory_id="apart", session_id="s9", kind="semantic", type="fact", occurred_at=2_000)
        await large.put(*said[:30], apart, *said[30:])

        found = await large.db.read(large.index.find, ORG, ANN, replace(query("lisbon"), bounds=bounds))

        assert list(found.pool.memory_ids) == ["apart"]

    async def test_what_belongs_to_no_session_is_within_the_bounds_of_any(self, large: Indexed) -> None:
        await large.put(entry("lisbon", memory_id="free", session_id=None), *turns(["lisbon"]))

        for bounds in (Bounds(session_id="s2"), Bounds(exclude_session_id="s1")):
            found = await large.db.read(large.index.find, ORG, ANN, replace(query("lisbon"), bounds=bounds))

            assert list(found.pool.memory_ids) == ["free"]

    async def test_no_kind_at_all_leaves_nothing(self, large: Indexed) -> None:
        await large.put(*turns(["lisbon"]))

        found = await large.db.read(large.index.find, ORG, ANN, replace(query("lisbon"), bounds=Bounds(kinds=[])))

        assert list(found.pool.memory_ids) == []

    async def test_frequencies_count_the_whole_scope(self, large: Indexed) -> None:
        await large.put(*turns(["lisbon"] * 20 + ["porto"] * 7 + ["lisbon porto"]))

        found = await large.find("porto or lisbon")

        assert found.frequencies is not None
        counts = {term.alternatives[0]: count for term, count in found.frequencies.items()}
        assert counts == {"porto": 8, "lisbon": 21}
        assert found.total == 28
        assert len(found.pool) < 28

    async def test_vectors_read_in_several_pieces_are_all_compared(
        self, large: Indexed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(wide, "SCAN_ROWS", 3)
        await large.put(*turns([f"word{n}" for n in range(20)]))

        def nearest(connection: Connection) -> list[int]:
            return wide.best_by_meaning(connection, ORG, ALL, query("word17"), None)

        best = await large.db.read(nearest)

        assert len(best) == SMALL
        assert await large.db.read(_memory_of, best[0]) in _equally_near(17)


def _equally_near(n: int) -> set[str]:
    """The turns whose fake vector is that of `word<n>`: with few dimensions some words share one."""
    [wanted] = EMBEDDER.embed([f"word{n}"])
    return {f"s1-{i + 1}" for i in range(20) if np.allclose(EMBEDDER.embed([f"word{i}"])[0], wanted)}


def _memory_of(connection: Connection, row_number: int) -> str:
    statement = text("SELECT memory_id FROM index_rows WHERE org_id = :org AND row_number = :row")
    memory_id: str = connection.execute(statement, {"org": ORG, "row": row_number}).scalar_one()
    return memory_id


def _best(found: Found, words: str) -> str:
    understanding = understand(words, speakers=found.pool.speaker_names, asked_at=NOW)
    terms = [term_ids(term.alternatives) for term in analyse_query(words)]
    wanted = RankQuery(terms, EMBEDDER.embed([words])[0], understanding, None)
    [hit] = rank(found.pool, wanted, Weights.default(), limit=1)
    return found.pool.memory_ids[hit.row]


def _cache_of(index: Index) -> PoolCache:
    assert isinstance(index, SqliteIndex | PostgresIndex)
    return index._cache
