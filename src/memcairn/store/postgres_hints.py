"""Hints between the processes on one Postgres that work was committed: NOTIFY and LISTEN, on which nothing rests.

Whoever does not hear one finds the work when it looks next. They are sent behind the commit and not with it: a
transaction that notifies keeps every other one that does from committing.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from memcairn.domain.errors import Unavailable
from memcairn.domain.ids import new_id
from memcairn.store import driver

CHANNEL = "memcairn_work"

TELL_EVERY_SECONDS = 0.02
"""Of what is committed within it others hear once."""
LISTEN_SECONDS = 0.2
"""How long one listens before it looks whether it is time to end."""
AGAIN_SECONDS = 1.0
"""From a connection that was lost to the next one."""

log = logging.getLogger(__name__)


def drop_hint(_hint: object) -> None:
    """For connections that do not listen: a pooler may hand them what was meant for another, and without a handler the
    driver would keep all of it."""


class Hints:
    """Tells others, and hears from them; a process does not hear itself."""

    def __init__(self, engine: Engine, notify: Callable[[str], Awaitable[None]]) -> None:
        self._engine = engine
        self._notify = notify
        self._sender = new_id()
        self._owed = False
        self._telling: asyncio.Task[None] | None = None
        self._listening: threading.Thread | None = None
        self._closing = threading.Event()

    def tell(self) -> None:
        """Let others know soon. To be called on a loop; neither blocks nor raises."""
        self._owed = True
        if not self._closing.is_set() and (self._telling is None or self._telling.done()):
            self._telling = asyncio.get_running_loop().create_task(self._tell(), name="memcairn-hints")

    def listen(self, heard: Callable[[], None]) -> None:
        """Have `heard` called on this loop for what others tell. Holds one connection of the engine until `close`."""
        loop = asyncio.get_running_loop()
        self._listening = threading.Thread(target=self._listen, args=(loop, heard), name="memcairn-hints", daemon=True)
        self._listening.start()

    async def close(self) -> None:
        self._closing.set()
        if self._telling is not None:
            self._telling.cancel()
        if self._listening is not None:
            await asyncio.to_thread(self._listening.join)

    async def _tell(self) -> None:
        while self._owed:
            self._owed = False
            with contextlib.suppress(Unavailable):
                await self._notify(f"NOTIFY {CHANNEL}, '{self._sender}'")
            await asyncio.sleep(TELL_EVERY_SECONDS)

    def _listen(self, loop: asyncio.AbstractEventLoop, heard: Callable[[], None]) -> None:
        while not self._closing.is_set():
            try:
                self._listen_on_one(loop, heard)
            except (DBAPIError, PoolTimeoutError) as error:
                log.info("no hints come from other processes until the database is back", exc_info=error)
                self._closing.wait(AGAIN_SECONDS)
            except RuntimeError:  # the loop was closed: nobody is left who would hear
                return

    def _listen_on_one(self, loop: asyncio.AbstractEventLoop, heard: Callable[[], None]) -> None:
        with self._engine.connect() as connection, driver.errors(connection, f"LISTEN {CHANNEL}"):
            beneath: Any = connection.connection.dbapi_connection
            beneath.execute(f"LISTEN {CHANNEL}")
            beneath.remove_notify_handler(drop_hint)
            while not self._closing.is_set():
                for hint in beneath.notifies(timeout=LISTEN_SECONDS):
                    if hint.payload != self._sender:
                        loop.call_soon_threadsafe(heard)
            beneath.add_notify_handler(drop_hint)
            beneath.execute("UNLISTEN *")
