"""Transactions as plain functions of a connection, run on threads.

`write` runs one function in one durable transaction, `read` in one consistent snapshot. A function cannot await, so it
cannot hold a connection while a model thinks.
"""

import asyncio
import contextlib
import json
import logging
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlalchemy.pool import NullPool, StaticPool

from memcairn.domain.errors import Unavailable
from memcairn.store import driver, filters, turns
from memcairn.store.index import copies
from memcairn.store.readers import Readers, closed, driver_of
from memcairn.store.turns import BUSY_TIMEOUT_MILLIS
from memcairn.store.wiping import empty_log, shorten_log, wipe_some

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)

READER_THREADS = 4
MAX_GROUP = 128
"""Writes committed by one sync. Larger groups gain nothing measurable and make the first caller wait for the last."""

CHECKPOINT_PAGES = 1_000
"""Behind a commit that leaves so many pages in the log they are brought into the file: SQLite's default, 4 MB."""

RARE_CHECKPOINT_PAGES = 10_000
"""The same where another process is to do it: only if that one has not written for long, or not at all."""

WIPE_TRIES = 100
WIPE_PAUSE_SECONDS = 0.005
"""Between two steps of a wipe, for writers; a step that a reader kept from its work is tried again after it."""


class Snapshot(Protocol):
    """Runs one function on one consistent snapshot and gives its result. Blocking."""

    def __call__(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T: ...


class Database(Protocol):
    """Where things rest. `fn` receives an open connection in a transaction that commits when it returns."""

    async def read(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of `fn` on one consistent snapshot."""
        ...

    async def reads(self, fn: Callable[Concatenate[Snapshot, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of `fn`, run on a thread, that may take several snapshots and holds no connection in between.

        For what would otherwise go from thread to thread several times: each such step costs about 0.1 ms.
        """
        ...

    def here(self) -> Snapshot | None:
        """Takes snapshots on the caller's own thread, for work of a few milliseconds in all that may hold up its loop;
        None where each would wait for another machine."""
        ...

    async def peek(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same as `read`, for a statement or two that find few rows by their keys, each perhaps at a moment of its
        own: they may hold up the caller's event loop.

        A file answers such a question in less time than it takes to ask another thread, or to begin a transaction.
        """
        ...

    def version(self) -> int | None:
        """A number that is another one once anybody has committed anything; None where that takes too long to say.

        What was read after it was asked for holds for as long as it stays the same.
        """
        ...

    async def write(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of `fn`, after its transaction is committed and synced; if it raises, nothing of it was stored."""
        ...

    def tell(self) -> None:
        """Let other processes on this database know that work was committed: a hint, which may not arrive.

        To be called on a loop; neither blocks nor raises.
        """
        ...

    def listen(self, heard: Callable[[], None]) -> None:
        """Have `heard` called on this loop when another process tells, until the database is closed."""
        ...

    async def wipe(self) -> bool:
        """Overwrite what deleted rows left behind, in small steps between which writes go on.

        False when something kept it from reaching the end; it can be called again.
        """
        ...

    async def close(self) -> None:
        """Finish accepted writes and close every connection."""
        ...


class SqliteDatabase:
    """One writer thread and several readers on one file, in WAL mode with `synchronous=FULL`.

    Writes that wait while another commits are carried out together and share one sync; each caller is answered after
    the commit that holds its own, and one that fails is undone alone. A file that cannot be opened and written is
    refused with Unavailable when the object is made.

    With `checkpoints_elsewhere`, bringing what the log holds into the file is left to another process that writes
    often: whoever waits for the commit that does it waits for that too, some 30 ms.
    """

    def __init__(
        self,
        path: Path,
        *,
        on_group: Callable[[int, float], None] = lambda _callers, _seconds: None,
        checkpoints_elsewhere: bool = False,
    ) -> None:
        self._path = path
        self._on_group = on_group
        pages = RARE_CHECKPOINT_PAGES if checkpoints_elsewhere else CHECKPOINT_PAGES
        self._writer_engine = sqlite_engine(path, query_only=False, checkpoint_pages=pages)
        self._reader_engine = sqlite_engine(path, query_only=True)
        self._queue: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._closed = False
        self._readers = Readers(self._reader_engine, at_once=READER_THREADS)
        self._threads = ThreadPoolExecutor(READER_THREADS, thread_name_prefix="memcairn-reader")
        self._connection = _opened(self._writer_engine, path)
        self._writer = threading.Thread(target=self._write_forever, name="memcairn-writer", daemon=True)
        self._writer.start()

    async def read(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        self._require_open()
        return await asyncio.wrap_future(self._threads.submit(lambda: self._snapshot(fn, *args, **kwargs)))

    async def reads(self, fn: Callable[Concatenate[Snapshot, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        self._require_open()
        return await asyncio.to_thread(fn, self._snapshot, *args, **kwargs)

    def here(self) -> Snapshot | None:
        self._require_open()
        return self._snapshot_here

    async def peek(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        self._require_open()
        with _translated():
            return self._readers.glance(lambda c: fn(c, *args, **kwargs))

    def version(self) -> int | None:
        self._require_open()
        return self._readers.version()

    async def write(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        self._require_open()
        return await self._carried_out(lambda c: fn(c, *args, **kwargs))

    def tell(self) -> None:
        """Nobody hears: a file has no way to tell, and whoever waits for work looks at it."""

    def listen(self, heard: Callable[[], None]) -> None:
        """Nothing is ever heard."""

    async def wipe(self) -> bool:
        await asyncio.to_thread(shorten_log, self._path)
        page: int | None = 1
        tries = 0
        while page is not None and tries < WIPE_TRIES:
            done = await self._between_transactions(partial(wipe_some, path=self._path, first_page=page))
            page, tries = done.next_page, 0 if done.complete else tries + 1
            await asyncio.sleep(WIPE_PAUSE_SECONDS)
        if page is not None or not await self._between_transactions(partial(empty_log, path=self._path)):
            return False
        # Not before the log is empty: until then a reader may still see what was removed, and copy it.
        return await asyncio.to_thread(self._without_copies)

    def _without_copies(self) -> bool:
        try:
            copies.remove_all(copies.folder_of(self._path))
        except OSError:
            log.warning("copies of the index beside the database could not be removed", exc_info=True)
            return False
        return True

    async def _between_transactions(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        """The result of `fn`, called with the driver's own connection while no transaction is open on it."""
        self._require_open()
        return await self._carried_out(lambda c: fn(driver_of(c)), alone=True)

    async def _carried_out(self, fn: Callable[[Connection], T], *, alone: bool = False) -> T:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        self._queue.put(_Write(fn, loop, done, alone=alone))
        # Shielded: a caller that goes away must not undo a write that other callers share a commit with.
        return await asyncio.shield(done)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        await asyncio.to_thread(self._writer.join)
        await asyncio.to_thread(self._threads.shutdown)
        await asyncio.to_thread(self._readers.close)
        self._reader_engine.dispose()
        self._writer_engine.dispose()

    def _require_open(self) -> None:
        if self._closed:
            raise closed()

    def _snapshot(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        with _translated():
            return self._readers.snapshot(lambda c: fn(c, *args, **kwargs))

    def _snapshot_here(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        with _translated():
            return self._readers.snapshot_at_once(lambda c: fn(c, *args, **kwargs))

    def _write_forever(self) -> None:
        with self._connection:
            while True:
                members = self._next_members()
                stopping = members[-1] is None
                group = [member for member in members if member is not None and not member.alone]
                if group:
                    started = time.perf_counter()
                    _commit_group(self._connection, group)
                    self._on_group(len(group), time.perf_counter() - started)
                for member in members:
                    if member is not None and member.alone:
                        _carry_out_alone(self._connection, member)
                if stopping:
                    return

    def _next_members(self) -> list["_Write | None"]:
        """Wait for one write and take along those already queued; None comes last and ends the thread."""
        members = [self._queue.get()]
        with contextlib.suppress(queue.Empty):
            while members[-1] is not None and len(members) < MAX_GROUP:
                members.append(self._queue.get_nowait())
        return members


class _Write(contextlib.AbstractContextManager[None]):
    """A function waiting for its transaction, and the future that is told when it is committed.

    As a context manager it keeps what goes wrong inside for its caller instead of ending the writer thread.
    """

    __slots__ = ("alone", "done", "error", "fn", "loop", "result")

    def __init__(
        self,
        fn: Callable[[Connection], Any],
        loop: asyncio.AbstractEventLoop,
        done: "asyncio.Future[Any]",
        *,
        alone: bool = False,
    ) -> None:
        self.fn = fn
        self.loop = loop
        self.done = done
        self.alone = alone
        self.result: Any = None
        self.error: BaseException | None = None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        self.error = self.error or error
        return error is not None

    def answer(self) -> None:
        """Tell the caller, on its loop."""
        if self.done.done():
            return
        if self.error is not None:
            self.done.set_exception(self.error)
        else:
            self.done.set_result(self.result)


class _Group(contextlib.AbstractContextManager[None]):
    """Writes that share one commit: if it fails, every one of them failed."""

    def __init__(self, members: list[_Write]) -> None:
        self.members = members

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        for member in self.members:
            member.error = member.error or error
        return error is not None


def _commit_group(connection: Connection, members: list[_Write]) -> None:
    """Carry out `members` in one transaction and answer everyone.

    When one of several raises, all are undone and carried out again, each behind a savepoint of its own: two statements
    for every write are too many for what hardly ever happens.
    """
    if not _carried_out_together(connection, members):
        with _Group(members), _translated(), connection.begin():
            for member in members:
                _carry_out(connection, member)
    if _in_transaction(connection):  # a COMMIT that SQLite refuses leaves its transaction open
        connection.connection.rollback()
    _answer(members)


def _carried_out_together(connection: Connection, members: list[_Write]) -> bool:
    """False when one of several raised: nothing of any was stored, and nobody has failed."""
    with _Group(members), _translated(), connection.begin() as transaction:
        for member in members:
            with member, _translated():
                member.result = member.fn(connection)
            if member.error is None:
                continue
            transaction.rollback()
            if len(members) == 1:
                break
            member.error = None
            return False
    return True


def _answer(members: Sequence[_Write]) -> None:
    """Wake each loop once for all of its callers; one that was closed meanwhile has nobody left who waits."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Write]] = {}
    for member in members:
        by_loop.setdefault(member.loop, []).append(member)
    for loop, its in by_loop.items():
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_answer_each, its)


def _answer_each(members: Sequence[_Write]) -> None:
    for member in members:
        member.answer()


def _carry_out_alone(connection: Connection, member: _Write) -> None:
    with member, _translated():
        member.result = member.fn(connection)
    _answer([member])


def _carry_out(connection: Connection, member: _Write) -> None:
    sqlite = driver_of(connection)  # asked directly: these statements surround every write and have nothing to convert
    sqlite.execute("SAVEPOINT member")
    with member, _translated():
        member.result = member.fn(connection)
    # On a full or failing disk SQLite may undo the whole transaction by itself: then nobody's write is left in it, and
    # going on would carry out the next ones outside of any.
    if member.error is not None and not sqlite.in_transaction:
        raise member.error
    if member.error is not None:
        connection.exec_driver_sql("ROLLBACK TO member")
    sqlite.execute("RELEASE member")


def _in_transaction(connection: Connection) -> bool:
    return driver_of(connection).in_transaction


class _translated(contextlib.AbstractContextManager[None]):  # noqa: N801 -- reads as a word after `with`
    """Turn what the database says about its own state into errors a caller can act on."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, DatabaseError) or isinstance(error, IntegrityError):
            return
        said = str(error.orig).lower()
        if filters.ERROR_SIGN in said:
            raise filters.too_costly() from None
        if "disk is full" in said or "disk i/o error" in said:
            raise Unavailable(
                "The database could not write: the disk is full or failing. Nothing of this request was stored; "
                "free some space and repeat it.",
                code="storage_full",
                retry_after_seconds=5,
            ) from error
        if "database is locked" in said or "database table is locked" in said:
            raise Unavailable(
                f"Another process held the database for over {BUSY_TIMEOUT_MILLIS // 1000} s. Repeat the request.",
                code="database_busy",
            ) from error


def _as_json(value: Any) -> str:
    return "{}" if value == {} else json.dumps(value)  # most metadata is empty, and the library takes its time


def _opened(engine: Engine, path: Path) -> Connection:
    try:
        connection = engine.connect()
    except DatabaseError as error:
        reason = str(error.orig)
    else:
        if os.access(path, os.W_OK):
            return connection
        connection.close()
        reason = "it may not be written to"
    engine.dispose()
    raise Unavailable(
        f"The database {str(path)!r} cannot be opened: {reason}. Check that it is a Memcairn database and that its "
        "file and folder are yours to write, or name another one.",
        code="database_unusable",
    )


def sqlite_engine(path: Path, *, query_only: bool, checkpoint_pages: int = CHECKPOINT_PAGES) -> Engine:
    """An engine whose commits survive power loss (`synchronous=FULL`), for readers or for the writer."""
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=NullPool if query_only else StaticPool,
        connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_MILLIS / 1000},
        json_serializer=_as_json,
        json_deserializer=driver.from_json,
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: object) -> None:
        filters.install(connection)
        # The driver would open transactions by its own rules; `begin` below is the only place that does.
        connection.isolation_level = None
        cursor = connection.cursor()
        if not query_only:
            cursor.execute("PRAGMA journal_mode = WAL")
        for pragma in (
            "synchronous = FULL",
            "foreign_keys = ON",
            f"busy_timeout = {BUSY_TIMEOUT_MILLIS}",
            "secure_delete = ON",
            "temp_store = MEMORY",
            f"wal_autocheckpoint = {checkpoint_pages}",
            "cache_size = -32000",
            f"query_only = {'ON' if query_only else 'OFF'}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        with driver.errors(connection, "BEGIN"):
            if not query_only:
                turns.begin(driver_of(connection))
            elif not _in_transaction(connection):  # inside a snapshot there is one already
                driver_of(connection).execute("BEGIN")

    return engine
