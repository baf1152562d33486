"""Who is asking, decided before a byte of the body is read."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from fastapi import Request, Security
from fastapi.security import HTTPBearer

from memcairn.api.direct import Signature, signature_of
from memcairn.api.routing import StrictRoute
from memcairn.core.admission import authenticated, charge
from memcairn.core.services import Services
from memcairn.domain.errors import Unauthenticated
from memcairn.domain.keys import KeyScope, Principal
from memcairn.domain.trust import Channel

bearer = Security(HTTPBearer(auto_error=False, description="An API key: `memcairn keys create` makes one."))
"""For the OpenAPI document only: `KeyedRoute` does the checking, and need not run it."""


def services_of(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


class KeyedRoute(StrictRoute):
    """A route that is closed without a valid key; the key comes in `Authorization: Bearer` or in `X-API-Key`."""

    async def before_body(self, request: Request) -> None:
        await admitted(services_of(request), request)

    def signature(self) -> Signature | None:
        only_documented = all(each.dependency is bearer.dependency for each in self.dependencies)
        return signature_of(self.endpoint, set(self.param_convertors)) if only_documented else None


async def admitted(services: Services, request: Request, *, channel: Channel = Channel.NATIVE) -> Principal:
    """The principal of a request, counted as one call; every door lets its requests in by this.

    Refused with Unauthenticated, and with LimitReached when its org asked too fast or too much. How the org stands is
    told in the headers of the answer, of a refusal as well.
    """
    principal = replace(await authenticated(services, presented_key(request)), channel=channel)
    request.state.principal = principal
    await charge(services, principal)
    return principal


def presented_key(request: Request) -> str | None:
    """The one key a request presents; Unauthenticated when it presents several, or another scheme."""
    presented = [*request.headers.getlist("authorization"), *request.headers.getlist("x-api-key")]
    if not presented:
        return None
    if len(presented) > 1:
        raise Unauthenticated("This request carries more than one API key. Send one, in `Authorization: Bearer`.")
    if "authorization" not in request.headers:
        return presented[0].strip()
    scheme, _, key = presented[0].strip().partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated("The Authorization header must read `Bearer <key>`.")
    return key.strip()


def needs(scope: KeyScope) -> Callable[[Request], Awaitable[Principal]]:
    """A dependency that gives the principal, or raises Forbidden when its key lacks `scope`."""

    # A coroutine that awaits nothing: the framework would send a plain function to a thread, for each request anew.
    async def principal_with_scope(request: Request) -> Principal:
        principal: Principal = request.state.principal
        principal.require(scope)
        return principal

    return principal_with_scope
