"""The connections of a SQLite file that only read."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection, Engine

from memcairn.domain.errors import Unavailable
from memcairn.store import driver

T = TypeVar("T")


class Readers:
    """Connections lent to whichever thread asks, the one given back last first: what it has read is still at hand.

    At most `at_once` threads are in a snapshot, further ones wait; a glance, and a snapshot at once, wait for nobody.
    """

    def __init__(self, engine: Engine, *, at_once: int) -> None:
        self._engine = engine
        self._at_once = at_once
        self._turns = threading.Semaphore(at_once)
        self._all: list[Connection] = []
        self._idle: list[Connection] = []
        self._watcher: Connection | None = None
        self._closed = False

    @property
    def connections(self) -> tuple[Connection, ...]:
        """Every one opened so far."""
        return tuple(self._all)

    def snapshot(self, fn: Callable[[Connection], T]) -> T:
        """The result of `fn` in one transaction, which sees one moment.

        Begun and ended by the driver: most of what is asked goes straight to it, and SQLAlchemy takes longer to begin
        than SQLite to answer.
        """
        with self._turns:
            return self.snapshot_at_once(fn)

    def snapshot_at_once(self, fn: Callable[[Connection], T]) -> T:
        """The same without waiting for a turn: for a thread that others wait for."""
        with self._lent() as connection:
            sqlite = driver_of(connection)
            with driver.errors(connection, "BEGIN"):
                sqlite.execute("BEGIN")
            try:
                return fn(connection)
            finally:
                connection.rollback()
                if sqlite.in_transaction:
                    sqlite.execute("ROLLBACK")

    def glance(self, fn: Callable[[Connection], T]) -> T:
        """The result of `fn`, each statement of which may see a moment of its own."""
        with self._lent() as connection:
            try:
                return fn(connection)
            finally:
                if connection.in_transaction():
                    connection.rollback()

    def version(self) -> int:
        """A number that is another one once any other connection, of any process, has committed anything.

        Asked of one connection all the time: each counts for itself.
        """
        if self._watcher is None:
            self._watcher = self._engine.connect()
            self._all.append(self._watcher)
        [version] = driver_of(self._watcher).execute("PRAGMA data_version").fetchone()
        return int(version)

    def close(self) -> None:
        """Wait for snapshots under way, and close every connection; later ones are refused with Unavailable."""
        self._closed = True
        for _ in range(self._at_once):
            self._turns.acquire()
        for connection in self._all:
            connection.close()
        self._turns.release(self._at_once)

    @contextmanager
    def _lent(self) -> Iterator[Connection]:
        if self._closed:
            raise closed()
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._engine.connect()
            self._all.append(connection)
        try:
            yield connection
        finally:
            self._idle.append(connection)


def driver_of(connection: Connection) -> sqlite3.Connection:
    """SQLite's own connection beneath."""
    beneath: sqlite3.Connection = connection.connection.dbapi_connection  # type: ignore[assignment]  # it is SQLite's
    return beneath


def closed() -> Unavailable:
    return Unavailable("The database is closed: the server is stopping. Repeat the request on the next one.")
