"""Postgres under concurrent writers, with connections that break and servers that lack something."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
from psycopg import OperationalError
from sqlalchemy import Column, Connection, Integer, MetaData, Table, Text, text
from sqlalchemy.exc import IntegrityError

from memcairn.domain.errors import Invalid, Unavailable
from memcairn.store import bulk
from memcairn.store.postgres import PostgresDatabase, postgres_url
from tests.postgres import PostgresServer

pytestmark = [pytest.mark.anyio, pytest.mark.postgres]


@pytest.fixture(scope="module")
def notes_url(postgres_server: PostgresServer) -> str:
    return postgres_server.empty()


@pytest.fixture
async def notes(notes_url: str, anyio_backend: str) -> AsyncIterator[PostgresDatabase]:
    """A database with an empty table of numbered notes."""

    def make(connection: Connection) -> None:
        connection.execute(text("DROP TABLE IF EXISTS notes"))
        connection.execute(text("CREATE TABLE notes (n integer PRIMARY KEY, words text NOT NULL DEFAULT '')"))

    database = PostgresDatabase(notes_url, connections=4, statement_timeout_seconds=5, queue_timeout_seconds=5)
    await database.write(make)
    yield database
    await database.close()


def add(connection: Connection, *numbers: int) -> None:
    for n in numbers:
        connection.execute(text("INSERT INTO notes VALUES (:n)"), {"n": n})


def numbers(connection: Connection) -> list[int]:
    return list(connection.execute(text("SELECT n FROM notes ORDER BY n")).scalars())


def end_connection(connection: Connection) -> None:
    """As when the server is restarted: this connection is gone, for the server at once."""
    own = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    connection.execute(text("SELECT pg_terminate_backend(:own)"), {"own": own})


class Meeting:
    """Makes several transactions wait for each other the first time they come here."""

    def __init__(self, count: int) -> None:
        self._barrier = threading.Barrier(count)
        self.visits = 0

    def wait(self) -> None:
        self.visits += 1
        if self.visits <= self._barrier.parties:
            self._barrier.wait(10)


class TestTransactions:
    async def test_what_raises_leaves_nothing(self, notes: PostgresDatabase) -> None:
        def half(connection: Connection) -> None:
            add(connection, 1)
            raise ValueError

        with pytest.raises(ValueError):  # noqa: PT011 -- its own error comes out as it is
            await notes.write(half)

        assert await notes.read(numbers) == []

    async def test_a_read_sees_one_snapshot(self, notes: PostgresDatabase) -> None:
        looked, written = threading.Event(), threading.Event()

        def look_twice(connection: Connection) -> tuple[list[int], list[int]]:
            before = numbers(connection)
            looked.set()
            assert written.wait(10)
            return before, numbers(connection)

        reading = asyncio.ensure_future(notes.read(look_twice))
        await asyncio.to_thread(looked.wait, 10)
        await notes.write(add, 1)
        written.set()

        assert await reading == ([], [])
        assert await notes.read(numbers) == [1]

    async def test_a_read_cannot_write(self, notes: PostgresDatabase) -> None:
        with pytest.raises(Unavailable):
            await notes.read(add, 1)

        assert await notes.read(numbers) == []

    async def test_nothing_that_was_set_outlives_its_transaction(self, notes: PostgresDatabase) -> None:
        def timeouts(connection: Connection) -> tuple[str, str]:
            inside = connection.execute(text("SHOW statement_timeout")).scalar_one()
            driver: Any = connection.connection.dbapi_connection
            driver.execute("COMMIT")
            outside = driver.execute("SHOW statement_timeout").fetchone()[0]
            driver.execute("BEGIN")
            return inside, outside

        assert await notes.read(timeouts) == ("5s", "0")

    async def test_no_statement_is_prepared_in_the_server(self, notes: PostgresDatabase) -> None:
        def often(connection: Connection) -> int:
            for _ in range(20):
                connection.execute(text("SELECT :n"), {"n": 1})
            return int(connection.execute(text("SELECT count(*) FROM pg_prepared_statements")).scalar_one())

        assert await notes.read(often) == 0


class TestTwoAtOnce:
    async def test_of_two_that_wait_for_each_other_both_come_through(self, notes: PostgresDatabase) -> None:
        meeting = Meeting(2)
        await notes.write(add, 1, 2)

        def touch(connection: Connection, first: int, second: int) -> None:
            for n in (first, second):
                connection.execute(text("UPDATE notes SET words = words || 'x' WHERE n = :n"), {"n": n})
                if n == first:
                    meeting.wait()

        await asyncio.gather(notes.write(touch, 1, 2), notes.write(touch, 2, 1))

        words = await notes.read(lambda connection: list(connection.execute(text("SELECT words FROM notes")).scalars()))
        assert words == ["xx", "xx"]
        assert meeting.visits == 3

    async def test_one_that_adds_what_another_added_meanwhile_looks_again(self, notes: PostgresDatabase) -> None:
        meeting = Meeting(2)

        def add_once(connection: Connection) -> bool:
            there = numbers(connection) == [1]
            meeting.wait()
            if not there:
                add(connection, 1)
            return not there

        assert sorted(await asyncio.gather(notes.write(add_once), notes.write(add_once))) == [False, True]

    async def test_what_fails_every_time_fails_as_it_is(self, notes: PostgresDatabase) -> None:
        with pytest.raises(IntegrityError):
            await notes.write(add, 1, 1)

        assert await notes.read(numbers) == []


class TestTooMuch:
    async def test_a_statement_without_end_is_stopped_and_the_connection_goes_on(self, notes_url: str) -> None:
        database = PostgresDatabase(notes_url, connections=2, statement_timeout_seconds=0.1)

        with pytest.raises(Unavailable) as refused:
            await database.read(lambda connection: connection.execute(text("SELECT pg_sleep(20)")))

        assert refused.value.code == "database_busy"
        assert await database.read(lambda connection: connection.execute(text("SELECT 1")).scalar_one()) == 1
        await database.close()

    async def test_whoever_gets_no_connection_in_time_is_told_so_and_never_carried_out(self, notes_url: str) -> None:
        database = PostgresDatabase(notes_url, connections=2, queue_timeout_seconds=0.1)
        holding, go_on = threading.Event(), threading.Event()
        carried_out: list[int] = []

        def hold(_connection: Connection) -> None:
            holding.set()
            assert go_on.wait(10)

        held = asyncio.ensure_future(database.write(hold))
        await asyncio.to_thread(holding.wait, 10)
        with pytest.raises(Unavailable) as refused:
            await database.write(lambda _connection: carried_out.append(1))
        go_on.set()
        await held
        await database.write(lambda _connection: carried_out.append(2))
        await database.close()

        assert refused.value.code == "database_busy"
        assert carried_out == [2]


class TestCallersThatLeave:
    async def test_the_pool_is_whole_again_afterwards(self, notes_url: str) -> None:
        database = PostgresDatabase(notes_url, connections=4, queue_timeout_seconds=5)
        sleep = text("SELECT pg_sleep(0.2)")
        verbs = [database.read, database.write] * 20  # most of them wait for a connection
        callers = [asyncio.create_task(verb(lambda connection: connection.execute(sleep).all())) for verb in verbs]
        await asyncio.sleep(0.1)

        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)

        # As many as there are connections: they meet only if each gets one.
        meeting = threading.Barrier(4, timeout=5)
        verbs = [database.read, database.write] * 2
        await asyncio.gather(*(verb(lambda _connection: meeting.wait()) for verb in verbs))
        await database.close()

    async def test_what_had_begun_is_carried_out_and_what_waited_is_not(
        self, notes: PostgresDatabase, notes_url: str
    ) -> None:
        begun, go_on = threading.Semaphore(0), threading.Event()

        def hold(connection: Connection, number: int) -> None:
            begun.release()
            go_on.wait(5)
            add(connection, number)

        holders = [asyncio.create_task(notes.write(hold, n)) for n in (1, 2)]
        for _ in holders:
            await asyncio.to_thread(begun.acquire, timeout=5)
        waiting = asyncio.create_task(notes.write(add, 3))
        await asyncio.sleep(0.05)

        for caller in (*holders, waiting):
            caller.cancel()
        await asyncio.gather(*holders, waiting, return_exceptions=True)
        go_on.set()

        await notes.close()  # which waits for what has begun
        again = PostgresDatabase(notes_url, connections=2)
        assert await again.read(numbers) == [1, 2]
        await again.close()


class TestBrokenConnections:
    async def test_one_that_breaks_before_many_rows_is_replaced(self, notes: PostgresDatabase) -> None:
        table = Table("notes", MetaData(), Column("n", Integer), Column("words", Text))
        tries: list[int] = []

        def fill(connection: Connection) -> None:
            tries.append(1)
            if len(tries) == 1:
                driver: Any = connection.connection.driver_connection
                with contextlib.suppress(OperationalError):
                    driver.execute("SELECT pg_terminate_backend(pg_backend_pid())")
            bulk.add(connection, table, [{"n": n, "words": "a"} for n in range(50)])

        await notes.write(fill)

        assert await notes.read(numbers) == list(range(50))
        assert len(tries) == 2

    async def test_a_read_is_repeated_on_another_one(self, notes: PostgresDatabase) -> None:
        tries: list[int] = []

        def read(connection: Connection) -> int:
            tries.append(1)
            if len(tries) == 1:
                end_connection(connection)
            return int(connection.execute(text("SELECT 7")).scalar_one())

        assert await notes.read(read) == 7
        assert len(tries) == 2

    async def test_a_write_that_was_not_committed_is_repeated_whole(self, notes: PostgresDatabase) -> None:
        tries: list[int] = []

        def write(connection: Connection) -> None:
            tries.append(1)
            add(connection, 1)
            if len(tries) == 1:
                end_connection(connection)
            add(connection, 2)

        await notes.write(write)

        assert await notes.read(numbers) == [1, 2]

    async def test_a_write_that_breaks_in_its_commit_is_not_repeated(self, notes: PostgresDatabase) -> None:
        def write(connection: Connection) -> None:
            add(connection, 1)
            driver: Any = connection.connection.dbapi_connection
            driver.pgconn.finish()

        with pytest.raises(Unavailable) as refused:
            await notes.write(write)

        assert refused.value.code == "commit_unknown"
        assert await notes.read(numbers) == []

    async def test_a_server_that_is_not_there_is_named(self) -> None:
        database = PostgresDatabase("postgresql://nobody@127.0.0.1:1/nothing", connections=2)

        with pytest.raises(Unavailable, match="DATABASE_URL") as refused:
            await database.read(numbers)

        assert refused.value.code == "database_unreachable"
        await database.close()


class TestAddresses:
    @pytest.mark.parametrize(
        "given",
        ["postgres://ann@db/mem", "postgresql://ann@db/mem", "postgresql+psycopg://ann@db/mem"],
    )
    def test_every_usual_spelling_is_understood(self, given: str) -> None:
        assert postgres_url(given).render_as_string() == "postgresql+psycopg://ann@db/mem"

    @pytest.mark.parametrize("given", ["mysql://db/mem", "db/mem", "", "postgresql//db"])
    def test_what_is_no_address_of_postgres_is_refused(self, given: str) -> None:
        with pytest.raises(Invalid) as refused:
            postgres_url(given)

        assert refused.value.code == "database_url"
