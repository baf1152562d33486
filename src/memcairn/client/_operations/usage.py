"""Calls about usage."""

from datetime import datetime

from memcairn.client._operation import Operation, pairs
from memcairn.wire.usage import Dimension, Granularity, UsageSeries, UsageSummary


def summary(*, start: datetime | str | None, end: datetime | str | None) -> Operation[UsageSummary]:
    return Operation(
        method="GET",
        path="/v1/usage/summary",
        query=pairs(start=start, end=end),
        parse=UsageSummary.model_validate_json,
        repeatable=True,
    )


def timeseries(
    *,
    granularity: Granularity,
    dimension: Dimension | None,
    start: datetime | str | None,
    end: datetime | str | None,
) -> Operation[UsageSeries]:
    return Operation(
        method="GET",
        path="/v1/usage/timeseries",
        query=pairs(granularity=granularity, dimension=dimension, start=start, end=end),
        parse=UsageSeries.model_validate_json,
        repeatable=True,
    )
