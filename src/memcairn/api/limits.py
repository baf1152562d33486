"""How much one request, and all of them together, may take: size, time and number, each with its own answer.

Every layer is a plain ASGI middleware, so it holds for whatever is mounted behind it. `install` puts them in order:
envelope, crashes, admission, turns, body; the outer ones see the answers of the inner ones.
"""

from dataclasses import dataclass

import anyio
from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memcairn.api import health, problems
from memcairn.api.envelope import Envelope
from memcairn.api.turns import Turns
from memcairn.observability.metrics import Metrics

_LINGER_SECONDS = 1.0
"""How long the rest of a refused body is read and thrown away. Closing at once would reset the connection, and many
clients would report the reset instead of the answer (RFC 9112, 9.6)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the server spends on one request and on all of them at once."""

    body_bytes: int = 8 * 2**20
    body_seconds: float = 30.0
    """From the first look at the body to its last byte."""
    held_body_bytes: int = 128 * 2**20
    """Of all requests being served together."""
    concurrent_requests: int = 256
    retry_after_seconds: int = 1


def install(app: FastAPI, metrics: Metrics, limits: Limits | None = None) -> None:
    """Wraps `app` in every layer of this package: request ids, access log, crashes, admission and body limits."""
    limits = limits or Limits()
    app.add_middleware(BodyLimit, limits=limits, metrics=metrics)
    app.add_middleware(Turns, metrics=metrics, longest_line=max(1, limits.concurrent_requests // 2))
    app.add_middleware(Admission, limits=limits, metrics=metrics)
    app.add_middleware(problems.Crashes)
    app.add_middleware(Envelope, metrics=metrics)


class Admission:
    """Turns requests away while as many are being served as the limit allows; probes and scrapers always get in."""

    def __init__(self, app: ASGIApp, limits: Limits, metrics: Metrics) -> None:
        self.app = app
        self.limits = limits
        self.metrics = metrics
        self.active = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in health.PATHS:
            await self.app(scope, receive, send)
        elif self.active >= self.limits.concurrent_requests:
            self.metrics.request_refused("busy")
            detail = f"The server is answering {self.active} requests, as many as it takes at once; try again shortly."
            headers = {"Retry-After": str(self.limits.retry_after_seconds)}
            await problems.problem(503, detail, headers=headers)(scope, receive, send)
        else:
            self.active += 1
            try:
                await self.app(scope, receive, send)
            finally:
                self.active -= 1


@dataclass(frozen=True, slots=True)
class _Refusal:
    status: int
    reason: str
    detail: str
    more_is_coming: bool = True


class _BodyRefusedError(HTTPException):
    """Stops whoever reads the body; the answer is decided already. The framework lets this class of error pass."""


class BodyLimit:
    """Cuts bodies that are too big (413), too slow (408) or compressed (415), answers and closes the connection.

    Bodies that are being held together stay under a limit, too; past it, the next ones are told to come back (503).
    """

    def __init__(self, app: ASGIApp, limits: Limits, metrics: Metrics) -> None:
        self.app = app
        self.limits = limits
        self.metrics = metrics
        self.held_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = _Body(self, receive, send)
        body.refusal = self._refuse_by_headers(Headers(scope=scope))
        try:
            if body.refusal is None:
                await self._serve(scope, body)
            if body.refusal is not None and not body.answered:
                self.metrics.request_refused(body.refusal.reason)
                await self._answer(body.refusal, scope, receive, send)
        finally:
            self.held_bytes -= body.size

    async def _serve(self, scope: Scope, body: "_Body") -> None:
        try:
            await self.app(scope, body.receive, body.send)
        except (_BodyRefusedError, ExceptionGroup):  # task groups wrap what their tasks raise
            if body.refusal is None:
                raise

    def _refuse_by_headers(self, headers: Headers) -> _Refusal | None:
        encoding = headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("", "identity"):
            return _Refusal(415, "encoding", "The body is compressed; send it as it is, without Content-Encoding.")
        length = headers.get("content-length", "")
        # more digits than any size has are refused by their number: turning them into one could take long
        if length.isdecimal() and (len(length) > 18 or int(length) > self.limits.body_bytes):
            return self.too_large()
        return None

    def too_large(self) -> _Refusal:
        size = f"{self.limits.body_bytes / 2**20:g} MiB"
        return _Refusal(413, "body_too_large", f"The body is larger than {size}; send it in several requests.")

    def too_slow(self) -> _Refusal:
        detail = f"The body did not arrive within {self.limits.body_seconds:g} s; send less at a time."
        return _Refusal(408, "body_too_slow", detail, more_is_coming=False)

    def too_many(self) -> _Refusal:
        return _Refusal(503, "busy", "The server holds as many request bodies as it can; try again shortly.")

    async def _answer(self, refusal: _Refusal, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {"Connection": "close"}
        if refusal.status == 503:
            headers["Retry-After"] = str(self.limits.retry_after_seconds)
        answer = problems.problem(refusal.status, refusal.detail, headers=headers)
        await send({"type": "http.response.start", "status": answer.status_code, "headers": answer.raw_headers})
        await send({"type": "http.response.body", "body": answer.body, "more_body": True})
        if refusal.more_is_coming:
            await _linger(receive)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class _Body:
    """A body on its way in and the answer on its way out: once refused, the app can neither read nor answer."""

    def __init__(self, limit: BodyLimit, receive: Receive, send: Send) -> None:
        self.limit = limit
        self.refusal: _Refusal | None = None
        self.answered = False
        self.size = 0
        self._complete = False
        self._deadline: float | None = None
        self._receive = receive
        self._send = send

    async def receive(self) -> Message:
        if self._complete:
            return await self._receive()  # waits for the client to leave, as long as that takes
        if self._deadline is None:
            self._deadline = anyio.current_time() + self.limit.limits.body_seconds
        message: Message | None = None
        if self.refusal is None:
            with anyio.CancelScope(deadline=self._deadline):
                message = await self._receive()
            self.refusal = self.limit.too_slow() if message is None else self._count(message)
        if self.refusal is not None or message is None:
            raise _BodyRefusedError(400)
        return message

    async def send(self, message: Message) -> None:
        if self.refusal is not None and not self.answered:
            return
        self.answered = True
        await self._send(message)

    def _count(self, message: Message) -> _Refusal | None:
        arrived = len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        self.size += arrived
        self.limit.held_bytes += arrived
        if self.size > self.limit.limits.body_bytes:
            return self.limit.too_large()
        if self.limit.held_bytes > self.limit.limits.held_body_bytes:
            return self.limit.too_many()
        return None


async def _linger(receive: Receive) -> None:
    with anyio.move_on_after(_LINGER_SECONDS):
        while (await receive()).get("more_body", False):
            pass
