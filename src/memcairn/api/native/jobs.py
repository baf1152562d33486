"""Background work."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from memcairn.api.native.access import KeyedRoute, bearer, services_of
from memcairn.api.native.answers import answer
from memcairn.api.native.events import Reader, Writer
from memcairn.api.native.views import job_view
from memcairn.core import jobs as core
from memcairn.wire import jobs as wire
from memcairn.wire.base import MAX_PAGE

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=KeyedRoute, dependencies=[bearer])


@router.get("", operation_id="list_jobs", response_model=wire.JobPage)
async def get_jobs(
    request: Request,
    principal: Reader,
    status: wire.JobStatus | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    cursor: Annotated[str | None, Query(max_length=2_000)] = None,
) -> Response:
    """What is due, under way or dead, oldest first."""
    deps = services_of(request).deps
    page = await core.list_jobs(deps, principal, status=status, limit=limit, cursor=cursor)
    return answer(wire.JobPage(items=[job_view(job) for job in page.items], next_cursor=page.next_cursor))


@router.get("/{job_id}", operation_id="get_job", response_model=wire.Job)
async def get_job(request: Request, job_id: str, principal: Reader) -> Response:
    return answer(job_view(await core.get_job(services_of(request).deps, principal, job_id)))


@router.post("/{job_id}/retry", operation_id="retry_job", response_model=wire.Job)
async def post_retry(request: Request, job_id: str, principal: Writer) -> Response:
    """Give a dead job a new set of attempts."""
    return answer(job_view(await core.retry_job(services_of(request).deps, principal, job_id)))
