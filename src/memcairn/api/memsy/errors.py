"""Refusals as Memsy's clients read them: a JSON object with `error`, a code they know, and `message`, a sentence."""

from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ExceptionHandler

from memcairn.api import problems
from memcairn.domain.errors import DomainError, QuotaReached
from memcairn.domain.keys import KeyScope

RESERVED_WORDS = ("scope", "quota")
"""By these words in the sentence of a 403 or a 429 clients tell kinds of refusals apart: others must not hold them."""


class RefusalError(Exception):
    """A refusal that only this protocol has; `facts` stand beside code and sentence, for programs."""

    def __init__(self, status: int, code: str, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.facts = facts


def invalid(message: str) -> RefusalError:
    return RefusalError(422, "validation_error", message)


def lacks(scope: KeyScope) -> RefusalError:
    """What a key without `scope` is told."""
    if scope is KeyScope.ADMIN:
        return RefusalError(403, "admin_required", "This needs a key of an admin. Ask one, or use an admin's key.")
    message = f"This key lacks the {scope.value!r} scope. Use a key created with it."
    return RefusalError(403, "wrong_scope", message, required_scope=scope.value)


def of_another_org() -> RefusalError:
    """Said of every org but the key's own, whether or not it exists."""
    message = "There is no org of this id that this key belongs to. Leave `org_id` out, or send the key's own."
    return RefusalError(404, "org_not_found", message)


def answer(error: DomainError | RefusalError) -> Response:
    """The error as this door tells it; statuses of the product's own errors are those it uses elsewhere."""
    if isinstance(error, RefusalError):
        return _object(error.status, error.code, error.message, facts=error.facts)
    facts: Mapping[str, Any] = {}
    if isinstance(error, QuotaReached):
        facts = {"dimension": error.dimension, "current": error.used, "limit": error.limit}
    return _object(
        problems.status_of(error), error.code, error.message, facts=facts, headers=problems.headers_of(error)
    )


async def _told(_request: Request, error: Exception) -> Response:
    if not isinstance(error, DomainError | RefusalError):
        raise error
    return answer(error)


async def _framework(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == 404:
        return _object(404, "not_found", "There is nothing at this address.", headers=error.headers)
    if error.status_code == 405:
        message = f"This address does not take {request.method[:20]}."
        return _object(405, "method_not_allowed", message, headers=error.headers)
    return _object(error.status_code, "error", str(error.detail), headers=error.headers)


async def _gone(_request: Request, _error: Exception) -> Response:
    return _object(problems.CLIENT_GONE, "client_gone", "The client left before its request had arrived.")


HANDLERS: Mapping[type[Exception], ExceptionHandler] = {
    DomainError: _told,
    RefusalError: _told,
    HTTPException: _framework,
    ClientDisconnect: _gone,
}


def _object(
    status: int,
    code: str,
    message: str,
    *,
    facts: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    return JSONResponse({"error": code, "message": message} | dict(facts or {}), status, headers)
