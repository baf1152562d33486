"""How many memories there are, of which sort."""

from dataclasses import asdict

from fastapi import APIRouter, Request, Response

from memcairn.api.native.access import KeyedRoute, bearer, services_of
from memcairn.api.native.answers import answer
from memcairn.api.native.events import IdFilter, Reader
from memcairn.core.statistics import memory_stats
from memcairn.wire import statistics as wire

router = APIRouter(prefix="/v1/memories/stats", tags=["memories"], route_class=KeyedRoute, dependencies=[bearer])


@router.get("", operation_id="get_memory_stats", response_model=wire.MemoryStats)
async def get_stats(request: Request, principal: Reader, actor_id: IdFilter = None) -> Response:
    """Counts and averages of the org's memories, or of one actor's."""
    stats = await memory_stats(services_of(request).deps, principal, actor_id=actor_id)
    values = asdict(stats)
    range_ = {"earliest": values.pop("earliest_observed_at"), "latest": values.pop("latest_observed_at")}
    rounded = {name: round(values[name], 4) for name in ("average_confidence", "average_strength")}
    return answer(wire.MemoryStats(**(values | rounded), date_range=wire.DateRange(**range_)))
