"""The HTTP/1.1 protocol of the server: uvicorn's, plus limits on headers and connections, which it leaves open.

Without them, half-sent headers hold a connection for ever: 400 of 400 were still open after 36 s (uvicorn 0.54).
"""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from memcairn.api import problems

_HEADER_LINE_BYTES = 4
"""Colon, blank and line end around a name and a value."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What a connection may take before its request is known."""

    header_seconds: float = 10.0
    """From the connection, or from the first byte of a later request, to the end of the headers."""
    header_bytes: int = 64 * 2**10
    connections: int = 1_000


class _HeadersTooLargeError(Exception):
    """Stops the parser."""


def protocol_class(limits: ConnectionLimits | None = None) -> type[HttpToolsProtocol]:
    """The class to give `uvicorn.Config(http=...)`: what breaks a limit is answered, if it can be, and cut off."""
    chosen = limits or ConnectionLimits()

    class _Limited(LimitedProtocol):
        limits = chosen

    return _Limited


class LimitedProtocol(HttpToolsProtocol):
    """Keeps one promise: a connection without a request in progress has a deadline, uvicorn's for idleness or ours."""

    limits = ConnectionLimits()

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._deadline: asyncio.TimerHandle | None = None
        self._in_headers = True
        self._message_complete = True
        self._requests = 0
        self._partial_bytes = 0
        self._field_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn narrows it
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._refuse(503, f"The server holds {self.limits.connections} connections, as many as it takes.")
        else:
            self._start_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        only_headers, requests = self._in_headers, self._requests
        super().data_received(data)
        if self.transport.is_closing() or not self._in_headers:
            return
        # a packet may end one request and begin the next; how much of it is headers is not known then
        self._partial_bytes = self._partial_bytes + len(data) if only_headers and requests == self._requests else 0
        if self._partial_bytes > self.limits.header_bytes:
            self._refuse_headers()
        elif self._deadline is None and self._is_idle():
            self._start_deadline()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_headers = True
        self._message_complete = False
        self._field_bytes = 0

    def on_url(self, url: bytes) -> None:
        self._count_field(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        # called for the trailers of a chunked body as well
        self._count_field(len(name) + len(value) + _HEADER_LINE_BYTES)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._stop_deadline()
        self._in_headers = False
        self._requests += 1
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_headers = True
        self._message_complete = True
        if self._is_idle():
            self._stop_deadline()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self._message_complete and not self._in_headers:
            self._start_deadline()  # for the rest of a body nobody reads: every byte of it stops uvicorn's own timer

    def send_400_response(self, msg: str) -> None:
        if self._field_bytes > self.limits.header_bytes:
            self._refuse_headers()
        else:
            self._refuse(400, "The request is not valid HTTP/1.1.")

    def _is_idle(self) -> bool:
        return (self.cycle is None or self.cycle.response_complete) and not self.pipeline

    def _count_field(self, size: int) -> None:
        self._field_bytes += size
        if self._field_bytes > self.limits.header_bytes:
            raise _HeadersTooLargeError  # the parser stops, and uvicorn calls `send_400_response`

    def _start_deadline(self) -> None:
        self._stop_deadline()
        self._deadline = self.loop.call_later(self.limits.header_seconds, self._on_deadline)

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _on_deadline(self) -> None:
        self._deadline = None
        if self.transport.is_closing() or not self._is_idle():
            return
        if self._in_headers and not self._message_complete:
            self._refuse(408, f"The headers did not arrive within {self.limits.header_seconds:g} s.")
        else:
            self.transport.close()

    def _refuse_headers(self) -> None:
        self._refuse(431, f"The headers are larger than {self.limits.header_bytes // 2**10} KiB.")

    def _refuse(self, status: int, detail: str) -> None:
        if self._is_idle():  # else the words would land inside the answer to an earlier request
            self._write_problem(status, detail)
        self.transport.close()

    def _write_problem(self, status: int, detail: str) -> None:
        answer = problems.problem(status, detail)
        retry = "retry-after: 1\r\n" if status == 503 else ""
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: {problems.MEDIA_TYPE}\r\n"
            f"content-length: {len(answer.body)}\r\n{retry}connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + answer.body)
