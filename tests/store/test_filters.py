"""Filters inside a query: they hold before any limit, and what they cost is bounded."""

import json
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, Table, create_engine, event, insert, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.pool import StaticPool

from memcairn.domain.errors import Invalid
from memcairn.domain.filters import parse_filter
from memcairn.store import filters
from memcairn.store.database import Database
from memcairn.store.schema import Document, sessions
from tests.build import NOW, ORG

TABLE = Table("things", MetaData(), Column("number", Integer, primary_key=True), Column("metadata", Document))


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    event.listen(engine, "connect", lambda opened, _record: filters.install(opened))
    TABLE.metadata.create_all(engine)
    with engine.begin() as opened:
        yield opened
    engine.dispose()


def keep(connection: Connection, *metadata: Any) -> None:
    connection.execute(insert(TABLE), [{"number": n, "metadata": each} for n, each in enumerate(metadata)])


def found(connection: Connection, raw: dict[str, Any], limit: int | None = None) -> list[int]:
    wanted = filters.condition(connection, TABLE.c.metadata, parse_filter(raw))
    return list(
        connection.execute(select(TABLE.c.number).where(wanted).order_by(TABLE.c.number).limit(limit)).scalars()
    )


def test_it_holds_before_the_limit(connection: Connection) -> None:
    keep(connection, *({"n": n} for n in range(100)))

    assert found(connection, {"jsonpath": "$ ? (@.n >= 97)"}, limit=2) == [97, 98]


def test_a_row_without_metadata_fulfils_no_path_but_the_empty_filter(connection: Connection) -> None:
    keep(connection, None, {"a": 1})

    assert found(connection, {"jsonpath": "$"}) == [1]
    assert found(connection, {}) == [0, 1]
    assert found(connection, {"or": [{"jsonpath": "$.b"}, {}]}) == [0, 1]


@pytest.mark.parametrize(
    "words",
    [
        "'); DROP TABLE things; --",
        '" || true || "',
        "\\",
        "%",
        "$[*] ? (1 == 1)",
        "é\u2028\U0001f600",
        "a'b\"c",
        "?",
        ":x",
    ],
)
def test_no_word_of_a_filter_becomes_part_of_the_statement(connection: Connection, words: str) -> None:
    keep(connection, {words: 1}, {"k": words}, {"other": 2})
    quoted = json.dumps(words)

    assert found(connection, {"jsonpath": f"$.{quoted}"}) == [0]
    assert found(connection, {"jsonpath": f"$ ? (@.k == {quoted})"}) == [1]


def test_two_filters_in_one_query_do_not_mix(connection: Connection) -> None:
    keep(connection, {"a": 1}, {"b": 1}, {"a": 1, "b": 1})
    both = [
        filters.condition(connection, TABLE.c.metadata, parse_filter({"jsonpath": path})) for path in ("$.a", "$.b")
    ]

    assert list(connection.execute(select(TABLE.c.number).where(*both)).scalars()) == [2]


def test_a_filter_can_be_made_again_from_its_name(connection: Connection) -> None:
    keep(connection, {"a": 1}, {"b": 1})
    statement = select(TABLE.c.number).where(
        filters.condition(connection, TABLE.c.metadata, parse_filter({"jsonpath": "$.a"}))
    )
    for _ in range(200):
        filters.condition(connection, TABLE.c.metadata, parse_filter({"jsonpath": "$.b"}))

    assert list(connection.execute(statement).scalars()) == [0]


def test_on_postgres_the_path_is_a_bound_value_in_our_own_spelling() -> None:
    class Postgres:
        info: ClassVar[dict[str, object]] = {}
        dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy annotates it with nothing

        def exec_driver_sql(self, statement: str) -> None:
            said.append(statement)

    said: list[str] = []
    raw = {"or": [{"jsonpath": "$ ? (@.a == 'x')"}, {"and": [{"jsonpath": "$.b"}, {}]}]}
    wanted = filters.condition(Postgres(), TABLE.c.metadata, parse_filter(raw))  # type: ignore[arg-type]  # enough of one

    compiled = wanted.compile(dialect=Postgres.dialect)
    assert str(compiled) == (
        "coalesce(jsonb_path_exists(CAST(things.metadata AS JSONB), CAST(%(param_1)s::VARCHAR AS JSONPATH), "
        "CAST('{}' AS JSONB), true), false) OR "
        "coalesce(jsonb_path_exists(CAST(things.metadata AS JSONB), CAST(%(param_2)s::VARCHAR AS JSONPATH), "
        "CAST('{}' AS JSONB), true), false) AND true"
    )
    assert list(compiled.params.values()) == ['$ ? ( @ . "a" == "x" )', '$ . "b"']


@pytest.mark.anyio
async def test_a_filter_that_works_too_hard_is_refused_and_the_database_goes_on(database: Database) -> None:
    def fill(connection: Connection) -> None:
        numbers = {"low": list(range(2_000)), "high": list(range(2_000, 4_000))}
        row = {"org_id": ORG, "session_id": "s", "session_uuid": "u", "created_at": NOW, "updated_at": NOW, "number": 1}
        connection.execute(insert(sessions), row | {"last_position": 0, "metadata": numbers})

    def ask(connection: Connection, path: str) -> list[str]:
        wanted = filters.condition(connection, sessions.c.metadata, parse_filter({"jsonpath": path}))
        return list(connection.execute(select(sessions.c.session_id).where(sessions.c.org_id == ORG, wanted)).scalars())

    await database.write(fill)

    with pytest.raises(Invalid) as refused:
        await database.read(ask, "$ ? (@.low[*] > $.high[*])")
    assert refused.value.code == "filter_too_costly"
    assert await database.read(ask, "$.low[*] ? (@ == 1999)") == ["s"]
