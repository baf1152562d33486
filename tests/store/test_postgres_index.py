"""What only the index on Postgres has to get right: writers at once, counts of words, and the graph of near vectors."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import Connection, text

from memcairn.domain.pool import Trait
from memcairn.providers.fake import FakeEmbedder
from memcairn.store.index import frequencies, postgres_rows, wide
from memcairn.store.index.analysis import analyse_query
from memcairn.store.index.base import IndexEntry, IndexQuery
from memcairn.store.index.postgres import PostgresIndex
from memcairn.store.postgres import PostgresDatabase
from tests.build import ORG, entry
from tests.store.test_index import ALL, ANN, Indexed, query, turns

pytestmark = [pytest.mark.anyio, pytest.mark.postgres]

EMBEDDER = FakeEmbedder()


@pytest.fixture
def index() -> PostgresIndex:
    return PostgresIndex()


@pytest.fixture
def indexed(postgres_database: PostgresDatabase, index: PostgresIndex) -> Indexed:
    return Indexed(postgres_database, index)


@pytest.fixture
def large(postgres_database: PostgresDatabase) -> Indexed:
    return Indexed(postgres_database, PostgresIndex(exact_rows=0))


@contextmanager
def transaction(database: PostgresDatabase) -> Iterator[Connection]:
    """One that stays open while others come and go, and may wait for nobody."""
    with database._writer_engine.connect() as connection, connection.begin():
        connection.exec_driver_sql("SET LOCAL lock_timeout = 1000")
        yield connection


def put(connection: Connection, *entries: IndexEntry) -> None:
    PostgresIndex().put(connection, ORG, entries, model=EMBEDDER.model)


class TestWritersAtOnce:
    async def test_those_of_different_scopes_do_not_wait_for_each_other(self, indexed: Indexed) -> None:
        await indexed.put(entry("lisbon", memory_id="m0", scope_key="actor:zoe"))
        await indexed.put(entry("lisbon", memory_id="m1", scope_key="actor:eve"))
        assert isinstance(indexed.db, PostgresDatabase)

        with transaction(indexed.db) as one, transaction(indexed.db) as two, transaction(indexed.db) as three:
            put(one, entry("lisbon", memory_id="m2", scope_key="actor:ann"))
            put(two, entry("lisbon", memory_id="m3", scope_key="actor:bob"))
            PostgresIndex().remove(three, ORG, ["m0"])
            PostgresIndex().add_trait(three, ORG, ["m1"], Trait.OUTDATED)

        assert await indexed.ids() == ["m1", "m2", "m3"]

    async def test_a_row_that_was_begun_first_and_committed_last_is_not_missed(self, indexed: Indexed) -> None:
        assert isinstance(indexed.db, PostgresDatabase)
        await indexed.put(entry("lisbon", memory_id="m0"))

        with transaction(indexed.db) as slow:
            put(slow, entry("lisbon", memory_id="late", scope_key="actor:ann"))
            await indexed.put(entry("lisbon", memory_id="early", scope_key="org"))
            assert await indexed.ids(scope=ANN) == await indexed.ids(scope=ALL) == ["early", "m0"]

        assert await indexed.ids(scope=ANN) == await indexed.ids(scope=ALL) == ["early", "late", "m0"]

    async def test_the_same_scopes_in_any_order_never_block_each_other_for_good(self, indexed: Indexed) -> None:
        scopes = [f"actor:{n}" for n in range(5)]

        async def write(n: int) -> None:
            order = scopes if n % 2 else scopes[::-1]
            await indexed.put(*(entry("lisbon", memory_id=f"{n}-{key}", scope_key=key) for key in order))
            await indexed.remove(*(f"{n}-{key}" for key in order[1:]))

        await asyncio.gather(*(write(n) for n in range(24)))

        assert len(await indexed.ids()) == 24


class TestCounts:
    """Of a word in a scope, whoever wrote or removed the rows that hold it."""

    async def test_they_are_of_what_is_there_now(self, large: Indexed) -> None:
        assert isinstance(large.db, PostgresDatabase)
        with transaction(large.db) as one, transaction(large.db) as two:
            put(one, *turns(["lisbon", "lisbon porto", "lisbon lisbon"]))
            put(two, *turns(["porto"], session="s2", scope="actor:bob"))

        await large.remove("s1-1", "s2-1")

        assert await counts(large, "lisbon porto", ALL) == {"lisbon": 2, "porto": 1}

    @pytest.mark.parametrize("scope", [ALL, ANN], ids=["org", "actor"])
    async def test_those_kept_of_a_large_scope_equal_those_of_a_small_one(
        self, large: Indexed, monkeypatch: pytest.MonkeyPatch, scope: Sequence[str]
    ) -> None:
        async def grow_and_shrink() -> list[dict[str, int]]:
            seen = []
            for n, words in enumerate(["lisbon", "porto", "lisbon porto", "bread", "lisbon bread"]):
                await large.put(entry(words, memory_id=f"m{n}", scope_key="actor:ann"))
                seen.append(await counts(large, "lisbon porto bread", scope))
            for n in range(5):
                await large.remove(f"m{n}")
                seen.append(await counts(large, "lisbon porto bread", scope))
            return seen

        small = await grow_and_shrink()
        monkeypatch.setattr(frequencies, "COUNTED_ROWS", 3)

        assert await grow_and_shrink() == small
        assert small[4] == {"lisbon": 3, "porto": 2, "bread": 2}

    async def test_words_that_no_row_holds_any_more_are_forgotten(self, indexed: Indexed) -> None:
        await indexed.put(entry("lisbon", memory_id="m1"), entry("porto", memory_id="m2"))
        await indexed.remove("m1")

        await indexed.db.write(indexed.index.forget_empty_scopes, ORG)

        assert await indexed.db.read(_count, "SELECT count(*) FROM index_terms WHERE org_id = :org") == 1

    async def test_the_rarest_words_choose_when_the_others_would_match_too_much(
        self, large: Indexed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(postgres_rows, "MATCHES", 10)
        monkeypatch.setattr(wide, "CANDIDATES_PER_ARM", 3)
        monkeypatch.setattr(wide, "NEIGHBOURS", 0)
        await large.put(*turns([*["the common bread"] * 30, "quark and bread", "quark alone"]))

        found = await large.db.read(large.index.find, ORG, ALL, _words_only("quark bread"))

        assert set(found.pool.memory_ids) == {"s1-31", "s1-32"}


class TestGraph:
    """Vectors of a large org are found by HNSW; rows that came before it was large are put in bit by bit."""

    @pytest.fixture(autouse=True)
    def _soon_large(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(postgres_rows, "MAPPED_FROM", 6)
        monkeypatch.setattr(wide, "CANDIDATES_PER_ARM", 5)
        monkeypatch.setattr(wide, "NEIGHBOURS", 0)

    async def test_a_row_is_found_before_and_after_it_came_into_the_graph(
        self, large: Indexed, index: PostgresIndex
    ) -> None:
        await large.db.write(index.prepare, model=EMBEDDER.model, dimensions=EMBEDDER.dimensions)
        unmapped = []
        for n in range(12):
            await large.put(*turns([f"word{n}"], session=f"s{n}"))
            unmapped.append(
                await large.db.read(_count, "SELECT count(*) FROM index_rows WHERE org_id = :org AND NOT mapped")
            )

            found = await large.db.read(large.index.find, ORG, ALL, _meaning_only("word0"))
            assert "s0-1" in found.pool.memory_ids

        assert unmapped == [1, 2, 3, 4, 5, 6, 4, 2, 0, 0, 0, 0]

    async def test_the_graph_shows_nothing_of_another_scope(self, large: Indexed, index: PostgresIndex) -> None:
        await large.db.write(index.prepare, model=EMBEDDER.model, dimensions=EMBEDDER.dimensions)
        for n in range(10):
            await large.put(*turns(["lisbon"] * 3, session=f"b{n}", scope="actor:bob"))
        await large.put(*turns(["porto"] * 8, session="a", scope="actor:ann"))

        found = await large.db.read(large.index.find, ORG, ANN, _meaning_only("lisbon"))

        assert len(found.pool) == 5
        assert all(memory_id.startswith("a-") for memory_id in found.pool.memory_ids)

    async def test_vectors_of_another_width_do_not_disturb_it(self, large: Indexed, index: PostgresIndex) -> None:
        await large.db.write(index.prepare, model=EMBEDDER.model, dimensions=EMBEDDER.dimensions)
        narrow = FakeEmbedder(dimensions=EMBEDDER.dimensions // 2)
        [vector] = narrow.embed(["lisbon"])
        for n in range(10):
            await large.put(replace(entry("lisbon", memory_id=f"n{n}", session_id="n"), vector=vector))
            await large.put(entry("lisbon", memory_id=f"w{n}"))

        found = await large.db.read(large.index.find, ORG, ALL, _meaning_only("lisbon"))

        assert all(memory_id.startswith("w") for memory_id in found.pool.memory_ids)

    async def test_a_server_that_starts_does_not_wait_for_writers(
        self, postgres_database: PostgresDatabase, index: PostgresIndex
    ) -> None:
        await postgres_database.write(index.prepare, model=EMBEDDER.model, dimensions=EMBEDDER.dimensions)

        with transaction(postgres_database) as writing, transaction(postgres_database) as starting:
            put(writing, entry("lisbon"))
            index.prepare(starting, model=EMBEDDER.model, dimensions=EMBEDDER.dimensions)

    async def test_it_is_made_once_whatever_a_model_is_called(
        self, postgres_database: PostgresDatabase, index: PostgresIndex
    ) -> None:
        for _ in range(2):
            await postgres_database.write(index.prepare, model="o'brien:100% %s", dimensions=4)

        defined = (
            "SELECT count(*) FROM pg_indexes WHERE indexdef LIKE '%hnsw%brien:100%%s%' AND CAST(:org AS text) <> ''"
        )
        assert await postgres_database.read(_count, defined) == 1


async def counts(indexed: Indexed, words: str, scope: Sequence[str]) -> dict[str, int]:
    frequencies = (await indexed.find(words, scope=scope)).frequencies or {}
    return {term.alternatives[0]: count for term, count in frequencies.items() if count}


def _words_only(words: str) -> IndexQuery:
    return IndexQuery(analyse_query(words), [], EMBEDDER.model, EMBEDDER.dimensions)


def _meaning_only(words: str) -> IndexQuery:
    return IndexQuery([], query(words).vectors, EMBEDDER.model, EMBEDDER.dimensions)


def _count(connection: Connection, statement: str) -> int:
    number: int = connection.execute(text(statement), {"org": ORG}).scalar_one()
    return number
