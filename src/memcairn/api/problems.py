"""Every refusal and failure as a problem document (RFC 9457), from one table.

Domain errors, broken request models, the framework's own errors and crashes all leave through here, so clients meet one
shape: `{type, title, status, detail, code, request_id, errors: [{pointer, detail}]}`.
"""

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memcairn.api.strict_json import pointer_to
from memcairn.domain.errors import (
    Conflict,
    DomainError,
    Forbidden,
    Invalid,
    LimitReached,
    NotFound,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from memcairn.observability import logs
from memcairn.wire.problems import FieldProblem, Problem

MEDIA_TYPE = "application/problem+json"
CLIENT_GONE = 499
"""Nobody reads this answer; the number, borrowed from nginx, keeps such requests apart in logs and metrics."""
MAX_ERRORS = 20
_MAX_DETAIL_CHARS = 1_000

STATUS_BY_ERROR: Mapping[type[DomainError], int] = {
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    TooLarge: 413,
    Invalid: 422,
    LimitReached: 429,
    Unavailable: 503,
}
_STATUS_BY_CODE = {"storage_full": 507}

_CODE_BY_STATUS = {
    401: "unauthenticated",
    408: "too_slow",
    413: "too_large",
    422: "invalid",
    429: "limit_reached",
    CLIENT_GONE: "client_gone",
    500: "internal",
    503: "unavailable",
}

log = logging.getLogger(__name__)


class ProblemResponse(Response):
    media_type = MEDIA_TYPE


def problem(
    status: int,
    detail: str,
    *,
    code: str | None = None,
    errors: Sequence[FieldProblem] = (),
    headers: Mapping[str, str] | None = None,
) -> ProblemResponse:
    """A problem response; without a `code` the status gives it one. The request id is the current request's."""
    title = _phrase(status)
    document = Problem(
        title=title,
        status=status,
        detail=detail if len(detail) <= _MAX_DETAIL_CHARS else detail[:_MAX_DETAIL_CHARS] + "…",
        code=code or _CODE_BY_STATUS.get(status) or title.lower().replace(" ", "_").replace("-", "_"),
        request_id=logs.request_id(),
        errors=list(errors),
    )
    return ProblemResponse(document.model_dump_json(), status_code=status, headers=headers)


def status_of(error: DomainError) -> int:
    """The HTTP status of a domain error: its code decides first, then the nearest class in the table."""
    if error.code in _STATUS_BY_CODE:
        return _STATUS_BY_CODE[error.code]
    return next((STATUS_BY_ERROR[kind] for kind in type(error).__mro__ if kind in STATUS_BY_ERROR), 500)


def headers_of(error: DomainError) -> dict[str, str]:
    """What the status of a domain error promises in headers: how to authenticate, when to come back."""
    if isinstance(error, Unauthenticated):
        return {"WWW-Authenticate": "Bearer"}
    if error.code == "idempotency_in_flight":
        return {"Retry-After": "1"}
    if isinstance(error, LimitReached | Unavailable) and error.retry_after_seconds is not None:
        return {"Retry-After": str(max(1, math.ceil(error.retry_after_seconds)))}
    return {}


def from_error(error: DomainError) -> ProblemResponse:
    """The problem response of a domain error."""
    errors = [] if error.pointer is None else [FieldProblem(pointer=error.pointer, detail=error.message)]
    return problem(status_of(error), error.message, code=error.code, errors=errors, headers=headers_of(error))


def from_broken_rules(broken: RequestValidationError) -> ProblemResponse:
    """The problem response of a request that does not fit its model: every error placed, none echoing the input."""
    found = broken.errors()
    errors = [_field_problem(error, broken.body) for error in found[:MAX_ERRORS]]
    detail = "; ".join(f"{error.pointer or 'body'}: {error.detail}" for error in errors[:3])
    if len(found) > 3:
        detail += f"; and {len(found) - 3} more"
    return problem(422, detail + ".", code=Invalid.code, errors=errors)


def install(app: FastAPI) -> None:
    """Makes `app` answer every error as a problem and say so in its OpenAPI document."""
    for kind in (DomainError, RequestValidationError, HTTPException, ClientDisconnect):
        app.add_exception_handler(kind, _respond)
    document(app)


class Crashes:
    """ASGI middleware: the outermost net. What nobody expected is logged and answered with a 500 that tells nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def note_start(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, note_start)
        except Exception as error:  # the outermost HTTP handler
            log.error("a request crashed", exc_info=error, extra={"method": scope["method"]})
            if not started:  # else the server sees an unfinished answer and closes the connection
                detail = "The server failed to answer this request. Its log has the reason under the request id."
                await problem(500, detail)(scope, receive, send)


def document(app: FastAPI) -> None:
    """Adds the problem responses each route can give to the OpenAPI document of `app`."""
    describe = app.openapi

    def describe_with_problems() -> dict[str, Any]:
        return _with_problems(describe())

    app.openapi = describe_with_problems  # type: ignore[method-assign] # the documented way to extend the schema


async def _respond(request: Request, error: Exception) -> Response:
    if isinstance(error, DomainError):
        return from_error(error)
    if isinstance(error, RequestValidationError):
        return from_broken_rules(error)
    if isinstance(error, HTTPException):
        return _from_http_exception(request, error)
    return problem(CLIENT_GONE, "The client left before its request had arrived.")


def _from_http_exception(request: Request, error: HTTPException) -> Response:
    headers = dict(error.headers or {})
    if error.status_code < 400:
        return Response(status_code=error.status_code, headers=headers)
    detail = str(error.detail)
    if detail == _phrase(error.status_code):
        detail = _sentence(error.status_code, request, headers)
    return problem(error.status_code, detail, headers=headers)


def _sentence(status: int, request: Request, headers: Mapping[str, str]) -> str:
    path = request.url.path[:200]
    if status == 404:
        return f"There is no {path} here; /docs lists what there is."
    if status == 405:
        allowed = headers.get("Allow", headers.get("allow", "another method"))
        return f"{path} does not take {request.method}; use {allowed}."
    return f"{_phrase(status)}."


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Client Gone" if status == CLIENT_GONE else f"Status {status}"


def _field_problem(error: Mapping[str, Any], body: Any) -> FieldProblem:
    place, *path = error["loc"] or ("body",)
    detail = str(error["msg"]).removeprefix("Value error, ")
    if place == "body":
        return FieldProblem(pointer=pointer_to(_path_in(body, path, missing=error["type"] == "missing")), detail=detail)
    return FieldProblem(pointer=f"#{pointer_to([str(place), *path])}", detail=detail)


def _path_in(body: Any, path: Sequence[str | int], *, missing: bool) -> Iterable[str | int]:
    """The steps of `path` that `body` has, without the names of alternatives pydantic mixes in, and a missing field."""
    steps: list[str | int] = []
    for step in path:
        try:
            body = body[step]
        except (KeyError, IndexError, TypeError):
            continue
        steps.append(step)
    return [*steps, path[-1]] if missing and path else steps


def _with_problems(schema: dict[str, Any]) -> dict[str, Any]:
    schemas = schema.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for model in (FieldProblem, Problem):
        own = model.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
        own.pop("$defs", None)
        schemas[model.__name__] = own
    for methods in schema.get("paths", {}).values():
        for operation in methods.values():
            if isinstance(operation, dict) and "responses" in operation:
                _document_operation(operation)
    return schema


def _document_operation(operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    declared = {int(status) for status in responses if status.startswith("4")}
    for status in sorted(declared.union(_statuses_of(operation))):
        known = responses.get(str(status))
        if known is None or status == 422 or "content" not in known:
            responses[str(status)] = {"description": _phrase(status), "content": content}


def _statuses_of(operation: Mapping[str, Any]) -> Iterable[int]:
    statuses = [431, 500, 503]
    if operation.get("security"):
        statuses += [401, 403, 429]
    if "requestBody" in operation:
        statuses += [408, 409, 413, 415, 422, 507]
    for parameter in operation.get("parameters", ()):
        names_something = parameter["in"] == "path" or parameter["name"] == "org_id"
        statuses += [404, 422] if names_something else [422]
    return statuses
