"""Every route of the door on two pages, and what surrounds each: the key, the path as sent, the usage headers."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from memcairn import __version__
from memcairn.api.health import Check
from memcairn.api.memsy import account, connectors, console, descriptions, errors, ingest, search
from memcairn.api.memsy.call import Call, Terms
from memcairn.api.memsy.headers import of_standing
from memcairn.api.native.access import admitted, presented_key
from memcairn.api.paths import EncodedSlashes
from memcairn.core.admission import standing
from memcairn.core.services import Services
from memcairn.domain.errors import DomainError
from memcairn.domain.groups import GroupKind
from memcairn.domain.keys import KeyScope, Principal
from memcairn.domain.trust import Channel

PREFIX = "/memsy"
DATA_PLANE = ("", "/v1")
"""Where the data plane is found: early documents of the vendor name the bare host, later ones a base ending in /v1."""
CONTROL_PLANE = "/api"

Handler = Callable[[Call], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Guarded:
    """A handler, and the scope a key needs before any of the body is looked at; None: any valid key will do."""

    scope: KeyScope | None
    handler: Handler


def reads(handler: Handler) -> Guarded:
    return Guarded(KeyScope.READ, handler)


def writes(handler: Handler) -> Guarded:
    return Guarded(KeyScope.WRITE, handler)


def administers(handler: Handler) -> Guarded:
    return Guarded(KeyScope.ADMIN, handler)


Routes = Mapping[str, Mapping[str, Guarded]]


def _groups(path: str, kind: GroupKind) -> Routes:
    return {
        path: {"GET": reads(descriptions.list_groups(kind)), "POST": administers(descriptions.create_group(kind))},
        f"{path}/{{group_id:path}}/regenerate-prompt": {"POST": administers(descriptions.regenerate_group(kind))},
        f"{path}/{{group_id:path}}": {
            "GET": reads(descriptions.get_group(kind)),
            "PATCH": administers(descriptions.update_group(kind)),
            "DELETE": administers(descriptions.delete_group(kind)),
        },
    }


DATA: Routes = {
    "/ingest": {"POST": writes(ingest.post_events)},
    "/status": {"POST": reads(ingest.post_status)},
    "/search": {"POST": reads(search.post_search)},
    "/clear/{container_tag:path}": {"DELETE": writes(ingest.delete_container)},
    "/orgs": {"GET": reads(descriptions.list_orgs), "POST": administers(descriptions.create_org)},
    "/orgs/{org_id:path}/regenerate-prompt": {"POST": administers(descriptions.regenerate_org)},
    "/orgs/{org_id:path}": {
        "GET": reads(descriptions.get_org),
        "PATCH": administers(descriptions.update_org),
        "DELETE": administers(descriptions.delete_org),
    },
    **_groups("/roles", GroupKind.ROLE),
    **_groups("/teams", GroupKind.TEAM),
    "/console/memories": {"GET": reads(console.list_memories)},
    "/console/memories/stats": {"GET": reads(console.get_stats)},
    "/console/memories/{memory_id}": {"GET": reads(console.get_one_memory)},
    "/actors": {"GET": reads(console.list_actors)},
    "/actors/{actor_id:path}": {"GET": reads(console.get_one_actor)},
}

CONTROL: Routes = {
    "/me": {"GET": Guarded(None, account.who_am_i)},
    "/usage/summary": {"GET": administers(account.get_summary)},
    "/usage/timeseries": {"GET": administers(account.get_timeseries)},
    "/billing/summary": {"GET": administers(account.get_billing)},
    "/billing/invoices": {"GET": administers(account.list_invoices)},
    "/console/events": {"GET": reads(console.list_events)},
    "/keys": {"GET": administers(account.list_keys), "POST": administers(account.create_key)},
    "/keys/{key_id}": {"DELETE": administers(account.delete_key)},
    "/keys/{key_id}/usage": {"GET": administers(account.get_key_usage)},
    "/interest/pro": {"POST": writes(account.post_interest)},
    "/interest/pro/status": {"GET": reads(account.get_interest)},
    "/connectors": {"GET": reads(connectors.list_all)},
    "/connectors/providers": {"GET": reads(connectors.list_providers)},
    "/connectors/s3/configure": {"POST": writes(connectors.configure_s3)},
    "/connectors/{provider}/status": {"GET": reads(connectors.get_status)},
    "/connectors/{provider}/connect": {"POST": writes(connectors.connect)},
    "/connectors/{connector_id}": {"GET": reads(connectors.unknown), "DELETE": writes(connectors.unknown)},
    "/connectors/{connector_id}/resources": {"GET": reads(connectors.unknown), "PUT": writes(connectors.unknown)},
    "/connectors/{connector_id}/branches": {"GET": reads(connectors.unknown)},
    "/connectors/{connector_id}/sync": {"POST": writes(connectors.unknown)},
    "/connectors/{connector_id}/picker-token": {"GET": reads(connectors.unknown)},
}


def memsy_app(services: Services, check: Check, terms: Terms | None = None) -> ASGIApp:
    """The door as an application, to be mounted at `/memsy`; `check` says how the server's parts are."""
    surroundings = _Surroundings(services, check, terms or Terms())
    routes: list[Route] = []
    for base, page in (*((base, DATA) for base in DATA_PLANE), (CONTROL_PLANE, CONTROL)):
        routes.append(Route(f"{base}/health", surroundings.health, methods=["GET"]))
        for path, by_method in page.items():
            routes.append(Route(base + path, surroundings.around(by_method), methods=list(by_method)))
    app = Starlette(routes=routes, exception_handlers=errors.HANDLERS)
    app.router.redirect_slashes = False
    return EncodedSlashes(_SlashAtTheEnd(app), prefix=PREFIX)


class _Surroundings:
    """What every handler has around it."""

    def __init__(self, services: Services, check: Check, terms: Terms) -> None:
        self._services = services
        self._check = check
        self._terms = terms

    async def health(self, request: Request) -> Response:
        """Open to everyone; whoever shows a key all the same is told whether it is valid."""
        try:
            if presented_key(request) is not None:
                await admitted(self._services, request, channel=Channel.MEMSY)
            answer = await self._state()
        except DomainError as error:
            answer = errors.answer(error)
        return self._with_headers(answer, request)

    def around(self, by_method: Mapping[str, Guarded]) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            guarded = by_method.get(request.method) or by_method["GET"]  # HEAD is answered as GET
            try:
                principal = await admitted(self._services, request, channel=Channel.MEMSY)
                _require(principal, guarded.scope)
                answer = await guarded.handler(Call(request, self._services, principal, self._terms))
            except (DomainError, errors.RefusalError) as error:
                answer = errors.answer(error)
            return self._with_headers(answer, request)

        return endpoint

    async def _state(self) -> Response:
        components = {name: problem or "ok" for name, problem in (await self._check()).items()}
        healthy = all(state == "ok" for state in components.values())
        state = {
            "status": "ok" if healthy else "degraded",
            "version": __version__,
            "billing_enabled": False,
            "components": components,
        }
        return JSONResponse(state)

    def _with_headers(self, answer: Response, request: Request) -> Response:
        """The answer with how the org of a known key stands, whatever the answer is."""
        principal: Principal | None = getattr(request.state, "principal", None)
        if principal is not None:
            answer.headers.update(of_standing(standing(self._services, principal), self._terms.plan))
        return answer


def _require(principal: Principal, scope: KeyScope | None) -> None:
    if scope is not None and scope not in principal.scopes and KeyScope.ADMIN not in principal.scopes:
        raise errors.lacks(scope)


class _SlashAtTheEnd:
    """ASGI middleware: a slash at the end of a path means nothing. Clients follow no redirect that would say so."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].endswith("/"):
            scope["path"] = scope["path"].removesuffix("/")
        await self._app(scope, receive, send)
