"""Is the process there, can it work, and how is it doing: the routes that probes and scrapers ask, without a key."""

from collections.abc import Awaitable, Callable, Mapping

import anyio
from fastapi import APIRouter, Response

from memcairn.observability.metrics import CONTENT_TYPE, Metrics
from memcairn.wire.health import Health, Readiness, Reembedding

Check = Callable[[], Awaitable[Mapping[str, str | None]]]
"""Looks at each component the server needs; the answer maps its name to None, or to what is wrong with it."""

Progress = Callable[[], Awaitable[Reembedding | None]]

CHECK_SECONDS = 2.0
PATHS = frozenset({"/healthz", "/readyz", "/metrics"})


def router(check: Check, progress: Progress | None = None, *, metrics: Metrics, version: str) -> APIRouter:
    """`/healthz` answers 200 while the process runs; `/readyz` 503 while `check` finds a problem or takes too long."""
    routes = APIRouter(tags=["operation"])

    @routes.get("/healthz", operation_id="get_health")
    async def get_health() -> Health:
        return Health(status="ok", version=version)

    @routes.get("/readyz", operation_id="get_readiness", responses={503: {"model": Readiness}})
    async def get_readiness(response: Response) -> Readiness:
        components: Mapping[str, str | None] = {"check": f"no answer within {CHECK_SECONDS:g} s"}
        reembedding: Reembedding | None = None
        with anyio.move_on_after(CHECK_SECONDS):
            components = await check()
            reembedding = None if progress is None else await progress()
        ready = not any(components.values())
        response.status_code = 200 if ready else 503
        return Readiness(status="ready" if ready else "not ready", components=dict(components), reembedding=reembedding)

    @routes.get("/metrics", operation_id="get_metrics", response_class=Response)
    async def get_metrics() -> Response:
        return Response(metrics.render(), media_type=CONTENT_TYPE)

    return routes
