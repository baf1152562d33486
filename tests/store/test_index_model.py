"""The index against its own fresh start: however a pool was gathered, it equals the one loaded whole."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import Connection, Engine, create_engine

from memcairn.domain.pool import Trait
from memcairn.domain.scopes import EVERYTHING
from memcairn.providers.fake import FakeEmbedder
from memcairn.store import orgs
from memcairn.store.index import wide
from memcairn.store.index.analysis import analyse_query
from memcairn.store.index.base import Index, IndexQuery
from memcairn.store.index.postgres import PostgresIndex
from memcairn.store.index.sqlite import SqliteIndex
from memcairn.store.migrate import migrate
from memcairn.store.postgres import postgres_engine
from tests.build import NOW, ON_BOTH, ORG, entry
from tests.postgres import empty_tables
from tests.store.test_index import rows

EMBEDDER = FakeEmbedder()
SCOPES = ("actor:ann", "actor:bob", "org")
VIEWS = ((EVERYTHING,), ("actor:ann", "org"), ("actor:bob", "org"))
WORDS = st.sampled_from(["lisbon is warm", "porto", "bread and wine", "the violin"])


def query(words: str) -> IndexQuery:
    vectors = [vector for vector in EMBEDDER.embed([words]) if vector.any()]
    return IndexQuery(analyse_query(words), vectors, EMBEDDER.model, EMBEDDER.dimensions)


@dataclass(frozen=True, slots=True)
class Place:
    """A database, the kind of index that belongs to it, and how it is emptied but for the org `default`."""

    engine: Engine
    index: Callable[..., Index]
    empty: Callable[[Connection], None]


@pytest.fixture(scope="module", params=ON_BOTH)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    if request.param == "sqlite":
        found = Place(create_engine("sqlite://"), SqliteIndex, _empty_sqlite)
        with found.engine.begin() as connection:
            migrate(connection)
    else:
        url = request.getfixturevalue("postgres_server").migrated()
        found = Place(postgres_engine(url, begin="BEGIN", connections=2), PostgresIndex, empty_tables)
    yield found
    found.engine.dispose()


def _empty_sqlite(connection: Connection) -> None:
    for table in ("memory_words", "index_rows", "index_scopes", "index_changes", "counters", "orgs"):
        connection.exec_driver_sql(f"DELETE FROM {table}")
    orgs.add(connection, ORG, "Default", NOW)


class IndexMachine(RuleBasedStateMachine):
    """Two index objects on one database; the model knows which memory is where."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        self.indexes = [place.index(), place.index()]
        self.in_memory = place.index(exact_rows=0)
        self.on_disk = place.index(exact_rows=0, cache_bytes=0)
        self.stored: dict[str, tuple[str, int]] = {}
        """Scope and traits of each memory."""
        self.made = 0
        self.write(place.empty)

    def write(self, fn: Callable[..., Any], *args: Any, **options: Any) -> Any:
        with self.place.engine.begin() as connection:
            return fn(connection, *args, **options)

    def found(self, index: Index, view: tuple[str, ...]) -> list[dict[str, Any]]:
        with self.place.engine.connect() as connection:
            found = rows(index.find(connection, ORG, view, query("lisbon bread")).pool)
        return sorted(found, key=lambda row: (str(row["session"]), row["position"], row["segment"], row["memory_id"]))

    @rule(
        words=st.lists(WORDS, min_size=1, max_size=3),
        scope=st.sampled_from(SCOPES),
        session=st.sampled_from([None, "s1", "s2"]),
        position=st.integers(1, 5),
        by=st.integers(0, 1),
    )
    def put(self, words: list[str], scope: str, session: str | None, position: int, by: int) -> None:
        self.made += 1
        memory_id = f"m{self.made}"
        entries = [
            entry(text, memory_id=memory_id, segment=n, scope_key=scope, session_id=session, position=position)
            for n, text in enumerate(words)
        ]
        self.write(self.indexes[by].put, ORG, entries, model=EMBEDDER.model)
        self.stored[memory_id] = (scope, 0)

    @precondition(lambda self: self.stored)
    @rule(data=st.data(), by=st.integers(0, 1))
    def remove(self, data: st.DataObject, by: int) -> None:
        memory_id = data.draw(st.sampled_from(sorted(self.stored)))
        assert self.write(self.indexes[by].remove, ORG, [memory_id]) > 0
        del self.stored[memory_id]

    @precondition(lambda self: self.stored)
    @rule(data=st.data(), by=st.integers(0, 1))
    def add_trait(self, data: st.DataObject, by: int) -> None:
        memory_id = data.draw(st.sampled_from(sorted(self.stored)))
        self.write(self.indexes[by].add_trait, ORG, [memory_id], Trait.OUTDATED)
        self.stored[memory_id] = (self.stored[memory_id][0], int(Trait.OUTDATED))

    @rule(by=st.integers(0, 1))
    def forget_empty_scopes(self, by: int) -> None:
        self.write(self.indexes[by].forget_empty_scopes, ORG)

    @rule(view=st.sampled_from(VIEWS), by=st.integers(0, 1))
    def search(self, view: tuple[str, ...], by: int) -> None:
        expected = self.found(self.place.index(), view)
        for index in (self.indexes[by], self.in_memory, self.on_disk, self.place.index(exact_rows=0)):
            assert self.found(index, view) == expected

    @invariant()
    def every_view_shows_what_is_stored(self) -> None:
        if self.made % 3:  # leave changes to pile up between two searches
            return
        for view in VIEWS:
            expected = {
                memory_id: traits
                for memory_id, (scope, traits) in self.stored.items()
                if EVERYTHING in view or scope in view
            }
            assert {row["memory_id"]: row["traits"] for row in self.found(self.indexes[0], view)} == expected


def test_whatever_happened_every_search_shows_what_is_stored(place: Place) -> None:
    settings = hypothesis.settings(
        max_examples=20,
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )

    class Machine(IndexMachine):
        def __init__(self) -> None:
            super().__init__(place)

    run_state_machine_as_test(Machine, settings=settings)


@dataclass(frozen=True, slots=True)
class Filled:
    connection: Connection
    index: Callable[..., Index]


@pytest.fixture(scope="module")
def filled(place: Place) -> Iterator[Filled]:
    """A connection to a database with a few memories in two scopes, in several scripts."""
    texts = ["Lisbon is warm", "東京に住んでいます", "наш дом", "café NEAR the sea", "AND OR NOT", "สวัสดีครับ", "👍 100%"]
    with place.engine.begin() as connection:
        place.empty(connection)
        orgs.add(connection, "other", "Other", NOW)
        for org, scope in ((ORG, "actor:ann"), (ORG, "actor:bob"), ("other", "actor:ann")):
            entries = [
                entry(words, memory_id=f"{org}-{scope}-{n}", position=n, scope_key=scope)
                for n, words in enumerate(texts)
            ]
            place.index().put(connection, org, entries, model=EMBEDDER.model)
    with place.engine.connect() as connection:
        yield Filled(connection, place.index)


def _only_anns(filled: Filled, words: str) -> None:
    for index in (filled.index(exact_rows=0), filled.index()):
        pool = index.find(filled.connection, ORG, ("actor:ann", "org"), query(words)).pool
        assert all(memory_id.startswith(f"{ORG}-actor:ann-") for memory_id in pool.memory_ids)


@hypothesis.settings(max_examples=150, deadline=None)
@hypothesis.given(words=st.text(max_size=60))
def test_any_string_is_a_legal_query_and_stays_in_its_scope(filled: Filled, words: str) -> None:
    _only_anns(filled, words)


@pytest.mark.parametrize(
    "words",
    [
        '" OR scope : *',
        "'; DROP TABLE index_rows; --",
        "scope : k*",
        "NEAR(lisbon warm, 5)",
        "lisbon AND NOT warm",
        "{scope words} : lisbon",
        "-lisbon ^warm lis*",
        'words : ("lisbon")',
        "\x00lisbon",
        "lisbon " * 3_000,
        "actor:bob",
        wide.scope_token("actor:bob"),
    ],
)
def test_a_query_is_words_and_never_syntax(filled: Filled, words: str) -> None:
    _only_anns(filled, words)
    filled.connection.exec_driver_sql("SELECT count(*) FROM index_rows")
