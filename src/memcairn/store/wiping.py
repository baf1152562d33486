"""Overwriting what deleted rows left behind in a SQLite file.

`secure_delete` overwrites a row where it lies. It does not reach the copies that stay behind when SQLite moves rows
between pages: those lie in the gap between a page's list of cells and its cells, which no query ever reads. VACUUM
would leave them out of a new file, and stop every writer while it copies: 4 s for 430 MB. Here the gaps are filled with
zeros in place, a few hundred pages at a time.

That is safe under four conditions, which `wipe_some` and its caller keep: the write-ahead log is empty, so that the
file alone holds the truth; the write lock is held, so that it stays empty; whoever held a page in its cache reads it
again before it writes; and the file descriptor is never closed, because closing one would drop the locks that SQLite
holds on the file for this process. A crash half-way leaves some zeros in some gaps, where nothing matters.
File format: sections 1.6 and 2 of the SQLite documentation's "Database File Format".
"""

import contextlib
import os
import sqlite3
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sqlalchemy import Connection

from memcairn.store import counters, turns

OF_ALL, _TRACES = "", "traces"
"""On Postgres the deletions are counted where numbers of orgs are, under an org that cannot be."""

PAGES_AT_ONCE = 1_024
"""Looked through while writers wait: 4 MiB, about 10 ms."""

_HEADER_BYTES = 100
_CELLS_AT = {0x02: 12, 0x05: 12, 0x0A: 8, 0x0D: 8}
"""Where the list of cells begins, by the kind of b-tree page."""
_LARGEST = 1 << 25
"""From this page number on, an overflow page could begin with a byte that looks like the kind of a b-tree page."""

_descriptors: dict[tuple[int, int], int] = {}


@dataclass(frozen=True, slots=True)
class Gap:
    """Bytes of the file that belong to no row."""

    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Wiped:
    """`next_page`: where to go on, None at the end of the file. `complete` is False when a reader was in the way."""

    next_page: int | None
    complete: bool


def wipe_some(connection: sqlite3.Connection, path: Path, *, first_page: int) -> Wiped:
    """Fill the gaps of the next PAGES_AT_ONCE pages with zeros. Call it between transactions of `connection`.

    When a reader is in the way of emptying the log, nothing is done and `complete` is False: try again a little later.
    """
    if not empty_log(connection, path):
        return Wiped(first_page, complete=False)
    turns.begin(connection)
    try:
        if not _is_empty(path):
            return Wiped(first_page, complete=False)
        next_page = _fill(connection, path, first_page)
        # A change of its own makes every other connection that may write throw its cached pages away.
        present = connection.execute("PRAGMA user_version").fetchone()[0]
        connection.execute(f"PRAGMA user_version = {int(present)}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        connection.execute("PRAGMA shrink_memory")
    return Wiped(next_page, complete=True)


def shorten_log(path: Path) -> None:
    """Move most of the write-ahead log into the file while others write, as far as that can be done.

    Emptying it holds all writers up: some 0.1 s for a log of 10,000 pages, a fifth of that behind this.
    """
    # Whatever is wrong with the file is met again, and told, where the log is emptied.
    with contextlib.suppress(sqlite3.OperationalError), contextlib.closing(sqlite3.connect(path)) as connection:
        for _ in range(2):  # the second time what was written during the first
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")


def empty_log(connection: sqlite3.Connection, path: Path) -> bool:
    """Move the write-ahead log into the file and cut it to nothing; False when a reader is in the way."""
    before = connection.execute("PRAGMA busy_timeout").fetchone()[0]
    # A checkpoint that waits for a reader keeps the writers waiting with it.
    connection.execute("PRAGMA busy_timeout = 20")
    try:
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {int(before)}")
    return not busy and _is_empty(path)


def owe(connection: Connection) -> None:
    """Note, in the transaction that deletes rows, that their traces are still to be wiped away."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA user_version = {owed(connection) + 1}")
    else:
        counters.take(connection, OF_ALL, _TRACES)


def owed(connection: Connection) -> int:
    """How many deletions have left traces since everything was wiped; 0: nothing is owed."""
    if connection.dialect.name != "sqlite":
        return counters.last(connection, OF_ALL, _TRACES)
    return int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())


def settle(connection: Connection, seen: int) -> None:
    """Everything is wiped that was owed when `seen` was read; deletions since then are still owed."""
    if connection.dialect.name != "sqlite":
        counters.restart(connection, OF_ALL, _TRACES, seen=seen)
    elif seen and owed(connection) == seen:
        connection.exec_driver_sql("PRAGMA user_version = 0")


def gaps(pages: bytes, *, page_size: int, usable: int, first_page: int) -> Iterator[Gap]:
    """The gaps that hold anything but zeros, in whole pages read from `first_page` on.

    A page that is not exactly what a b-tree page must be is passed over.
    """
    for start in range(0, len(pages), page_size):
        head = start + (_HEADER_BYTES if first_page == 1 and start == 0 else 0)
        cells_at = _CELLS_AT.get(pages[head])
        if cells_at is None:
            continue
        freeblock, count, content = struct.unpack_from(">HHH", pages, head + 1)
        first, end = head + cells_at + 2 * count, start + (content or 65_536)
        if not first <= end <= start + usable or (freeblock and start + freeblock < end):
            continue
        cells = np.frombuffer(pages, dtype=">u2", count=count, offset=head + cells_at)
        if count and (int(cells.min()) + start < end or int(cells.max()) >= usable):
            continue
        if pages.count(0, first, end) < end - first:
            yield Gap((first_page - 1) * page_size + first, end - first)


def _fill(connection: sqlite3.Connection, path: Path, first_page: int) -> int | None:
    """The page to go on with, or None when this was the last."""
    page_size = int(connection.execute("PRAGMA page_size").fetchone()[0])
    count = int(connection.execute("PRAGMA page_count").fetchone()[0])
    if count >= _LARGEST:
        return None
    descriptor = _descriptor(path)
    usable = page_size - os.pread(descriptor, 1, 20)[0]
    pages = os.pread(descriptor, PAGES_AT_ONCE * page_size, (first_page - 1) * page_size)
    pages = pages[: len(pages) - len(pages) % page_size]
    found = list(gaps(pages, page_size=page_size, usable=usable, first_page=first_page))
    for gap in found:
        os.pwrite(descriptor, bytes(gap.length), gap.offset)
    if found:
        os.fsync(descriptor)
    following = first_page + PAGES_AT_ONCE
    return following if following <= count else None


def _is_empty(path: Path) -> bool:
    log = path.with_name(path.name + "-wal")
    return not log.exists() or log.stat().st_size == 0


def _descriptor(path: Path) -> int:
    """The descriptor of a file, opened once and kept until the process ends."""
    status = path.stat()
    key = (status.st_dev, status.st_ino)
    if key not in _descriptors:
        _descriptors[key] = os.open(path, os.O_RDWR)
    return _descriptors[key]
