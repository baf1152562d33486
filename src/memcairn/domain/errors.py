"""Everything the product refuses to do, as one small tree.

    DomainError
    ├── Unauthenticated   no key, or one that is not valid
    ├── Forbidden         a valid key without the right
    ├── NotFound          nothing of that name in the caller's org
    ├── Conflict          the state of the world does not allow it now
    ├── Invalid           the request breaks a rule
    ├── TooLarge          the request is bigger than a limit
    ├── LimitReached      too many requests; later is fine
    └── Unavailable       the server cannot do it now

Each error carries a stable `code` for programs and a sentence for people: the value, the rule and the way out.
Doors translate errors to their own protocol; nothing below a door knows about status codes.
"""


class DomainError(Exception):
    """A refusal with a stable code; `pointer` names the offending place in the input (RFC 6901), if there is one."""

    code = "error"

    def __init__(self, message: str, *, code: str | None = None, pointer: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.pointer = pointer
        if code is not None:
            self.code = code


class Unauthenticated(DomainError):
    """The request carries no usable API key."""

    code = "unauthenticated"


class Forbidden(DomainError):
    """The key is valid and lacks the scope the action needs."""

    code = "forbidden"


class NotFound(DomainError):
    """The caller's org holds nothing of that name; another org's id is answered the same way."""

    code = "not_found"


class Conflict(DomainError):
    """The request is well formed and cannot be carried out in the present state."""

    code = "conflict"


class Invalid(DomainError):
    """The request breaks a rule; nothing of it was stored."""

    code = "invalid"


class TooLarge(DomainError):
    """The request exceeds a size limit; it was not read to its end."""

    code = "too_large"


class LimitReached(DomainError):
    """A rate or quota is used up; `retry_after_seconds` says when to come back, unless that is far away."""

    code = "limit_reached"

    def __init__(self, message: str, *, retry_after_seconds: float | None, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.retry_after_seconds = retry_after_seconds


class QuotaReached(LimitReached):
    """The org has used up a quota of the month; waiting a little does not help, so no time to come back is named."""

    code = "usage_limit_exceeded"

    def __init__(self, message: str, *, dimension: str, used: int, limit: int) -> None:
        super().__init__(message, retry_after_seconds=None)
        self.dimension = dimension
        self.used = used
        self.limit = limit


class Unavailable(DomainError):
    """The server cannot serve this now; the same request may succeed later."""

    code = "unavailable"

    def __init__(self, message: str, *, retry_after_seconds: float = 1.0, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.retry_after_seconds = retry_after_seconds
