"""A server inside the process, reached without a port.

The client knows no server code: the installed server offers itself under the entry point below. It runs in one task
of its own from start to stop, because what it opens (task groups) must be closed by the task that opened it, while
calls come from any task; for the synchronous client that task lives on a background thread.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterable, MutableMapping, Sequence
from concurrent.futures import CancelledError, Future, wait
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from importlib.metadata import EntryPoint, entry_points
from os import PathLike
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import unquote

import httpx2

from memcairn.client._protocol import Outgoing, Reply
from memcairn.client.errors import ConnectionFailed, ServerNotInstalled

LOCAL_URL = "http://localhost"  # never resolved: names the server in the requests and messages
ENTRY_POINT_GROUP = "memcairn.local"
ENTRY_POINT_NAME = "server"

# A signal that arrives just before a thread begins to wait does not end that wait; it is seen at the next look.
_SIGNAL_LOOK_SECONDS = 0.5

T = TypeVar("T")

_Message = MutableMapping[str, Any]
AsgiApp = Callable[
    [_Message, Callable[[], Awaitable[_Message]], Callable[[_Message], Awaitable[None]]], Awaitable[None]
]
OpenServer = Callable[[Path], AbstractAsyncContextManager[tuple[AsgiApp, str]]]
"""Runs a server on the data under a path as long as the block lasts; gives its app and a key it accepts."""


def installed_server(offers: Iterable[EntryPoint] | None = None) -> OpenServer:
    """The server this installation offers (or the first of `offers`); `ServerNotInstalled` where there is none."""
    for entry in entry_points(group=ENTRY_POINT_GROUP, name=ENTRY_POINT_NAME) if offers is None else offers:
        try:
            server: OpenServer = entry.load()
        except ImportError as error:
            raise ServerNotInstalled(_missing(f" ({error})")) from error
        return server
    raise ServerNotInstalled(_missing(""))


class AsyncLocalTransport(httpx2.AsyncBaseTransport):
    """Carries requests to a server in this event loop, which it starts on first use and stops when closed."""

    def __init__(self, path: str | PathLike[str], open_server: OpenServer | None = None) -> None:
        self._path = Path(path)
        self._open_server = open_server or installed_server()
        self._server: asyncio.Task[None] | None = None
        self._opened: asyncio.Future[tuple[AsgiApp, str]] | None = None
        self._stop = asyncio.Event()

    async def __aenter__(self) -> Self:
        entered = False
        try:
            await self._running()
            entered = True
        finally:
            if not entered:
                await self.aclose()
        return self

    async def reply(self, outgoing: Outgoing, headers: httpx2.Headers, limit_seconds: float | None) -> Reply:
        """The answer to one request, read whole: without the way through an HTTP client, which takes half a
        millisecond. `headers` go with every request; `httpx2.ReadTimeout` after `limit_seconds` without an answer.
        """
        app, key = await self._running()
        exchange = _Exchange(outgoing, headers, key)
        await _within(limit_seconds, exchange.carry_out(app))
        return exchange.reply()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        app, key = await self._running()
        request.headers["Authorization"] = f"Bearer {key}"
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        return await _within(request.extensions.get("timeout", {}).get("read"), transport.handle_async_request(request))

    async def aclose(self) -> None:
        """Stops the server and waits for its end; what it raises while stopping is raised here."""
        server, self._server = self._server, None
        if server is not None and not server.done():
            self._stop.set()
            await server

    async def _running(self) -> tuple[AsgiApp, str]:
        if self._server is None or self._opened is None:
            self._opened = asyncio.get_running_loop().create_future()
            self._server = asyncio.create_task(self._serve(self._opened))
        server, opened = self._server, self._opened  # held here: closing meanwhile takes them away
        if not opened.done():
            either: set[asyncio.Future[Any]] = {server, opened}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if server.done():
            server.result()
            raise httpx2.ConnectError("the server inside this process has ended")
        return opened.result()

    async def _serve(self, opened: asyncio.Future[tuple[AsgiApp, str]]) -> None:
        async with self._open_server(self._path) as offered:
            opened.set_result(offered)
            await self._stop.wait()


class LocalTransport(httpx2.BaseTransport):
    """The same for callers without an event loop: the server has one, on a thread that ends when this is closed."""

    def __init__(self, path: str | PathLike[str], open_server: OpenServer | None = None) -> None:
        self._path = path
        self._open_server = open_server or installed_server()
        self._starting = threading.Lock()
        self._closed = False
        self._background: _LoopThread | None = None
        self._inner: AsyncLocalTransport | None = None

    def __enter__(self) -> Self:
        self._running()
        return self

    def reply(self, outgoing: Outgoing, headers: httpx2.Headers, limit_seconds: float | None) -> Reply:
        """See `AsyncLocalTransport.reply`; ConnectionFailed if the client is closed meanwhile."""
        background, inner = self._running()
        try:
            return background.call(inner.reply(outgoing, headers, limit_seconds))
        except CancelledError:
            raise ConnectionFailed("the client was closed during the call") from None

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        background, inner = self._running()
        try:
            return background.call(_read_whole(inner, request))
        except CancelledError:
            raise ConnectionFailed("the client was closed during the call") from None

    def close(self) -> None:
        """Gives up calls under way, stops the server and joins its thread."""
        with self._starting:
            self._closed = True
            background, inner = self._background, self._inner
            self._background = self._inner = None
        if background is None or inner is None:
            return
        try:
            background.give_up()
            background.call(inner.aclose())
        finally:
            background.stop()

    def _running(self) -> tuple["_LoopThread", AsyncLocalTransport]:
        with self._starting:
            if self._closed:  # by another thread, after this call had begun: nobody would stop a second server
                raise ConnectionFailed("the client was closed during the call")
            if self._background is None or self._inner is None:
                background, inner = _LoopThread(), AsyncLocalTransport(self._path, self._open_server)
                entered = False
                try:
                    background.call(inner.__aenter__())
                    entered = True
                finally:
                    if not entered:
                        background.stop()
                self._background, self._inner = background, inner
            return self._background, self._inner


class _Call:
    """A coroutine on its way to a loop. Made before it goes there: an interrupt at any moment finds what to end."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.future: Future[Any] = Future()
        self._coroutine = coroutine
        self._task: asyncio.Task[Any] | None = None

    def begin(self) -> None:
        if self.future.cancelled():
            return
        self._task = asyncio.ensure_future(self._coroutine)
        self._task.add_done_callback(self._settle)

    def end(self) -> None:
        """Cancels what has not come to its end; one that never began is closed."""
        if self._task is None:
            self._coroutine.close()
            self.future.cancel()
        else:
            self._task.cancel()

    def _settle(self, task: asyncio.Task[Any]) -> None:
        if task.cancelled():
            self.future.cancel()
            self.future.set_running_or_notify_cancel()
        elif (error := task.exception()) is not None:
            self.future.set_exception(error)
        else:
            self.future.set_result(task.result())


class _LoopThread:
    """An event loop on a thread of its own. A daemon, so that a client nobody closed does not keep a program alive."""

    def __init__(self) -> None:
        started: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = threading.Thread(target=self._spin, args=(started,), name="memcairn-local", daemon=True)
        self._calls: set[_Call] = set()
        self._thread.start()
        self._loop = started.result()

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs it on the loop; an interrupt of the waiting thread (Ctrl-C) ends it there too."""
        call = _Call(coroutine)
        try:
            self._calls.add(call)
            self._loop.call_soon_threadsafe(call.begin)
            while not call.future.done():
                wait((call.future,), timeout=_SIGNAL_LOOK_SECONDS)
            result: T = call.future.result()
        finally:
            self._calls.discard(call)
            if not call.future.done():
                self._loop.call_soon_threadsafe(call.end)
        return result

    def give_up(self) -> None:
        for call in self._calls.copy():
            self._loop.call_soon_threadsafe(call.end)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    @staticmethod
    def _spin(started: Future[asyncio.AbstractEventLoop]) -> None:
        with asyncio.Runner() as runner:
            loop = runner.get_loop()
            started.set_result(loop)
            loop.run_forever()


class _Exchange(AbstractContextManager[None]):
    """One request and its answer, as the app sees them (ASGI 3.0).

    As a context manager it lets no error of the app out: it is a 500 here as it is over the network, and logged there.
    """

    def __init__(self, outgoing: Outgoing, headers: httpx2.Headers, key: str) -> None:
        self._body = outgoing.content or b""
        self._asked = False
        self._answered = asyncio.Event()
        self._status = 500
        self._headers: Sequence[tuple[bytes, bytes]] = ()
        self._parts: list[bytes] = []
        path, _, query = outgoing.url.partition("?")
        of_call = {**outgoing.headers, "Authorization": f"Bearer {key}", "Host": "localhost"}
        if outgoing.content is not None:
            of_call["Content-Length"] = str(len(self._body))
        given = {name.lower(): value for name, value in headers.raw}
        given |= {name.lower().encode(): value.encode() for name, value in of_call.items()}
        self.scope: _Message = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": outgoing.method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": list(given.items()),
            "server": ("localhost", 80),
            "client": ("127.0.0.1", 123),
        }

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        return isinstance(error, Exception)

    async def carry_out(self, app: AsgiApp) -> None:
        with self:
            await app(self.scope, self.receive, self.send)

    async def receive(self) -> _Message:
        if self._asked:
            await self._answered.wait()
            return {"type": "http.disconnect"}
        self._asked = True
        return {"type": "http.request", "body": self._body, "more_body": False}

    async def send(self, message: _Message) -> None:
        if message["type"] == "http.response.start":
            self._status, self._headers = message["status"], message.get("headers", ())
        else:
            self._parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                self._answered.set()

    def reply(self) -> Reply:
        return Reply(self._status, httpx2.Headers(list(self._headers)), b"".join(self._parts))


async def _within(limit: float | None, work: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(limit):
            return await work
    except TimeoutError:
        raise httpx2.ReadTimeout(f"no answer within {limit} s") from None


async def _read_whole(inner: AsyncLocalTransport, request: httpx2.Request) -> httpx2.Response:
    """The response with its body read here, on the loop, in a form the other thread can read again."""
    response = await inner.handle_async_request(request)
    stream = response.stream
    if not isinstance(stream, httpx2.AsyncByteStream):
        raise httpx2.ReadError("the answer cannot be read asynchronously", request=request)
    content = b"".join([chunk async for chunk in stream])
    return httpx2.Response(response.status_code, headers=response.headers, stream=httpx2.ByteStream(content))


def _missing(reason: str) -> str:
    return (
        f"a server inside the process needs the server extra, which is not installed{reason}; "
        "run: pip install 'memcairn[server]'"
    )
