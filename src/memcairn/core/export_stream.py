"""An org on its way to somebody who fetches it: written to a nameless file at the pace of the database, read from it at
the pace of the network. So nobody who reads slowly keeps a connection or a snapshot of the database.
"""

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Iterator

from memcairn.core.deps import Deps
from memcairn.core.exporting import ExportOptions, export_org
from memcairn.domain.errors import Unavailable

PIECE_BYTES = 256 * 2**10
RETRY_AFTER_SECONDS = 5.0
GRACE_SECONDS = 0.5
GRACE_LOOKS = 25


class Exports:
    """The exports under way in this process: one of an org, and one that reads the database."""

    def __init__(self) -> None:
        self._orgs: set[str] = set()
        self._reading = False

    @contextlib.asynccontextmanager
    async def of(self, org_id: str) -> AsyncIterator[None]:
        """Unavailable while the org is being fetched by somebody else.

        A moment is waited first: whoever has just read the last byte may ask again before the end is cleared away.
        """
        for _ in range(GRACE_LOOKS):
            if org_id not in self._orgs:
                break
            await asyncio.sleep(GRACE_SECONDS / GRACE_LOOKS)
        if org_id in self._orgs:
            raise _busy("Another export of this org is under way")
        self._orgs.add(org_id)
        try:
            yield
        finally:
            self._orgs.discard(org_id)

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Unavailable while another org is being read."""
        if self._reading:
            raise _busy("The server is reading another export from the database")
        self._reading = True
        try:
            yield
        finally:
            self._reading = False


@contextlib.asynccontextmanager
async def streamed_export(
    deps: Deps, exports: Exports, org_id: str, options: ExportOptions
) -> AsyncIterator[AsyncIterator[bytes]]:
    """The export of an org in pieces, all of it as of one moment; memory does not grow with it.

    What refuses it (Conflict while a file is being loaded, Unavailable) is raised on the way in. What breaks it off
    later is raised between the pieces, and the manifest is missing. Leaving the block ends the reading.
    """
    async with exports.of(org_id):
        with _Spool() as spool:
            # Not a part of the caller: it ends by itself soon after the spool is closed, and must not be cut in the
            # middle.
            reading = asyncio.create_task(_read(deps, exports, org_id, options, spool), name="memcairn-export")
            reading.add_done_callback(lambda _done: spool.announce())
            try:
                await spool.changed()
                if reading.done():
                    reading.result()
                yield spool.pieces(reading)
            finally:
                spool.give_up()
                await asyncio.wait({reading})
                if not reading.cancelled():
                    reading.exception()


async def _read(deps: Deps, exports: Exports, org_id: str, options: ExportOptions, spool: "_Spool") -> None:
    with exports.reading():
        await export_org(deps, org_id, spool, options)
    await asyncio.to_thread(spool.flush)


class _GivenUp(Exception):
    """Nobody fetches any more."""


class _Spool(contextlib.AbstractContextManager["_Spool"]):
    """A file without a name: one thread writes, the event loop reads behind it."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 -- closed by __exit__
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._waiting = bytearray()
        self._flushed = 0
        self._given_up = False

    def __exit__(self, *_error: object) -> None:
        self._file.close()

    def write(self, line: bytes, /) -> None:
        if self._given_up:
            raise _GivenUp
        self._waiting += line
        if len(self._waiting) >= PIECE_BYTES:
            self.flush()

    def flush(self) -> None:
        rest = memoryview(bytes(self._waiting))
        self._waiting.clear()
        try:
            while rest:
                done = self._file.write(rest)
                rest = rest[done:]
                self._flushed += done
        except OSError as error:
            raise Unavailable(
                f"The export could not be kept on its way: {error.strerror}. Free some space in the server's folder "
                f"for temporary files ({tempfile.gettempdir()}), or name another one in TMPDIR.",
                code="storage_full",
                retry_after_seconds=RETRY_AFTER_SECONDS,
            ) from error
        self._loop.call_soon_threadsafe(self._news.set)

    def announce(self) -> None:
        self._news.set()

    def give_up(self) -> None:
        self._given_up = True

    async def changed(self) -> None:
        await self._news.wait()
        self._news.clear()

    async def pieces(self, reading: "asyncio.Task[None]") -> AsyncIterator[bytes]:
        given = 0
        while True:
            ended = reading.done()  # asked before what is flushed: the last piece comes before the end
            if given < self._flushed:
                piece = await asyncio.to_thread(os.pread, self._file.fileno(), PIECE_BYTES, given)
                given += len(piece)
                yield piece
            elif ended:
                reading.result()
                return
            else:
                await self.changed()


def _busy(what: str) -> Unavailable:
    return Unavailable(
        f"{what}. Repeat the request when it has ended.",
        code="export_running",
        retry_after_seconds=RETRY_AFTER_SECONDS,
    )
