"""Everything that can go wrong between a program and its server, as one tree.

MemcairnError
├── ApiError              the server answered with an error
│   ├── AuthenticationError   401: no key, or one that is not valid
│   ├── ForbiddenError        403: the key lacks the scope
│   ├── NotFoundError         404: nothing of that name in the key's org
│   ├── ConflictError         409: the state of the world does not allow it now
│   ├── InvalidError          400, 413, 415, 422: the request breaks a rule; nothing was stored
│   ├── LimitError            429: too many requests, even after waiting
│   └── ServerError           5xx: the server could not do it
├── ConnectionFailed      no connection, or it broke before the answer was complete
├── TimedOut              no answer in time; the request may have been carried out
├── ProtocolError         something answered that does not speak like a Memcairn server
├── InvalidArgument       refused before anything was sent; also a ValueError
└── ServerNotInstalled    `.local()` without the server extra
"""

from collections.abc import Sequence
from typing import Any

from memcairn.wire.problems import FieldProblem

_SHOWN_PROBLEMS = 3


class MemcairnError(Exception):
    """The root: catching it catches whatever the client raises on purpose."""


class ConnectionFailed(MemcairnError):
    """The server could not be reached, or the connection broke before the answer was complete."""


class TimedOut(MemcairnError):
    """No answer came within `timeout`; the server may have carried the request out all the same."""


class ProtocolError(MemcairnError):
    """The answer is not one a Memcairn server gives: cut off, not JSON, or of another shape."""


class InvalidArgument(MemcairnError, ValueError):
    """The call cannot be put into a request; nothing was sent."""


class ServerNotInstalled(MemcairnError):
    """A server inside the process was asked for, and only the client is installed."""


class ApiError(MemcairnError):
    """The server's refusal. `code` is stable and meant for programs, `message` for people.

    `request_id` finds the request in the server's log. `errors` names each broken rule with its place in the request.
    An answer that came from something in between (a proxy, say) has the code `http_<status>`.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        request_id: str | None = None,
        errors: Sequence[FieldProblem] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.request_id = request_id
        self.errors = tuple(errors)

    def __str__(self) -> str:
        places = "".join(f"; {problem.pointer or '/'}: {problem.detail}" for problem in self.errors[:_SHOWN_PROBLEMS])
        more = len(self.errors) - _SHOWN_PROBLEMS
        rest = f"; and {more} more" if more > 0 else ""
        request = f", request {self.request_id}" if self.request_id else ""
        return f"{self.message}{places}{rest} ({self.status} {self.code}{request})"

    def __reduce__(self) -> tuple[Any, ...]:
        # An exception is pickled by calling its class with `args`, which the keyword arguments above do not allow;
        # one that cannot be pickled kills the process pool it was raised in.
        return _unfilled, (type(self), self.message), vars(self)


class AuthenticationError(ApiError):
    """401: the request carried no API key, or one the server does not accept."""


class ForbiddenError(ApiError):
    """403: the key is valid and lacks the scope this call needs."""


class NotFoundError(ApiError):
    """404: the key's org holds nothing of that name."""


class ConflictError(ApiError):
    """409: well formed, and not possible in the present state."""


class InvalidError(ApiError):
    """400, 413, 415 or 422: the request breaks a rule, and nothing of it was stored."""


class LimitError(ApiError):
    """429: a rate or quota is used up. `retry_after` is the seconds the server asked for, if it named any."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        request_id: str | None = None,
        errors: Sequence[FieldProblem] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(status, code, message, request_id=request_id, errors=errors)
        self.retry_after = retry_after


class ServerError(ApiError):
    """5xx: the server could not carry the request out; `request_id` finds the reason in its log."""


def _unfilled(kind: type[ApiError], message: str) -> ApiError:
    return kind.__new__(kind, message)
