"""The figures SQLite's planner is given, in the database they are for."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine

from memcairn.store import estimates, orgs
from memcairn.store.database import sqlite_engine
from memcairn.store.migrate import migrate
from tests.build import NOW

pytestmark = pytest.mark.sqlite


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memory.db"


@pytest.fixture
def engine(path: Path) -> Iterator[Engine]:
    opened = sqlite_engine(path, query_only=False)
    with opened.begin() as connection:
        migrate(connection)
    yield opened
    opened.dispose()


def figures(connection: Connection) -> dict[str, str]:
    return {row.idx: row.stat for row in connection.exec_driver_sql("SELECT idx, stat FROM sqlite_stat1")}


def plan(connection: Connection, statement: str) -> str:
    return str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}").all()[0][3])


def indexes(connection: Connection, table: str) -> set[str]:
    return {row[1] for row in connection.exec_driver_sql(f"PRAGMA index_list({table})")}


def test_every_index_of_what_orgs_hold_has_figures(engine: Engine) -> None:
    with engine.connect() as connection:
        told = figures(connection)
        for table in ("events", "memories", "sessions", "users", "index_rows", "memory_sources"):
            assert indexes(connection, table) <= set(told)


def test_a_key_leads_to_one_row_and_an_org_to_many(engine: Engine) -> None:
    with engine.connect() as connection:
        told = figures(connection)["sqlite_autoindex_events_1"]
    assert told == f"{estimates.ORGS * estimates.ROWS} {estimates.ROWS} 1"


def test_what_is_there_is_not_written_again(engine: Engine) -> None:
    with engine.begin() as connection:
        before = connection.exec_driver_sql("SELECT total_changes()").scalar_one()
        estimates.give(connection)
        assert connection.exec_driver_sql("SELECT total_changes()").scalar_one() == before


def test_an_analysis_of_a_small_database_is_undone_by_the_next_start(engine: Engine, path: Path) -> None:
    asked = "SELECT * FROM events WHERE org_id = 'o' AND session_id = 's' ORDER BY created_at, position, event_id"
    with engine.begin() as connection:
        given = figures(connection)
        planned = plan(connection, asked)
        orgs.add(connection, "o", "One", NOW)
        connection.exec_driver_sql("ANALYZE")
        assert figures(connection) != given

    again = sqlite_engine(path, query_only=False)
    with again.begin() as connection:
        migrate(connection)
    with again.connect() as connection:
        assert figures(connection) == given
        assert plan(connection, asked) == planned
    again.dispose()


def test_readers_that_open_later_plan_by_the_figures(engine: Engine, path: Path) -> None:
    reader = sqlite_engine(path, query_only=True)
    with reader.connect() as connection:
        found = plan(connection, "SELECT 1 FROM events WHERE org_id = 'o' AND event_id IN ('a', 'b')")
    reader.dispose()
    assert "event_id=?" in found
