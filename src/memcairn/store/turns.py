"""Whose turn it is to write to a SQLite file, where several processes do.

SQLite's own wait for the write lock sleeps longer and longer, up to a tenth of a second; beside a process that writes
all the time, that is what each writer of another one would wait. Here it is looked at every millisecond.
"""

import sqlite3
import time

BUSY_TIMEOUT_MILLIS = 10_000
LOOK_EVERY_SECONDS = 0.001


def begin(connection: sqlite3.Connection) -> None:
    """Begin a transaction that may write, once no other process is in one.

    OperationalError ("database is locked") after BUSY_TIMEOUT_MILLIS.
    """
    until = time.monotonic() + BUSY_TIMEOUT_MILLIS / 1_000
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
                time.sleep(LOOK_EVERY_SECONDS)
            else:
                return
    finally:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MILLIS}")
