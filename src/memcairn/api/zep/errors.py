"""Refusals as Zep words them: a status its clients know and one line of plain text."""

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ExceptionHandler

from memcairn.api import problems
from memcairn.domain.errors import Conflict, DomainError, Invalid

BAD_REQUEST = (Invalid, Conflict)
"""Zep has one status for everything that is the caller's fault."""


def answer(error: DomainError) -> Response:
    """The error as this door tells it; where Zep has no status of its own, the one the product uses elsewhere."""
    status = 400 if isinstance(error, BAD_REQUEST) else problems.status_of(error)
    return _line(status, error.message, headers=problems.headers_of(error))


async def _domain(_request: Request, error: Exception) -> Response:
    if not isinstance(error, DomainError):
        raise error
    return answer(error)


async def _framework(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return _line(error.status_code, str(error.detail), headers=error.headers)


async def _gone(_request: Request, _error: Exception) -> Response:
    return _line(problems.CLIENT_GONE, "the client left before its request had arrived")


HANDLERS: Mapping[type[Exception], ExceptionHandler] = {
    DomainError: _domain,
    HTTPException: _framework,
    ClientDisconnect: _gone,
}


def _line(status: int, text: str, *, headers: Mapping[str, str] | None = None) -> Response:
    return PlainTextResponse(text + "\n", status_code=status, headers=headers)
