"""Overwriting what deleted rows left behind in the unused parts of a SQLite file."""

import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from memcairn.store import wiping
from memcairn.store.wiping import empty_log, gaps, wipe_some

PAGE = 4096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memory.db"


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode = WAL", "secure_delete = ON", "synchronous = OFF"):
        opened.execute(f"PRAGMA {pragma}")
    yield opened
    opened.close()


def fill_and_delete(connection: sqlite3.Connection, *, rows: int = 4_000) -> None:
    """Rows of two kinds in disorder, large and small; those of one kind are deleted again."""
    dice = random.Random(5)
    connection.execute("CREATE TABLE t (a TEXT PRIMARY KEY, b TEXT)")
    connection.execute("CREATE INDEX i ON t (b)")
    connection.execute("BEGIN")
    for n in range(rows):
        word = "canary" if n % 2 else "heron"
        row = (f"{dice.getrandbits(64):x}{word}", f"{word} {n} " * dice.choice((1, 5, 40, 400)))
        connection.execute("INSERT INTO t VALUES (?, ?)", row)
    connection.execute("COMMIT")
    gone = [row[0] for row in connection.execute("SELECT rowid FROM t WHERE b LIKE 'canary%'")]
    dice.shuffle(gone)
    connection.execute("BEGIN")
    connection.executemany("DELETE FROM t WHERE rowid = ?", ((rowid,) for rowid in gone))
    connection.execute("COMMIT")


def wipe(connection: sqlite3.Connection, path: Path) -> None:
    page: int | None = 1
    while page is not None:
        page = wipe_some(connection, path, first_page=page).next_page
    assert empty_log(connection, path)


def traces(path: Path) -> int:
    return sum(file.read_bytes().count(b"canary") for file in path.parent.iterdir())


def test_secure_deletion_alone_leaves_copies_and_wiping_removes_them(
    connection: sqlite3.Connection, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiping, "PAGES_AT_ONCE", 7)
    fill_and_delete(connection)
    empty_log(connection, path)
    assert traces(path) > 0

    wipe(connection, path)

    assert traces(path) == 0


def test_what_is_left_is_as_it_was(connection: sqlite3.Connection, path: Path) -> None:
    fill_and_delete(connection)
    before = connection.execute("SELECT * FROM t ORDER BY a").fetchall()

    wipe(connection, path)

    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    with sqlite3.connect(path) as fresh:
        assert fresh.execute("SELECT * FROM t ORDER BY a").fetchall() == before
    fresh.close()


def test_writing_goes_on_after_it_and_stays_whole(connection: sqlite3.Connection, path: Path) -> None:
    fill_and_delete(connection)
    wipe(connection, path)

    connection.executemany("INSERT INTO t VALUES (?, ?)", ((f"new {n}", "heron " * (n % 90)) for n in range(500)))

    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (2_500,)


def test_a_connection_that_kept_old_pages_does_not_bring_them_back(connection: sqlite3.Connection, path: Path) -> None:
    fill_and_delete(connection)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("SELECT sum(length(b)) FROM t").fetchone()

    wipe(connection, path)
    other.execute("UPDATE t SET b = b || '.'")
    other.close()
    empty_log(connection, path)

    assert traces(path) == 0


def test_a_reader_of_an_older_state_is_waited_for_by_coming_back(connection: sqlite3.Connection, path: Path) -> None:
    fill_and_delete(connection)
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM t").fetchone()
    connection.execute("INSERT INTO t VALUES ('new', 'heron')")

    assert wipe_some(connection, path, first_page=1) == wiping.Wiped(1, complete=False)
    reader.execute("COMMIT")
    reader.close()
    assert wipe_some(connection, path, first_page=1).complete


class TestGaps:
    def leaf(self, *, cells: int = 1, content: int = 4_000, freeblock: int = 0, kind: int = 0x0D) -> bytearray:
        """A page with `cells` cells behind `content`, and something old everywhere else."""
        page = bytearray(b"\xee" * PAGE)
        page[0] = kind
        page[1:8] = freeblock.to_bytes(2, "big") + cells.to_bytes(2, "big") + content.to_bytes(2, "big") + b"\0"
        for number in range(cells):
            page[8 + 2 * number : 10 + 2 * number] = content.to_bytes(2, "big")
        return page

    def found(self, page: bytearray, *, first_page: int = 2) -> list[tuple[int, int]]:
        return [
            (gap.offset, gap.length) for gap in gaps(bytes(page), page_size=PAGE, usable=PAGE, first_page=first_page)
        ]

    def test_it_lies_between_the_list_of_cells_and_the_cells(self) -> None:
        assert self.found(self.leaf()) == [(PAGE + 10, 4_000 - 10)]

    def test_interior_pages_have_a_longer_head(self) -> None:
        page = self.leaf(kind=0x05)
        page[12:14] = (4_000).to_bytes(2, "big")

        assert self.found(page) == [(PAGE + 14, 4_000 - 14)]

    def test_a_gap_of_zeros_needs_nothing(self) -> None:
        page = self.leaf()
        page[10:4_000] = bytes(3_990)

        assert self.found(page) == []

    @pytest.mark.parametrize(
        "page",
        [
            {"kind": 0x00},
            {"kind": 0x0C},
            {"content": 5_000},
            {"content": 9},
            {"cells": 3_000},
            {"freeblock": 50},
        ],
    )
    def test_what_is_no_page_of_rows_is_left_alone(self, page: dict[str, int]) -> None:
        assert self.found(self.leaf(**page)) == []

    def test_a_cell_inside_the_gap_makes_the_page_suspect(self) -> None:
        page = self.leaf()
        page[8:10] = (200).to_bytes(2, "big")

        assert self.found(page) == []
