"""What the org used, for its admins."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from memcairn.api.native.access import KeyedRoute, bearer, services_of
from memcairn.api.native.answers import answer
from memcairn.api.native.events import Admin
from memcairn.core import usage as core
from memcairn.domain.usage import Dimension, Granularity
from memcairn.wire import usage as wire
from memcairn.wire.base import Moment

router = APIRouter(prefix="/v1/usage", tags=["usage"], route_class=KeyedRoute, dependencies=[bearer])

UsageMoment = Annotated[Moment | None, Query(description="An hour of UTC; by default the current month's.")]


@router.get("/summary", operation_id="get_usage_summary", response_model=wire.UsageSummary)
async def get_summary(
    request: Request, principal: Admin, start: UsageMoment = None, end: UsageMoment = None
) -> Response:
    """Every dimension, with this request counted; this month unless told otherwise."""
    summary = await core.usage_summary(services_of(request).deps, principal, start=start, end=end)
    dimensions = [
        wire.DimensionUse(dimension=each.dimension.value, used=each.used, limit=each.limit)
        for each in summary.dimensions
    ]
    return answer(wire.UsageSummary(org_id=summary.org_id, start=summary.start, end=summary.end, dimensions=dimensions))


@router.get("/timeseries", operation_id="get_usage_timeseries", response_model=wire.UsageSeries)
async def get_timeseries(
    request: Request,
    principal: Admin,
    granularity: wire.Granularity = "day",
    dimension: wire.Dimension | None = None,
    start: UsageMoment = None,
    end: UsageMoment = None,
) -> Response:
    """Hour by hour or day by day, all keys together; this month unless told otherwise."""
    series = await core.usage_timeseries(
        services_of(request).deps,
        principal,
        granularity=Granularity(granularity),
        dimension=None if dimension is None else Dimension(dimension),
        start=start,
        end=end,
    )
    return answer(wire.UsageSeries(**series_fields(series)))


def series_fields(series: core.UsageSeries) -> dict[str, Any]:
    """The fields of a series as it travels."""
    points = [
        wire.UsagePoint(start=point.start, dimension=point.dimension.value, quantity=point.quantity)
        for point in series.points
    ]
    return {
        "org_id": series.org_id,
        "granularity": series.granularity.value,
        "start": series.start,
        "end": series.end,
        "items": points,
    }
