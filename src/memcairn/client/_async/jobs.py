"""`client.jobs`: background work that is due, under way, or given up."""

from collections.abc import AsyncIterator

from memcairn.client._async.calls import AsyncCalls
from memcairn.client._operations import jobs as operations
from memcairn.wire.jobs import Job, JobPage, JobStatus


class AsyncJobs:
    """Shows what the worker has to do, and gives dead jobs another chance; finished jobs are gone."""

    def __init__(self, calls: AsyncCalls) -> None:
        self._calls = calls

    async def list(self, *, status: JobStatus | None = None, limit: int = 50, cursor: str | None = None) -> JobPage:
        """One page of at most `limit` (1 to 200) jobs; `cursor` is the `next_cursor` of the page before."""
        return await self._calls.run(operations.page(status=status, limit=limit, cursor=cursor))

    def list_all(self, *, status: JobStatus | None = None, page_size: int = 200) -> AsyncIterator[Job]:
        """Every job that matches, fetched page by page while it is iterated over."""
        return self._calls.items(lambda cursor: operations.page(status=status, limit=page_size, cursor=cursor))

    async def get(self, job_id: str) -> Job:
        """The job as it stands now; `NotFoundError` once it is finished."""
        return await self._calls.run(operations.get(job_id))

    async def retry(self, job_id: str) -> Job:
        """Queues a dead job once more. Never repeated by itself when the connection breaks."""
        return await self._calls.run(operations.retry(job_id))
