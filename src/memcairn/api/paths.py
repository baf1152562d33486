"""Ids in paths, whatever characters they hold.

A server hands routes the decoded path, in which a slash inside an id (`%2F`) cannot be told from one that ends it. Here
it is told apart before the routes are matched, and put back once an id has been taken out of the path.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

_SIGN = "\uffff"
"""A code point that stands for no character; where an id holds it all the same, it is written as two signs."""
_SLASH, _ITSELF = _SIGN + "1", _SIGN + "0"
_SIGN_ENCODED = b"%ef%bf%bf"


class EncodedSlashes:
    """Middleware: below `prefix`, a slash that belongs to an id is no border between the parts of a path."""

    def __init__(self, app: ASGIApp, *, prefix: str) -> None:
        self.app = app
        self.prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(self.prefix):
            raw: bytes = (scope.get("raw_path") or b"").split(b"?", 1)[0]
            if b"%2f" in raw.lower() or _SIGN_ENCODED in raw.lower():
                scope = {**scope, "path": _marked(raw.decode("latin-1"))}
        await self.app(scope, receive, send)


def install(app: FastAPI) -> None:
    """Ids of the native routes may hold slashes from now on; `StrictRoute` puts them back."""
    app.add_middleware(EncodedSlashes, prefix="/v1/")


def unmarked(path_params: Mapping[str, Any]) -> dict[str, Any]:
    """Path parameters as the client meant them."""
    return {name: _plain(value) if isinstance(value, str) else value for name, value in path_params.items()}


def _marked(raw: str) -> str:
    parts = (unquote(part).replace(_SIGN, _ITSELF).replace("/", _SLASH) for part in raw.split("/"))
    return "/".join(parts)


def _plain(value: str) -> str:
    return value.replace(_SLASH, "/").replace(_ITSELF, _SIGN) if _SIGN in value else value
