"""Running the server and the worker: start, say so once it is true, and stop in time when told to."""

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import Callable, Generator, Iterator
from types import FrameType
from typing import Any

import uvicorn

from memcairn import __version__
from memcairn.api.protocol import ConnectionLimits, protocol_class
from memcairn.app import WORKER_STOP_SECONDS, Running, running
from memcairn.assembly import is_open_to_others, opened
from memcairn.cli.beside import WorkerBeside, has_own_process, run, settle_memory
from memcairn.cli.diagnosis import CARELESS, OPEN_TO_OTHERS
from memcairn.cli.listening import bound_socket, is_loopback, url_of
from memcairn.cli.mode import mode_of
from memcairn.cli.output import emit, escape, notes
from memcairn.core.deps import Deps
from memcairn.core.planning import keep_statistics_up
from memcairn.core.reembedding import begin as begin_reembedding
from memcairn.domain.errors import Forbidden
from memcairn.observability import logs
from memcairn.pipeline.worker import Worker
from memcairn.settings import Settings
from memcairn.store import keys, postgres_schema

log = logging.getLogger(__name__)

REQUESTS_STOP_SECONDS = 3
"""For requests under way after SIGTERM; with WORKER_STOP_SECONDS for the worker, the process ends within 10 s."""

SWITCH_SECONDS = 0.001
"""How long a thread may keep the interpreter to itself: the default of 5 ms is felt in every answer given while the
worker's thread is busy, five times over for a request that passes through several threads."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run_server(settings: Settings, *, as_json: bool) -> None:
    """Serve until SIGTERM or Ctrl-C, then finish requests and worker; what was not begun goes back to the queue."""
    logs.configure(settings.log_level, json=settings.log_json)
    sys.setswitchinterval(SWITCH_SECONDS)
    if not has_own_process(settings):
        run(_serve(settings, None, as_json=as_json))
        return
    with contextlib.closing(WorkerBeside(settings)) as beside:
        run(_serve(settings, beside, as_json=as_json))


def run_worker(settings: Settings, *, as_json: bool) -> None:
    """Process events until SIGTERM or Ctrl-C."""
    logs.configure(settings.log_level, json=settings.log_json)
    run(_work(settings, as_json=as_json))


class _Server(uvicorn.Server):
    """uvicorn's server, except that it says when it listens, and leaves signals to us: its own handling would end the
    process before the worker has put back what it holds."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            self._on_ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    def stop(self, *, at_once: bool) -> None:
        self.should_exit = True
        self.force_exit = self.force_exit or at_once


async def _serve(settings: Settings, beside: WorkerBeside | None, *, as_json: bool) -> None:
    sock = bound_socket(settings.host, settings.port)
    with contextlib.closing(sock):
        await _refuse_open_door(settings)
        if settings.postgres_url is None and is_open_to_others(settings.sqlite_path):
            log.warning(OPEN_TO_OTHERS.format(path=settings.sqlite_path))
        async with running(settings, beside=beside) as server, _kept(beside, server):
            if settings.postgres_url is not None:
                await _warn_of_carelessness(server.services.deps)
            settle_memory()
            http = _Server(_config(settings, server), lambda: _say_ready(settings, server, sock, as_json=as_json))

            def stop(again: bool) -> None:
                if beside is not None:
                    beside.stopping = True
                http.stop(at_once=again)

            with _on_signal(stop):
                await http.serve(sockets=[sock])


def _kept(beside: WorkerBeside | None, server: Running) -> contextlib.AbstractAsyncContextManager[None]:
    return contextlib.nullcontext() if beside is None else beside.at_work(server.services.deps)


async def _warn_of_carelessness(deps: Deps) -> None:
    careless = await deps.db.read(postgres_schema.careless)
    if careless:
        log.warning(CARELESS.format(settings=", ".join(careless)))


def _config(settings: Settings, server: Running) -> uvicorn.Config:
    limits = ConnectionLimits(header_seconds=settings.header_timeout_seconds, connections=settings.max_connections)
    return uvicorn.Config(
        server.app,
        http=protocol_class(limits),
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=REQUESTS_STOP_SECONDS,
    )


async def _refuse_open_door(settings: Settings) -> None:
    """A key made on start would be shown to whoever reads the log; a network gets a server that has one already."""
    if settings.api_key is not None or is_loopback(settings.host):
        return
    async with opened(settings, embeds=False) as deps:
        usable = await deps.db.read(keys.count_usable, deps.clock.now())
    if usable == 0:
        raise Forbidden(
            f"{settings.host} can be reached from other machines, and there is no usable API key yet. Make one first "
            "with `memcairn orgs create ID`, or with `memcairn keys create --org ID` for an org there is, or set "
            "MEMCAIRN_API_KEY.",
            code="no_key",
        )


async def _work(settings: Settings, *, as_json: bool) -> None:
    told_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with opened(settings) as deps, asyncio.TaskGroup() as tasks:
        await begin_reembedding(deps)
        deps.db.listen(deps.wakeup.hear)
        worker = Worker(deps)
        settle_memory()
        work = tasks.create_task(worker.run(), name="memcairn-worker")
        statistics = tasks.create_task(keep_statistics_up(deps.db), name="memcairn-statistics")
        with _on_signal(lambda _again: loop.call_soon_threadsafe(told_to_stop.set)):
            _say_working(settings, as_json=as_json)
            await told_to_stop.wait()
            worker.stop()
            await asyncio.wait({work}, timeout=WORKER_STOP_SECONDS)
            work.cancel()
            statistics.cancel()


def _say_ready(settings: Settings, server: Running, sock: socket.socket, *, as_json: bool) -> None:
    url = url_of(settings.host, sock)
    if as_json:
        said: dict[str, Any] = {
            "event": "ready",
            "version": __version__,
            "url": url,
            "host": settings.host,
            "docs": f"{url}/docs",
            "database": settings.database_name,
            "llm": None,
            "embedder": settings.embedder,
            "worker": settings.worker,
        }
        emit(said if server.first_key is None else said | {"api_key": server.first_key})
        return
    out = notes()
    out.print(f"[bold]memcairn {__version__}[/]  {url}")
    if not is_loopback(settings.host):
        out.print(f"  open to   other machines, on {escape(settings.host)}")
    out.print(f"  docs      {url}/docs")
    out.print(f"  data      {escape(settings.database_name)}{'' if settings.postgres_url else ' (SQLite)'}")
    if server.first_key is not None:
        out.print(f"  API key   [bold]{server.first_key}[/]  (org default, shown this once)")
    out.print(f"  mode      {mode_of(settings)}")
    if not settings.worker:
        out.print("  worker    none here; start `memcairn worker`, or nothing becomes a memory")
    out.print("Ready. Ctrl-C stops it.")


def _say_working(settings: Settings, *, as_json: bool) -> None:
    if as_json:
        emit({"event": "ready", "version": __version__, "database": settings.database_name})
    else:
        path = escape(settings.database_name)
        notes().print(f"[bold]memcairn {__version__}[/] worker on {path}, {mode_of(settings)}. Ctrl-C stops it.")


@contextlib.contextmanager
def _on_signal(stop: Callable[[bool], object]) -> Iterator[None]:
    """Call `stop` for SIGINT and SIGTERM; its argument says whether it is the second time."""
    seen: list[int] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        seen.append(number)
        stop(len(seen) > 1)

    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
