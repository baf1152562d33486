"""Transactions: what is answered is stored, what fails is undone alone, what is read does not change meanwhile."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError, OperationalError

from memcairn.domain.errors import Unavailable
from memcairn.store.database import Snapshot, SqliteDatabase

pytestmark = pytest.mark.anyio


@pytest.fixture
def notes_file(tmp_path: Path) -> Path:
    path = tmp_path / "notes.db"
    with sqlite3.connect(path) as plain:
        plain.execute("CREATE TABLE notes (n INTEGER PRIMARY KEY, words TEXT)")
        plain.execute(
            "CREATE TABLE replies (n INTEGER PRIMARY KEY, note INTEGER NOT NULL REFERENCES notes (n)"
            " DEFERRABLE INITIALLY IMMEDIATE)"
        )
    plain.close()
    return path


class Notes:
    """A database, the sizes of the groups it committed, and a second connection that looks at the file from outside."""

    def __init__(self, path: Path) -> None:
        self.groups: list[int] = []
        self.db = SqliteDatabase(path, on_group=lambda size, _seconds: self.groups.append(size))
        self.waiting: list[asyncio.Future[Any]] = []
        self._outside = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)

    def seen_outside(self) -> list[int]:
        return [n for (n,) in self._outside.execute("SELECT n FROM notes ORDER BY n")]

    async def together(self, *writes: Callable[[Connection], Any]) -> list[Any]:
        """The outcomes of writes that share one commit: they queue up while another one holds the writer."""
        holding, go_on = threading.Event(), threading.Event()

        def hold(_connection: Connection) -> None:
            holding.set()
            assert go_on.wait(10)

        held = asyncio.ensure_future(self.db.write(hold))
        await asyncio.to_thread(holding.wait, 10)
        self.waiting = [asyncio.ensure_future(self.db.write(write)) for write in writes]
        await asyncio.sleep(0)
        go_on.set()
        await held
        return await asyncio.gather(*self.waiting, return_exceptions=True)

    async def first_groups(self, count: int) -> list[int]:
        await self.db.write(lambda _connection: None)  # a group is counted after its answers, and before the next one
        return self.groups[:count]

    async def close(self) -> None:
        self._outside.close()
        await self.db.close()


@pytest.fixture
async def notes(notes_file: Path, anyio_backend: str) -> Any:
    opened = Notes(notes_file)
    yield opened
    await opened.close()


def add(n: int, words: str = "") -> Callable[[Connection], int]:
    def write(connection: Connection) -> int:
        connection.execute(text("INSERT INTO notes VALUES (:n, :words)"), {"n": n, "words": words})
        return n

    return write


def numbers(connection: Connection) -> list[int]:
    return list(connection.execute(text("SELECT n FROM notes ORDER BY n")).scalars())


def pragma(name: str) -> Callable[[Connection], Any]:
    return lambda connection: connection.exec_driver_sql(f"PRAGMA {name}").scalar()


async def fill(database: SqliteDatabase, pages: int, *, first: int = 0) -> None:
    """Commits of about 50 pages each."""
    for n in range(first, first + pages // 50):
        await database.write(add(n, "x" * 4_000 * 50))


class TestTheLog:
    @pytest.mark.parametrize(("elsewhere", "least", "most"), [(False, 900, 1_200), (True, 2_900, 3_300)])
    async def test_it_grows_longer_where_another_process_brings_it_into_the_file(
        self, notes_file: Path, *, elsewhere: bool, least: int, most: int
    ) -> None:
        database = SqliteDatabase(notes_file, checkpoints_elsewhere=elsewhere)

        await fill(database, 3_000)

        assert least < pages_of_the_log(notes_file) < most
        await database.close()

    async def test_what_one_process_leaves_in_it_the_next_commit_of_another_brings_into_the_file(
        self, notes_file: Path
    ) -> None:
        server, worker = SqliteDatabase(notes_file, checkpoints_elsewhere=True), SqliteDatabase(notes_file)
        await fill(server, 2_000)

        await worker.write(add(-1))
        before = pages_of_the_log(notes_file)
        await fill(server, 1_500, first=40)

        assert pages_of_the_log(notes_file) == before, "it is written anew from its start"
        await server.close()
        await worker.close()

    async def test_it_is_not_left_to_grow_without_end_if_the_other_process_is_gone(self, notes_file: Path) -> None:
        server = SqliteDatabase(notes_file, checkpoints_elsewhere=True)

        await fill(server, 13_000)

        assert pages_of_the_log(notes_file) < 10_300
        await server.close()


def pages_of_the_log(path: Path) -> int:
    return path.with_name(f"{path.name}-wal").stat().st_size // 4_120


class TestWriting:
    async def test_writes_that_wait_share_one_commit(self, notes: Notes) -> None:
        results = await notes.together(add(1), add(2), add(3))

        assert results == [1, 2, 3]
        assert await notes.first_groups(2) == [1, 3]

    async def test_a_write_that_fails_is_undone_alone(self, notes: Notes) -> None:
        def add_and_fail(connection: Connection) -> None:
            add(2)(connection)
            raise LookupError("no")

        first, failed, last = await notes.together(add(1), add_and_fail, add(3))

        assert (first, last) == (1, 3)
        assert isinstance(failed, LookupError)
        assert notes.seen_outside() == [1, 3]
        assert await notes.first_groups(2) == [1, 3]

    async def test_a_refused_statement_undoes_the_whole_write_and_no_other(self, notes: Notes) -> None:
        def add_twice(connection: Connection) -> None:
            add(2)(connection)
            add(1)(connection)

        first, refused, last = await notes.together(add(1), add_twice, add(3))

        assert (first, last) == (1, 3)
        assert isinstance(refused, IntegrityError)
        assert notes.seen_outside() == [1, 3]

    async def test_a_later_write_of_a_group_sees_the_earlier_ones(self, notes: Notes) -> None:
        assert (await notes.together(add(1), numbers))[1] == [1]

    async def test_nobody_is_answered_before_the_commit(self, notes: Notes) -> None:
        seen: list[tuple[int, list[int]]] = []

        async def write_and_look(n: int) -> None:
            await notes.db.write(add(n))
            seen.append((n, notes.seen_outside()))

        await asyncio.gather(*(write_and_look(n) for n in range(20)))

        assert len(seen) == 20
        assert all(n in rows for n, rows in seen)

    async def test_an_answer_waits_for_the_group_it_is_part_of(self, notes: Notes) -> None:
        def look(_connection: Connection) -> tuple[bool, list[int]]:
            return notes.waiting[0].done(), notes.seen_outside()

        first, (answered, stored) = await notes.together(add(1), look)

        assert first == 1
        assert (answered, stored) == (False, [])

    async def test_a_commit_that_fails_fails_everyone_in_it(self, notes: Notes) -> None:
        def reply_to_nothing(connection: Connection) -> None:
            connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
            connection.execute(text("INSERT INTO replies VALUES (1, 99)"))

        results = await notes.together(add(1), reply_to_nothing, add(2))

        assert [type(result) for result in results] == [IntegrityError] * 3
        assert notes.seen_outside() == []
        assert await notes.db.write(add(3)) == 3

    async def test_a_caller_that_goes_away_takes_nothing_with_it(self, notes: Notes) -> None:
        holding = threading.Event()
        held = asyncio.ensure_future(notes.db.write(lambda _connection: holding.wait(10)))
        leaving = asyncio.ensure_future(notes.db.write(add(1)))
        staying = asyncio.ensure_future(notes.db.write(add(2)))
        await asyncio.sleep(0)

        leaving.cancel()
        holding.set()

        with pytest.raises(asyncio.CancelledError):
            await leaving
        assert await staying == 2
        await held
        assert notes.seen_outside() == [1, 2]

    async def test_a_write_returns_what_its_function_returns(self, notes: Notes) -> None:
        def echo(_connection: Connection, first: int, *, second: str) -> tuple[int, str]:
            return first, second

        assert await notes.db.write(echo, 1, second="two") == (1, "two")


class TestAFullDisk:
    async def test_it_is_said_as_such_and_passes(self, notes: Notes) -> None:
        limit = await notes.db.write(pragma("page_count"))
        await notes.db.write(pragma(f"max_page_count = {limit + 2}"))

        with pytest.raises(Unavailable) as refused:
            await notes.db.write(add(1, "x" * 200_000))
        small = await notes.db.write(add(2, "x"))
        await notes.db.write(pragma("max_page_count = 100000"))
        large = await notes.db.write(add(3, "x" * 200_000))

        assert refused.value.code == "storage_full"
        assert (small, large) == (2, 3)
        assert notes.seen_outside() == [2, 3]

    async def test_nobody_in_its_group_is_told_that_something_was_stored(self, notes: Notes) -> None:
        # SQLite undoes the whole transaction by itself when the disk is full, the other members' writes included.
        limit = await notes.db.write(pragma("page_count"))
        await notes.db.write(pragma(f"max_page_count = {limit + 2}"))

        results = await notes.together(add(1), add(2, "x" * 200_000), add(3))

        assert [getattr(result, "code", result) for result in results] == ["storage_full"] * 3
        assert notes.seen_outside() == []


class TestReading:
    async def test_a_read_sees_one_moment_while_others_write(self, notes: Notes) -> None:
        await notes.db.write(add(1))
        looked, written = threading.Event(), threading.Event()

        def look_twice(connection: Connection) -> tuple[list[int], list[int]]:
            before = numbers(connection)
            looked.set()
            assert written.wait(10)
            return before, numbers(connection)

        reading = asyncio.ensure_future(notes.db.read(look_twice))
        await asyncio.to_thread(looked.wait, 10)
        await notes.db.write(add(2))
        written.set()

        assert await reading == ([1], [1])
        assert await notes.db.read(numbers) == [1, 2]

    async def test_several_snapshots_on_one_thread_see_what_came_between(self, notes: Notes) -> None:
        looked, written = threading.Event(), threading.Event()

        def look_twice(snapshot: Snapshot) -> tuple[list[int], list[int]]:
            before = snapshot(numbers)
            looked.set()
            assert written.wait(10)
            return before, snapshot(numbers)

        looking = asyncio.ensure_future(notes.db.reads(look_twice))
        await asyncio.to_thread(looked.wait, 10)
        await notes.db.write(add(1))
        written.set()

        assert await looking == ([], [1])

    async def test_what_is_still_reading_is_waited_for_and_what_comes_later_refused(self, notes_file: Path) -> None:
        notes = Notes(notes_file)
        looked, closing, closed = threading.Event(), threading.Event(), threading.Event()

        def look_slowly(connection: Connection) -> list[int]:
            looked.set()
            assert closing.wait(10)
            return numbers(connection)

        def look_twice(snapshot: Snapshot) -> list[int]:
            seen = snapshot(look_slowly)
            assert closed.wait(10)
            with pytest.raises(Unavailable):
                snapshot(numbers)
            return seen

        looking = asyncio.ensure_future(notes.db.reads(look_twice))
        await asyncio.to_thread(looked.wait, 10)
        shut = asyncio.ensure_future(notes.close())
        await asyncio.sleep(0.05)
        assert not shut.done()
        closing.set()
        await shut
        closed.set()

        assert await looking == []

    async def test_a_read_cannot_write(self, notes: Notes) -> None:
        with pytest.raises(OperationalError, match="readonly"):
            await notes.db.read(add(1))

        assert notes.seen_outside() == []

    async def test_a_read_that_fails_leaves_its_connection_usable(self, notes: Notes) -> None:
        def fail(connection: Connection) -> None:
            numbers(connection)
            raise LookupError("no")

        for _ in range(8):  # twice as many as there are readers
            with pytest.raises(LookupError):
                await notes.db.read(fail)
        await notes.db.write(add(1))

        assert await asyncio.gather(*(notes.db.read(numbers) for _ in range(8))) == [[1]] * 8


class TestOpening:
    async def test_commits_survive_power_loss_and_readers_do_not_wait(self, notes: Notes) -> None:
        of_writer = [await notes.db.write(pragma(name)) for name in ("journal_mode", "synchronous", "foreign_keys")]
        of_readers = [await notes.db.read(pragma(name)) for name in ("journal_mode", "query_only", "foreign_keys")]

        assert of_writer == ["wal", 2, 1]
        assert of_readers == ["wal", 1, 1]

    async def test_deleted_text_is_overwritten(self, notes: Notes) -> None:
        assert await notes.db.write(pragma("secure_delete")) == 1

    async def test_a_dangling_reference_is_refused(self, notes: Notes) -> None:
        with pytest.raises(IntegrityError):
            await notes.db.write(lambda connection: connection.execute(text("INSERT INTO replies VALUES (1, 99)")))

    @pytest.mark.parametrize("spoil", [lambda path: path.write_bytes(b"no database" * 100), Path.mkdir])
    async def test_a_file_that_is_no_database_is_refused_with_its_name(
        self, tmp_path: Path, spoil: Callable[[Path], object]
    ) -> None:
        path = tmp_path / "photo.jpg"
        spoil(path)

        with pytest.raises(Unavailable, match=r"photo\.jpg") as refused:
            SqliteDatabase(path)

        assert refused.value.code == "database_unusable"


class TestClosing:
    async def test_accepted_writes_are_finished(self, notes_file: Path) -> None:
        notes = Notes(notes_file)
        accepted = [asyncio.ensure_future(notes.db.write(add(n))) for n in range(10)]
        await asyncio.sleep(0)

        await notes.db.close()

        assert await asyncio.gather(*accepted) == list(range(10))
        assert notes.seen_outside() == list(range(10))
        await notes.close()

    async def test_later_requests_are_refused_instead_of_waiting_for_ever(self, notes_file: Path) -> None:
        notes = Notes(notes_file)
        await notes.close()

        with pytest.raises(Unavailable):
            await notes.db.write(add(1))
        with pytest.raises(Unavailable):
            await notes.db.read(numbers)


class TestVersion:
    async def test_it_changes_with_each_commit_of_anybody_and_with_nothing_else(
        self, notes: Notes, notes_file: Path
    ) -> None:
        seen = [notes.db.version()]
        await notes.db.read(numbers)
        seen.append(notes.db.version())
        await notes.db.write(add(1))
        seen.append(notes.db.version())
        another = SqliteDatabase(notes_file)
        await another.write(add(2))
        await another.close()
        seen.append(notes.db.version())

        assert seen[0] == seen[1]
        assert len(set(seen[1:])) == 3
