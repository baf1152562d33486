"""A worker in a process of its own, begun, heard and ended by the server beside it.

Both would otherwise share one interpreter, in which one thread runs at a time: whoever asks would wait behind the
making of memories. Between the two goes a socket: hints that work was committed one way, signs of life and what was
measured the other. Whoever finds its other end closed knows that the other process is gone.
"""

import asyncio
import contextlib
import gc
import importlib
import json
import logging
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Coroutine
from multiprocessing.process import BaseProcess
from typing import Any

from memcairn.app import WORKER_STOP_SECONDS
from memcairn.assembly import opened
from memcairn.core.deps import Deps
from memcairn.observability import logs
from memcairn.observability.metrics import Metrics
from memcairn.pipeline.worker import Worker
from memcairn.provision import make_thesaurus
from memcairn.settings import Settings

log = logging.getLogger(__name__)

SIGN_EVERY_SECONDS = 1.0
RESTART_SECONDS = 1.0
KILL_AFTER_SECONDS = WORKER_STOP_SECONDS + 0.5
_LONGEST_SIGN_BYTES = 64 * 2**20
_HINT = b"\n"


def has_own_process(settings: Settings) -> bool:
    """Whether the worker of `serve` gets a process of its own: on one core that would only cost memory."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return settings.worker and (cores > 1 if settings.worker_process is None else settings.worker_process)


class WorkerBeside:
    """Begun where the process has no other thread yet, so that it can be a copy of this one, with all that is loaded.

    It waits until `at_work` says that the database is there, and ends by itself if this process dies.
    """

    def __init__(self, settings: Settings) -> None:
        self.beat_at = time.monotonic()
        self.stopping = False
        self._settings = settings
        make_thesaurus()  # and the word vectors it rests on: loaded before, both processes hold them once
        self._process, self._line = self._begun(as_copy=sys.platform == "linux")

    def close(self) -> None:
        """Let it finish its batch, and wait for its end; called again, nothing happens."""
        self.stopping = True
        self._line.close()
        self._end()

    @contextlib.asynccontextmanager
    async def at_work(self, deps: Deps) -> AsyncIterator[None]:
        """Keeps it running: one that dies is followed by another; at the end it finishes its batch and stops."""
        keeping = asyncio.create_task(self._keep(deps), name="memcairn-worker-beside")
        try:
            yield
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            await asyncio.to_thread(self.close)

    async def _keep(self, deps: Deps) -> None:
        while True:
            await self._hear(deps)
            if self.stopping:
                return
            await asyncio.to_thread(self._end)
            log.error("the worker process ended; another one is started", extra={"exit_code": self._process.exitcode})
            await self._begin_anew()

    async def _begin_anew(self) -> None:
        while True:
            await asyncio.sleep(RESTART_SECONDS)
            try:
                # By now there are threads here, whose locks a copy of this process would never see opened.
                self._process, self._line = self._begun(as_copy=False)
            except OSError as error:
                log.error("no worker process can be started; it is tried again", exc_info=error)
            else:
                return

    async def _hear(self, deps: Deps) -> None:
        """Let it work, and listen until its end of the line is closed."""
        reader, writer = await asyncio.open_connection(sock=self._line, limit=_LONGEST_SIGN_BYTES)

        def pass_on() -> None:
            if not writer.transport.get_write_buffer_size():
                writer.write(_HINT)

        deps.wakeup.to_worker = pass_on
        try:
            pass_on()
            while (sign := await reader.readline()).endswith(b"\n"):  # the last one may be cut short
                silent_seconds, measured = json.loads(sign)
                self.beat_at = time.monotonic() - silent_seconds
                deps.metrics.repeat(measured)
        except ConnectionError:
            return
        finally:
            deps.wakeup.to_worker = None
            writer.close()

    def _begun(self, *, as_copy: bool) -> tuple[BaseProcess, socket.socket]:
        context = multiprocessing.get_context("fork") if as_copy else multiprocessing.get_context("spawn")
        ours, its = socket.socketpair()
        with contextlib.closing(its):
            process = context.Process(
                target=_main, args=(self._settings, its, ours if as_copy else None), name="memcairn-worker"
            )
            process.start()
        return process, ours

    def _end(self) -> None:
        self._process.join(KILL_AFTER_SECONDS)
        if self._process.is_alive():
            log.warning("the worker process did not end in time and is killed; its leases run out")
            self._process.kill()
            self._process.join()


def run(main: Coroutine[Any, Any, None]) -> None:
    """On uvloop where there is one; it is not made for Windows."""
    factory = None if sys.platform == "win32" else importlib.import_module("uvloop").new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main)


def settle_memory() -> None:
    """Leave what was loaded for good out of every later collection: going through it takes a tenth of a second, and the
    worker may hold the write lock meanwhile.
    """
    gc.collect()
    gc.freeze()


def _main(settings: Settings, line: socket.socket, not_ours: socket.socket | None) -> None:
    if not_ours is not None:
        not_ours.close()
    # Ctrl-C reaches both processes; the server tells this one when it is time.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    logs.configure(settings.log_level, json=settings.log_json)
    run(_work(settings, line))


async def _work(settings: Settings, line: socket.socket) -> None:
    reader, writer = await asyncio.open_connection(sock=line)
    if not await _hints(reader):
        return
    metrics = Metrics(kept=True)
    async with opened(settings, metrics=metrics) as deps:
        worker = Worker(deps)
        settle_memory()
        working = asyncio.create_task(worker.run(), name="memcairn-worker")
        signing = asyncio.create_task(_give_signs(writer, worker, metrics), name="memcairn-signs")
        while hints := await _hints(reader):
            for _ in range(min(2, hints)):
                deps.wakeup.hear()
        worker.stop()
        await asyncio.wait({working}, timeout=WORKER_STOP_SECONDS)
        for task in (working, signing):
            task.cancel()
        await asyncio.gather(working, signing, return_exceptions=True)


async def _hints(reader: asyncio.StreamReader) -> int:
    """How many have come, once there is one; none when the server is gone."""
    try:
        return len(await reader.read(4096))
    except ConnectionError:
        return 0


async def _give_signs(writer: asyncio.StreamWriter, worker: Worker, metrics: Metrics) -> None:
    with contextlib.suppress(ConnectionError):
        while True:
            await asyncio.sleep(SIGN_EVERY_SECONDS)
            sign = [time.monotonic() - worker.beat_at, metrics.take()]
            writer.write(json.dumps(sign).encode() + b"\n")
            await writer.drain()
