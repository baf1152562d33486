"""What surrounds every answer: its request id, a few security headers, one access log line and its measurements."""

import logging
import random
import re
import time
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memcairn.api import health
from memcairn.api.problems import CLIENT_GONE
from memcairn.observability import logs
from memcairn.observability.metrics import Metrics

REQUEST_ID_HEADER = "x-request-id"
UNMATCHED = "unmatched"
"""The route label of requests no route wanted."""

_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_REQUEST_ID = REQUEST_ID_HEADER.encode()
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)
"""Set unless the answer sets them itself; what memories say belongs in no cache on the way."""

_numbers = random.Random()  # noqa: S311 -- tells requests apart and keeps nothing secret; the system's would be a call
log = logging.getLogger("memcairn.access")


class Envelope:
    """ASGI middleware, the outermost: takes a sane `X-Request-ID` or makes one, and puts it on every answer."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        _replace_nul(scope)
        request_id = _request_id(scope)
        status = CLIENT_GONE

        async def send_enveloped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_headers(message, request_id)
            await send(message)

        token = logs.bind_request_id(request_id)
        self.metrics.request_started()
        started_at = time.perf_counter()
        try:
            await self.app(scope, receive, send_enveloped)
        finally:
            self._finish(scope, status, time.perf_counter() - started_at)
            logs.unbind_request_id(token)

    def _finish(self, scope: Scope, status: int, seconds: float) -> None:
        route = route_template(scope)
        self.metrics.request_finished(scope["method"], route, status, seconds)
        fields = {"method": scope["method"][:20], "route": route, "status": status, "ms": round(seconds * 1_000, 2)}
        log.log(logging.DEBUG if route in health.PATHS else logging.INFO, "request", extra=fields)


def route_template(scope: Scope) -> str:
    """The path pattern of the route that took the request, such as `/v1/events/{event_id}`: one of a closed set."""
    route = scope.get("route")
    included: Any = scope.get("fastapi", {}).get("effective_route_context")
    # an included route carries the prefix it was included under in its context only
    chosen = included if included is not None and included.original_route is route else route
    template = getattr(chosen, "path_format", None)
    mounted_at = str(scope.get("root_path", "")).removeprefix(scope.get("app_root_path", ""))
    if template is not None:
        return mounted_at + str(template)
    if mounted_at:
        return f"{mounted_at}/*"
    # a plain route without parameters is its own template
    return str(scope["path"]) if "endpoint" in scope and not scope.get("path_params") else UNMATCHED


def _request_id(scope: Scope) -> str:
    given = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
    return given if _SANE_ID.fullmatch(given) else f"{_numbers.getrandbits(128):032x}"


def _replace_nul(scope: Scope) -> None:
    """No database takes NUL in a text; in an address it becomes U+FFFD, as bytes that are not UTF-8 do already."""
    if "\0" in scope["path"]:
        scope["path"] = scope["path"].replace("\0", "\ufffd")
    if b"%00" in scope["query_string"]:
        scope["query_string"] = scope["query_string"].replace(b"%00", b"%EF%BF%BD")


def _add_headers(message: Message, request_id: str) -> None:
    # On the bare list, which ASGI leaves optional: the framework's view of it takes longer, and every answer passes.
    headers = [pair for pair in message.get("headers", ()) if pair[0].lower() != _REQUEST_ID]
    given = {name.lower() for name, _ in headers}
    headers.append((_REQUEST_ID, request_id.encode("latin-1")))
    headers += [pair for pair in _HEADERS if pair[0] not in given]
    message["headers"] = headers
