"""`client.usage`: what the org used, for its admins."""

from datetime import datetime

from memcairn.client._async.calls import AsyncCalls
from memcairn.client._operations import usage as operations
from memcairn.wire.usage import Dimension, Granularity, UsageSeries, UsageSummary


class AsyncUsage:
    """Counts calls, events, searches and tokens, in whole hours of UTC; it needs an admin key."""

    def __init__(self, calls: AsyncCalls) -> None:
        self._calls = calls

    async def summary(self, *, start: datetime | str | None = None, end: datetime | str | None = None) -> UsageSummary:
        """Every dimension from `start` on and before `end`, by default this month, with this very call counted."""
        return await self._calls.run(operations.summary(start=start, end=end))

    async def timeseries(
        self,
        *,
        granularity: Granularity = "day",
        dimension: Dimension | None = None,
        start: datetime | str | None = None,
        end: datetime | str | None = None,
    ) -> UsageSeries:
        """The same hour by hour or day by day, oldest first; spans without any are left out."""
        return await self._calls.run(
            operations.timeseries(granularity=granularity, dimension=dimension, start=start, end=end)
        )
