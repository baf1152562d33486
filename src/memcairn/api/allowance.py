"""Headers that say how an org stands against its limits, on every answer to a known key."""

from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memcairn.core.admission import Standing, limited, standing
from memcairn.core.services import Services
from memcairn.domain.usage import Dimension


class Allowance:
    """ASGI middleware: `X-RateLimit-*` on the answers, and refusals, to requests whose principal is known."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self.app = app
        self.services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state = scope.setdefault("state", {})  # made here, so that scopes copied further in share it

        async def send_with_allowance(message: Message) -> None:
            principal = state.get("principal")
            starts = message["type"] == "http.response.start"
            if starts and principal is not None and limited(self.services, principal):
                message.setdefault("headers", [])
                headers = MutableHeaders(scope=message)
                for name, value in rate_headers(standing(self.services, principal)).items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_with_allowance)


def rate_headers(stands: Standing) -> Mapping[str, str]:
    """The nearest limit on requests: the rate if there is one, else the quota of the month; none: no headers.

    `X-RateLimit-Reset` is in Unix seconds: when the whole rate is there again, or when the next month begins.
    """
    limit, used = stands.limits.get(Dimension.API_CALLS), stands.used.get(Dimension.API_CALLS, 0)
    if stands.rate is not None:
        return _triple(stands.rate.limit, stands.rate.remaining, stands.rate.full_at.timestamp())
    if limit is not None:
        return _triple(limit, max(0, limit - used), stands.month_ends_at.timestamp())
    return {}


def _triple(limit: int, remaining: int, reset: float) -> Mapping[str, str]:
    return {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset": str(int(reset)),
    }
