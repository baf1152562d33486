"""Every route of the door on one page, and what surrounds each: the key, the version, the path as it was sent."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memcairn.api.native.access import admitted
from memcairn.api.zep import collections, documents, errors, memory, messages, search, sessions, users
from memcairn.api.zep.call import Call
from memcairn.core.services import Services
from memcairn.domain.keys import KeyScope
from memcairn.domain.trust import Channel

VERSION = "0.27.2-memcairn"
"""What the client compares with the oldest server it can talk to is the part before the dash; without one it warns."""

Handler = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Guarded:
    """A handler, and the scope a key needs before any of the body is looked at."""

    scope: KeyScope
    handler: Handler


def reads(handler: Handler) -> Guarded:
    return Guarded(KeyScope.READ, handler)


def writes(handler: Handler) -> Guarded:
    return Guarded(KeyScope.WRITE, handler)


ROUTES: Mapping[str, Mapping[str, Guarded]] = {
    "/sessions": {"GET": reads(sessions.list_all), "POST": writes(sessions.add)},
    "/sessions/{session_id}": {"GET": reads(sessions.get), "PATCH": writes(sessions.update)},
    "/sessions/{session_id}/memory": {
        "GET": reads(memory.get),
        "POST": writes(memory.add),
        "DELETE": writes(memory.delete),
    },
    "/sessions/{session_id}/messages": {"GET": reads(messages.list_page)},
    "/sessions/{session_id}/messages/{message_id}": {"GET": reads(messages.get), "PATCH": writes(messages.update)},
    "/sessions/{session_id}/search": {"POST": reads(search.search_memory)},
    "/user": {"GET": reads(users.list_all), "POST": writes(users.add)},
    "/user/{user_id}": {"GET": reads(users.get), "PATCH": writes(users.update), "DELETE": writes(users.delete)},
    "/user/{user_id}/sessions": {"GET": reads(users.list_sessions)},
    "/collection": {"GET": reads(collections.list_all)},
    "/collection/{name}": {
        "GET": reads(collections.get),
        "POST": writes(collections.add),
        "PATCH": writes(collections.update),
        "DELETE": writes(collections.delete),
    },
    "/collection/{name}/search": {"POST": reads(documents.search)},
    "/collection/{name}/index/create": {"POST": reads(collections.create_index)},
    "/collection/{name}/document": {"POST": writes(documents.add)},
    "/collection/{name}/document/uuid/{uuid}": {
        "GET": reads(documents.get),
        "PATCH": writes(documents.update),
        "DELETE": writes(documents.delete),
    },
    "/collection/{name}/document/list/get": {"POST": reads(documents.get_several)},
    "/collection/{name}/document/list/delete": {"POST": writes(documents.delete_several)},
    "/collection/{name}/document/list/update": {"PATCH": writes(documents.update_several)},
}
"""Under `/api/v1`, each closed without a valid key."""


def zep_app(services: Services) -> ASGIApp:
    """The door as an application, to be mounted at `/zep`."""
    routes = [Route("/healthz", _health, methods=["GET"])]
    for path, by_method in ROUTES.items():
        routes.append(Route(f"/api/v1{path}", _guarded(services, by_method), methods=list(by_method)))
    app = Starlette(routes=routes, exception_handlers=errors.HANDLERS)
    app.router.redirect_slashes = False
    return _Envelope(app)


async def _health(_request: Request) -> Response:
    """The client takes exactly this for a sign that a server of Zep's is there."""
    return PlainTextResponse(".")


def _guarded(services: Services, by_method: Mapping[str, Guarded]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        principal = await admitted(services, request, channel=Channel.ZEP)
        guarded = by_method.get(request.method) or by_method["GET"]  # HEAD is answered as GET
        principal.require(guarded.scope)
        return await guarded.handler(Call(request, services, principal))

    return endpoint


class _Envelope:
    """ASGI middleware: the version on every answer, and paths matched as they were sent.

    Percent signs are taken out of ids one by one afterwards, so that an id may hold a slash; a slash at the end means
    nothing.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_version(message: Message) -> None:
            if message["type"] == "http.response.start":
                message.setdefault("headers", [])
                message["headers"] = [*message["headers"], (b"x-zep-version", VERSION.encode())]
            await send(message)

        if scope["type"] == "http":
            scope["path"] = _path_as_sent(scope)
        await self.app(scope, receive, send_with_version)


def _path_as_sent(scope: Scope) -> str:
    raw: bytes | None = scope.get("raw_path")
    path = scope["path"] if raw is None else raw.partition(b"?")[0]
    # what is percent-encoded already stays as it is; bytes that should have been are encoded now
    return quote(path, safe="/%" if raw is not None else "/").removesuffix("/")
