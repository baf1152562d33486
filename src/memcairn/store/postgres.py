"""Postgres behind the same two verbs: threads with a connection each, and nothing that outlives a transaction but
LISTEN, on which nothing rests.

What has to be set is set with the statement that begins a transaction and is gone with it, no statement is prepared in
the server, and no lock belongs to a session: so a transaction pooler may stand between the two.
"""

import asyncio
import itertools
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from memcairn.domain.errors import Invalid, Unavailable
from memcairn.store import dialect, driver, filters, postgres_errors
from memcairn.store.database import Snapshot
from memcairn.store.postgres_errors import Advice
from memcairn.store.postgres_hints import Hints, drop_hint
from memcairn.store.readers import closed
from memcairn.store.schema import metadata

P = ParamSpec("P")
T = TypeVar("T")

CONNECTIONS = 10
STATEMENT_TIMEOUT_SECONDS = 30.0
LOCK_TIMEOUT_SECONDS = 10.0
QUEUE_TIMEOUT_SECONDS = 10.0
"""How long a transaction may wait for a connection before its caller is told to come back."""
CONNECT_TIMEOUT_SECONDS = 10

MAX_TRIES = {Advice.AGAIN: 8, Advice.CROSSED: 5, Advice.LOST: 4, Advice.REFUSE: 1}
FIRST_PAUSE_SECONDS = 0.005
"""Before a transaction that lost to another one is begun again; each further pause is up to twice as long."""

_EACH_ALONE = "memcairn_each_alone"
"""Option of a connection whose statements, if they are prepared ones, are transactions of their own."""

_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"


class PostgresDatabase:
    """At most `connections` connections, half of them for reads and half for writes.

    A read sees one snapshot. A write sees what others committed before each of its statements; one that loses to
    another (a deadlock, a row that both add) is run again from its beginning, so its function must have no effect but
    on the connection. A write that fails while it commits, because the connection is lost, may have been stored: it is
    refused with Unavailable (`commit_unknown`) and not repeated.

    The object is made without a connection; the first transaction says Unavailable when there is no server.
    """

    def __init__(
        self,
        url: str,
        *,
        connections: int = CONNECTIONS,
        statement_timeout_seconds: float = STATEMENT_TIMEOUT_SECONDS,
        queue_timeout_seconds: float = QUEUE_TIMEOUT_SECONDS,
        on_group: Callable[[int, float], None] = lambda _callers, _seconds: None,
    ) -> None:
        writers = max(1, connections // 2)
        readers = max(1, connections - writers)
        self._on_group = on_group
        self._queue_timeout_seconds = queue_timeout_seconds
        limits = _limits(statement_timeout_seconds)
        self._reader_engine = postgres_engine(
            url, begin=f"{_READ}; {limits}", connections=readers, queue_timeout_seconds=queue_timeout_seconds
        )
        self._peek_engine = self._reader_engine.execution_options(**{_EACH_ALONE: True})
        self._writer_engine = postgres_engine(url, begin=f"{_WRITE}; {limits}", connections=writers)
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="memcairn-reader")
        self._writers = ThreadPoolExecutor(writers, thread_name_prefix="memcairn-writer")
        self._hints = Hints(self._reader_engine, self._notify)
        self._may_listen = readers > 1
        self._closed = False

    async def read(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        self._require_open()
        return await self._answer(self._readers.submit(lambda: self._snapshot(fn, *args, **kwargs)))

    async def reads(self, fn: Callable[Concatenate[Snapshot, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        self._require_open()
        return await asyncio.to_thread(fn, self._snapshot, *args, **kwargs)

    def here(self) -> Snapshot | None:
        return None

    async def peek(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        self._require_open()
        work = partial(self._run_read, self._peek_engine, lambda c: fn(c, *args, **kwargs))
        return await self._answer(self._readers.submit(work))

    def version(self) -> int | None:
        return None  # it would be another question to another machine

    async def write(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        self._require_open()
        work = partial(_repeated, partial(self._run_write, lambda c: fn(c, *args, **kwargs)))
        return await self._answer(self._writers.submit(work))

    def tell(self) -> None:
        self._hints.tell()

    def listen(self, heard: Callable[[], None]) -> None:
        """Takes one of the connections for reads; where there is only one, nothing is heard."""
        if self._may_listen:
            self._hints.listen(heard)

    async def wipe(self) -> bool:
        """Make the room of deleted rows free for others (`VACUUM`).

        True when every table was reached. The bytes stay in the files until other rows take their place.
        """
        self._require_open()
        vacuum = [f'VACUUM "{table.name}"' for table in metadata.sorted_tables]
        work = partial(_repeated, partial(_outside_of_transactions, self._writer_engine, vacuum))
        await self._answer(self._writers.submit(work))
        return True

    async def close(self) -> None:
        self._closed = True
        await self._hints.close()
        for threads in (self._writers, self._readers):
            await asyncio.to_thread(threads.shutdown)
        self._reader_engine.dispose()
        self._writer_engine.dispose()

    async def _answer(self, done: "Future[T]") -> T:
        """The result, unless no thread has begun with it in time: then it is taken back and never carried out.

        The same when the caller goes away; what has begun by then is carried out to its end.
        """
        waiting = asyncio.wrap_future(done)
        try:
            finished, _ = await asyncio.wait({waiting}, timeout=self._queue_timeout_seconds)
        except asyncio.CancelledError:
            done.cancel()
            raise
        if not finished and done.cancel():
            raise self._all_busy()
        return await asyncio.shield(waiting)

    async def _notify(self, statement: str) -> None:
        work = partial(_repeated, partial(_outside_of_transactions, self._writer_engine, [statement]))
        await self._answer(self._writers.submit(work))

    def _require_open(self) -> None:
        if self._closed:
            raise closed()

    def _all_busy(self) -> Unavailable:
        return Unavailable(
            f"Every database connection was busy for {self._queue_timeout_seconds:g} s. Repeat the request, or "
            "allow more connections (MEMCAIRN_DATABASE_CONNECTIONS).",
            code="database_busy",
        )

    def _snapshot(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return self._run_read(self._reader_engine, lambda c: fn(c, *args, **kwargs))

    def _run_read(self, engine: Engine, fn: Callable[[Connection], T]) -> T:
        self._require_open()
        try:
            return _repeated(partial(_run, engine, fn))
        except PoolTimeoutError as error:
            raise self._all_busy() from error

    def _run_write(self, fn: Callable[[Connection], T]) -> T:
        started = time.perf_counter()
        result = _run(self._writer_engine, fn, writes=True)
        self._on_group(1, time.perf_counter() - started)
        return result


def postgres_url(text: str) -> URL:
    """The address in the form the driver takes it; Invalid when it is not the address of a Postgres database."""
    try:
        url = make_url(text)
    except ArgumentError:
        url = None
    if url is None or url.get_backend_name() not in ("postgresql", "postgres"):
        raise Invalid(
            "DATABASE_URL is not an address of a Postgres database. Write postgresql://user:password@host:5432/name.",
            code="database_url",
        )
    return url.set(drivername="postgresql+psycopg")


def postgres_engine(
    url: str, *, begin: str, connections: int, queue_timeout_seconds: float = QUEUE_TIMEOUT_SECONDS
) -> Engine:
    """An engine whose transactions start with `begin`, on at most `connections` connections."""
    parsed = postgres_url(url)
    defaults = {"connect_timeout": CONNECT_TIMEOUT_SECONDS, "application_name": "memcairn"}
    try:
        engine = create_engine(
            parsed,
            pool_size=connections,
            max_overflow=0,
            pool_timeout=queue_timeout_seconds,
            use_native_hstore=False,
            connect_args={
                "prepare_threshold": None,  # a transaction pooler hands each transaction another server connection
                "client_encoding": "utf8",
                **{name: value for name, value in defaults.items() if name not in parsed.query},
            },
        )
    except (ModuleNotFoundError, NoSuchModuleError):
        raise Invalid(
            "DATABASE_URL names a Postgres database, and its driver is not installed. Install it with "
            "pip install 'memcairn[postgres]'.",
            code="postgres_extra",
        ) from None

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: object) -> None:
        # The driver would open transactions by its own rules; `begin` below is the only place that does.
        connection.autocommit = True
        connection.add_notify_handler(drop_hint)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        filters.forget(connection)
        driver.begin_later(connection, begin, alone=connection.get_execution_options().get(_EACH_ALONE, False))

    @event.listens_for(engine, "before_cursor_execute")
    def _before(connection: Connection, *_statement: object) -> None:
        driver.begin_now(connection)

    return engine


def _limits(statement_timeout_seconds: float) -> str:
    statement, lock = round(statement_timeout_seconds * 1000), round(LOCK_TIMEOUT_SECONDS * 1000)
    return f"SET LOCAL statement_timeout = {statement}; SET LOCAL lock_timeout = {min(lock, statement)}"


def _run(engine: Engine, fn: Callable[[Connection], T], *, writes: bool = False) -> T:
    """The result of `fn` in one transaction; one that `writes` and is lost while it commits is not repeated."""
    committing = False
    with engine.connect() as connection:
        try:
            with connection.begin():
                if writes:
                    dialect.begin_with_end(connection)
                result = fn(connection)
                if writes:
                    dialect.end(connection)
                committing = True
        except DBAPIError as error:
            if committing and writes and postgres_errors.advice(error) is Advice.LOST:
                raise postgres_errors.commit_unknown() from error
            if filters.stopped(connection, error):
                raise filters.too_costly() from None
            raise
        return result


def _repeated(work: Callable[[], T]) -> T:
    """The result of `work`, begun again when another transaction or a lost connection got in its way."""
    for tries in itertools.count(1):
        try:
            return work()
        except DBAPIError as error:
            if tries >= MAX_TRIES[postgres_errors.advice(error)]:
                refusal = postgres_errors.refusal(error)
                if refusal is None:
                    raise
                raise refusal from error
        time.sleep(random.uniform(0.5, 1) * FIRST_PAUSE_SECONDS * 2**tries)  # noqa: S311 -- no secret, spreads two that met
    raise AssertionError("counting does not end")


def _outside_of_transactions(engine: Engine, statements: Sequence[str]) -> None:
    with engine.connect() as connection:
        beneath: Any = connection.connection.dbapi_connection
        for statement in statements:
            with driver.errors(connection, statement):
                beneath.execute(statement)
