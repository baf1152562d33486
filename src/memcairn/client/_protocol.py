"""How operations become requests, and answers become values or errors: rules only, nothing here sends or waits."""

import json
import os
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar
from urllib.parse import urlencode

import httpx2
from pydantic import BaseModel, ValidationError

from memcairn import __version__
from memcairn.client._operation import Operation
from memcairn.client.errors import (
    ApiError,
    AuthenticationError,
    ConflictError,
    ConnectionFailed,
    ForbiddenError,
    InvalidArgument,
    InvalidError,
    LimitError,
    MemcairnError,
    NotFoundError,
    ProtocolError,
    ServerError,
    TimedOut,
)
from memcairn.wire.problems import Problem

DEFAULT_BASE_URL = "http://127.0.0.1:8642"
API_KEY_VARIABLE = "MEMCAIRN_API_KEY"
LONGEST_WAIT = 60.0  # seconds before one repetition, whatever the server asks for
USED_UP = "usage_limit_exceeded"  # the code of the 429 that lasts until the month ends
IN_FLIGHT = "idempotency_in_flight"  # the code of the 409 for a key whose first request is being carried out

_SHOWN_BODY = 200  # characters of a foreign error page quoted in a message
_MOST_DOUBLINGS = 16  # beyond it every backoff is over LONGEST_WAIT, and a float would overflow in the end
_SECONDS = re.compile(r"\d{1,9}(\.\d{1,9})?")
_HEADER_TEXT = re.compile(r"[\x21-\x7e]+( +[\x21-\x7e]+)*")
_REFUSALS: Mapping[int, type[ApiError]] = {
    400: InvalidError,
    401: AuthenticationError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    413: InvalidError,
    415: InvalidError,
    422: InvalidError,
}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request without its server. `url` is the path with its query, already percent-encoded."""

    method: str
    url: str
    headers: dict[str, str]
    content: bytes | None


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back, read to its end."""

    status: int
    headers: httpx2.Headers
    content: bytes


Outcome = Reply | MemcairnError
"""How one attempt ended: with an answer of whatever status, or without one."""


@dataclass(frozen=True, slots=True)
class Retries:
    """When to try again, and after how long: `backoff` seconds, doubled each time, less up to half by chance."""

    limit: int = 3
    backoff: float = 1.0
    chance: Callable[[], float] = random.random

    def __post_init__(self) -> None:
        if self.limit < 0:
            raise InvalidArgument(f"max_retries is {self.limit}; it must be 0 (try once) or more")
        if not 0 <= self.backoff < float("inf"):
            raise InvalidArgument(f"retry_backoff is {self.backoff}; it must be a number of seconds, 0 or more")

    def delay(self, operation: Operation[T], outcome: Outcome, attempt: int) -> float | None:
        """Seconds to wait before sending `operation` again after attempt number `attempt` (from 0); None to stop."""
        if attempt >= self.limit or not _may_repeat(operation, outcome):
            return None
        asked = retry_after(outcome.headers) if isinstance(outcome, Reply) else None
        if asked is not None:
            return min(asked, LONGEST_WAIT)
        full = float(min(self.backoff * 2.0 ** min(attempt, _MOST_DOUBLINGS), LONGEST_WAIT))
        return full * (1 - self.chance() / 2)


def checked_base_url(base_url: str) -> str:
    """`base_url` as it is, or `InvalidArgument` when no request could be sent to it."""
    try:
        url = httpx2.URL(base_url)
    except httpx2.InvalidURL as error:
        raise InvalidArgument(
            f"base_url {base_url!r} is not a URL ({error}); an example is {DEFAULT_BASE_URL}"
        ) from None
    if url.scheme not in {"http", "https"} or not url.host:
        raise InvalidArgument(f"base_url {base_url!r} must begin with http:// or https://, such as {DEFAULT_BASE_URL}")
    return base_url


def checked_timeout(timeout: float | None) -> float | None:
    """`timeout` as it is: seconds above 0, or None for no limit."""
    if timeout is not None and not timeout > 0:
        raise InvalidArgument(f"timeout is {timeout}; it must be a number of seconds above 0, or None for no limit")
    return timeout


def standing_headers(api_key: str | None) -> dict[str, str]:
    """The headers of every request; without `api_key` and the variable MEMCAIRN_API_KEY none of them names a key."""
    headers = {"Accept": "application/json", "User-Agent": f"memcairn-python/{__version__}"}
    key = (os.environ.get(API_KEY_VARIABLE, "") if api_key is None else api_key).strip()
    if key:
        if not _HEADER_TEXT.fullmatch(key):
            # The key itself stays out of the message: messages end up in logs.
            raise InvalidArgument(
                "the API key holds characters no HTTP header can carry; only printable ASCII is valid"
            )
        headers["Authorization"] = f"Bearer {key}"
    return headers


def encode(operation: Operation[T]) -> Outgoing:
    """The request of an operation; `InvalidArgument` for what JSON, a URL or a header cannot hold."""
    headers = {}
    if operation.idempotency_key is not None:
        if not _HEADER_TEXT.fullmatch(operation.idempotency_key):
            raise InvalidArgument(
                f"idempotency_key {operation.idempotency_key!r} must be printable ASCII, and not empty"
            )
        headers["Idempotency-Key"] = operation.idempotency_key
    content = None
    if operation.body is not None:
        headers["Content-Type"] = "application/json"
        content = _json(operation.body)
    return Outgoing(operation.method, operation.path + _query(operation.query), headers, content)


def failure(error: httpx2.RequestError, operation: Operation[T], server: str) -> MemcairnError:
    """What a failed attempt means to the one who called, with the transport's own error as its cause."""
    call = f"{operation.method} {operation.path}"
    told: MemcairnError
    if isinstance(error, httpx2.TimeoutException):
        told = TimedOut(f"{server} did not answer {call} in time; is it busy, or is timeout= too short?")
    elif isinstance(error, httpx2.ConnectError):
        told = ConnectionFailed(f"cannot connect to {server}: {error}; is the server running, is base_url right?")
    elif isinstance(error, httpx2.NetworkError | httpx2.ProxyError | httpx2.RemoteProtocolError):
        told = ConnectionFailed(f"the connection to {server} broke during {call}: {error}")
    else:
        told = ProtocolError(f"{call} could not be exchanged with {server}: {error}")
    told.__cause__ = error
    return told


def settle(operation: Operation[T], outcome: Outcome, *, repeated: bool) -> T:
    """The value an operation ends with, or its error raised.

    `repeated` says that an earlier attempt got lost and may have been carried out.
    """
    if isinstance(outcome, MemcairnError):
        raise outcome
    if 200 <= outcome.status < 300:
        return _parsed(operation, outcome)
    if outcome.status in operation.answers:
        try:
            return _parsed(operation, outcome)
        except ProtocolError:
            raise api_error(outcome) from None
    if repeated and outcome.status in operation.settled_by:
        return operation.parse(b"")
    if outcome.status < 400:
        raise ProtocolError(
            f"{operation.method} {operation.path} was answered with {outcome.status} and sent elsewhere "
            f"({outcome.headers.get('location', 'no address given')}); set base_url to where the server really is"
        )
    raise api_error(outcome)


def api_error(reply: Reply) -> ApiError:
    """The error an answer stands for, also when it is not a problem document but some proxy's page."""
    problem = _problem(reply)
    code = problem.code if problem else f"http_{reply.status}"
    message = problem.detail if problem else _excerpt(reply)
    request_id = (problem.request_id if problem else None) or reply.headers.get("x-request-id")
    errors = problem.errors if problem else ()
    if reply.status == 429:
        asked = retry_after(reply.headers)
        return LimitError(reply.status, code, message, request_id=request_id, errors=errors, retry_after=asked)
    kind = ServerError if reply.status >= 500 else _REFUSALS.get(reply.status, ApiError)
    return kind(reply.status, code, message, request_id=request_id, errors=errors)


def retry_after(headers: httpx2.Headers) -> float | None:
    """The seconds a `Retry-After` header asks for in either of its forms (RFC 9110, 10.2.3); None if unreadable."""
    value = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    until = _http_date(value)
    if until is None:
        return None
    # Against the server's own clock where it shows it: the two machines' clocks may differ.
    now = _http_date(headers.get("date", "")) or datetime.now(UTC)
    return max(0.0, (until - now).total_seconds())


def _may_repeat(operation: Operation[T], outcome: Outcome) -> bool:
    if isinstance(outcome, MemcairnError):
        return operation.repeatable and isinstance(outcome, ConnectionFailed | TimedOut)
    if outcome.status == 429:  # refused at the door, hence never carried out
        problem = _problem(outcome)
        return problem is None or problem.code != USED_UP
    return operation.repeatable and _passes(operation, outcome)


def _passes(operation: Operation[T], reply: Reply) -> bool:
    """Whether this refusal ends by itself: a server that names its return, or an earlier attempt still under way."""
    if reply.status == 503:
        return "retry-after" in reply.headers and 503 not in operation.answers
    problem = _problem(reply) if reply.status == 409 else None
    return problem is not None and problem.code == IN_FLIGHT


def _parsed(operation: Operation[T], reply: Reply) -> T:
    try:
        return operation.parse(reply.content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = "/".join(str(part) for part in first["loc"]) or "its body"
        raise ProtocolError(
            f"the answer to {operation.method} {operation.path} is not a {error.title}: {place}: {first['msg']}; "
            "is base_url a Memcairn server of this version?"
        ) from error


def _json(body: object) -> bytes:
    try:
        text = json.dumps(body, default=_jsonable, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgument(f"the call cannot be written as JSON: {error}") from error
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgument(f"the call holds half of a surrogate pair, which is not text: {error.reason}") from None


def _jsonable(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(exclude_unset=True)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON value: {value!r:.80}")


def _query(query: tuple[tuple[str, str], ...]) -> str:
    try:
        return f"?{urlencode(query)}" if query else ""
    except UnicodeEncodeError:
        raise InvalidArgument("a parameter holds half of a surrogate pair, which is not text") from None


def _problem(reply: Reply) -> Problem | None:
    try:
        return Problem.model_validate_json(reply.content)
    except ValidationError:
        return None


def _excerpt(reply: Reply) -> str:
    text = " ".join(reply.content[: 4 * _SHOWN_BODY].decode("utf-8", "replace").split())
    if not text:
        return "the server gave no reason"
    return text if len(text) <= _SHOWN_BODY else f"{text[:_SHOWN_BODY]}…"


def _http_date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
