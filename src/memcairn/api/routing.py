"""Routes whose JSON bodies are read strictly, whatever the client calls them."""

import json
from collections.abc import Callable, Coroutine
from typing import Any

import anyio.to_thread
from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from memcairn.api import paths, strict_json
from memcairn.api.direct import Signature

LARGE_BYTES = 256 * 2**10
"""Bodies above this are parsed on a thread: the worst 8 MiB take a second, which other requests should not wait for."""


class StrictRequest(Request):
    """A request whose `json()` is `strict_json.parse` and refuses with the same errors."""

    async def json(self) -> Any:
        if not hasattr(self, "_parsed"):
            body = await self.body()
            if len(body) > LARGE_BYTES:
                self._parsed = await anyio.to_thread.run_sync(strict_json.parse, body)
            else:
                self._parsed = strict_json.parse(body)
        return self._parsed


class StrictRoute(APIRoute):
    """Give it to a router as `route_class`: `APIRouter(route_class=StrictRoute)`.

    The body is parsed before the framework asks for it, because the framework's own reading turns errors it does not
    know into a 400 without a reason. A body without a content type is JSON; one of another type is refused with 415.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **(options | {"strict_content_type": False}))

    async def before_body(self, request: Request) -> None:
        """Runs before any of the body is read: the place to refuse whoever may not send one. Does nothing here."""

    def signature(self) -> Signature | None:
        """How the endpoint can be called directly; None, as here: only by the framework, with all its dependencies."""
        return None

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        takes_body = self.body_field is not None
        signature, endpoint = self.signature(), self.endpoint

        async def handle_strictly(request: Request) -> Response:
            strict = StrictRequest(request.scope, request.receive)
            strict.scope["path_params"] = paths.unmarked(strict.path_params)
            await self.before_body(strict)
            if takes_body:
                _check_content_type(strict.headers.get("content-type"))
                if await strict.body():
                    await strict.json()
            arguments = None if signature is None else await signature.arguments(strict)
            if arguments is None:
                return await handle(strict)
            response: Response = await endpoint(**arguments)
            return response

        return handle_strictly


def _check_content_type(value: str | None) -> None:
    media_type = (value or "application/json").split(";", 1)[0].strip().lower()
    kind, _, subtype = media_type.partition("/")
    if kind == "application" and (subtype == "json" or subtype.endswith("+json")):
        return
    shown = json.dumps(media_type[:100])
    raise HTTPException(415, f"The body is declared as {shown}; send JSON with Content-Type: application/json.")
