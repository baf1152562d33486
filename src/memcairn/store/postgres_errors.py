"""What Postgres reports about its own state, and what a transaction or its caller can do about it.

The codes are those of appendix A of the PostgreSQL documentation.
"""

from enum import Enum, auto

from sqlalchemy.exc import DBAPIError

from memcairn.domain.errors import Unavailable

_LOST_TO_ANOTHER = frozenset({"40001", "40P01"})
_CROSSED_ANOTHER = frozenset({"23505", "23503"})
"""A row that is there already, or gone: when two transactions cross, the second try sees what the first one left."""
_GOING_AWAY = frozenset({"57P01", "57P02", "57P03", "57P05"})
_STANDBY = "25006"
_TOO_SLOW = "57014"
_LOCK_HELD = "55P03"
_NO_ROOM = frozenset({"53100", "58030"})
_TOO_MANY = "53300"
_NO_MEMORY = "53200"


class Advice(Enum):
    """What to do after an error."""

    AGAIN = auto()
    """Begin the transaction again: another one got in its way."""
    CROSSED = auto()
    """Begin it again a few times: if it was not another transaction, it fails in the same way."""
    LOST = auto()
    """The connection is gone; what was not committed is undone."""
    REFUSE = auto()


def advice(error: DBAPIError) -> Advice:
    code = _code(error)
    if code in _LOST_TO_ANOTHER:
        return Advice.AGAIN
    if code in _CROSSED_ANOTHER:
        return Advice.CROSSED
    if error.connection_invalidated or code in _GOING_AWAY or code[:2] == "08":
        return Advice.LOST
    # Without a code the server never answered: it could not be reached, or the connection broke.
    return Advice.LOST if not code and type(error.orig).__name__ == "OperationalError" else Advice.REFUSE


def too_slow(error: DBAPIError) -> bool:
    return _code(error) == _TOO_SLOW


def refusal(error: DBAPIError) -> Unavailable | None:
    """What the caller is told when nothing helped; None for what is a mistake of ours."""
    code = _code(error)
    if code in _NO_ROOM:
        return Unavailable(
            "The database could not write: the disk is full or failing. Nothing of this request was stored; free some "
            "space and repeat it.",
            code="storage_full",
            retry_after_seconds=5,
        )
    if code in (_TOO_SLOW, _LOCK_HELD) or code in _LOST_TO_ANOTHER:
        return Unavailable(
            "The database took too long, or other requests kept the same rows busy. Nothing of this request was "
            "stored; repeat it.",
            code="database_busy",
        )
    if code in (_TOO_MANY, _NO_MEMORY):
        return Unavailable(
            f"The database server has no room for more work: {_said(error)}. Repeat the request, or give the server "
            "more connections or memory.",
            code="database_busy",
            retry_after_seconds=2,
        )
    if code == _STANDBY or advice(error) is Advice.LOST:
        return Unavailable(
            f"The database cannot be reached or does not take writes: {_said(error)}. Check that the server of "
            "DATABASE_URL runs, then repeat the request.",
            code="database_unreachable",
            retry_after_seconds=2,
        )
    return None


def commit_unknown() -> Unavailable:
    return Unavailable(
        "The connection to the database broke while this request was being committed: it may have been stored or not. "
        "Look, or repeat it with the same ids or Idempotency-Key, which stores nothing twice.",
        code="commit_unknown",
    )


def _code(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""


def _said(error: DBAPIError) -> str:
    """The first line of what the server or the driver said, without its prefix."""
    lines = str(error.orig).strip().splitlines() or [type(error.orig).__name__]
    return lines[0].removeprefix("FATAL: ").strip().rstrip(".")
