"""What sessions were about."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from memcairn.api.native.access import KeyedRoute, bearer, services_of
from memcairn.api.native.answers import answer
from memcairn.api.native.events import Reader
from memcairn.api.native.views import summary_view
from memcairn.core import summaries as core
from memcairn.wire import summaries as wire
from memcairn.wire.base import MAX_PAGE

router = APIRouter(prefix="/v1/sessions/{session_id}", tags=["sessions"], route_class=KeyedRoute, dependencies=[bearer])


@router.get("/summary", operation_id="get_summary", response_model=wire.LatestSummary)
async def get_summary(request: Request, session_id: str, principal: Reader) -> Response:
    """The summary that reaches furthest."""
    found = await core.latest_summary(services_of(request).deps, principal, session_id)
    return answer(wire.LatestSummary(summary=None if found is None else summary_view(found)))


@router.get("/summaries", operation_id="list_summaries", response_model=wire.SummaryPage)
async def get_summaries(
    request: Request,
    session_id: str,
    principal: Reader,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    cursor: Annotated[str | None, Query(max_length=2_000)] = None,
) -> Response:
    """Every summary of a session, the one that reaches furthest first."""
    page = await core.list_summaries(services_of(request).deps, principal, session_id, limit=limit, cursor=cursor)
    return answer(wire.SummaryPage(items=[summary_view(each) for each in page.items], next_cursor=page.next_cursor))
