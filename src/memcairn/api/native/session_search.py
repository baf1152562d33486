"""Searching in one conversation."""

from fastapi import APIRouter, Request, Response

from memcairn.api.native.access import KeyedRoute, bearer, services_of
from memcairn.api.native.answers import answer
from memcairn.api.native.events import Reader
from memcairn.api.native.views import event_view, summary_view
from memcairn.core.conversation_search import SessionHit, search_session
from memcairn.domain.filters import parse_filter
from memcairn.wire import session_search as wire

router = APIRouter(prefix="/v1/sessions", tags=["sessions"], route_class=KeyedRoute, dependencies=[bearer])


@router.post("/{session_id}/search", operation_id="search_session", response_model=wire.SessionSearchResponse)
async def post_search(
    request: Request, session_id: str, body: wire.SessionSearchRequest, principal: Reader
) -> Response:
    """The messages or summaries of a session that are nearest to a text, or that fulfil a filter."""
    hits = await search_session(
        services_of(request).deps,
        principal,
        session_id,
        text=body.text,
        filter=None if body.metadata is None else parse_filter(body.metadata),
        scope=body.scope,
        mmr=body.mmr,
        mmr_lambda=body.mmr_lambda,
        limit=body.limit,
        start=body.start,
        end=body.end,
    )
    return answer(wire.SessionSearchResponse(hits=[_view(hit) for hit in hits]))


def _view(hit: SessionHit) -> wire.SessionHit:
    return wire.SessionHit(
        message=None if hit.event is None else event_view(hit.event),
        summary=None if hit.summary is None else summary_view(hit.summary),
        similarity=round(hit.similarity, 4),
    )
