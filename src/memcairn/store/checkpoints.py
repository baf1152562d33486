"""Moving SQLite's log into its file beside the writer, whose callers would wait for it otherwise."""

import logging
import sqlite3
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)

CHANGES = 1_000
"""Rows changed from one checkpoint to the next: about as many pages of the log, what SQLite itself would wait for."""

LOG_PAGES = 4_000
"""Of a log that has grown to this the writer moves what is left itself: only then can it begin at its start again."""

WAIT_SECONDS = 5.0
"""For one that is under way when everything ends."""


class Checkpoints:
    """A thread with a connection of its own, which is told by the writer when it has written enough.

    A checkpoint that a reader or another process is in the way of moves what it can; the next one moves the rest.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._changes_before = 0
        self._wanted = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="memcairn-checkpoints", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def committed(self, changes: int) -> None:
        """The writer has changed so many rows since it was opened."""
        if changes - self._changes_before >= CHANGES:
            self._changes_before = changes
            self._wanted.set()

    def close(self) -> None:
        """Wait for one under way; there are none after that."""
        self._closing = True
        self._wanted.set()
        self._thread.join(WAIT_SECONDS)

    def _run(self) -> None:
        connection = self._connect()
        try:
            while True:
                self._wanted.wait()
                if self._closing:
                    return
                self._wanted.clear()
                self._checkpoint(connection)
        finally:
            connection.close()

    def _checkpoint(self, connection: sqlite3.Connection) -> None:
        try:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.Error:
            log.warning("the log could not be moved into the database file; it is tried again", exc_info=True)
