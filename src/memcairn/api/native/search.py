"""Asking."""

import time

from fastapi import APIRouter, Request, Response

from memcairn.api.native.access import KeyedRoute, bearer, services_of
from memcairn.api.native.answers import answer
from memcairn.api.native.events import Reader
from memcairn.api.native.views import hit_view
from memcairn.core.search import SearchQuery, search
from memcairn.domain.filters import parse_filter
from memcairn.wire.search import SearchRequest, SearchResponse

router = APIRouter(prefix="/v1/search", tags=["search"], route_class=KeyedRoute, dependencies=[bearer])


@router.post("", operation_id="search_memories", response_model=SearchResponse)
async def post_search(request: Request, body: SearchRequest, principal: Reader) -> Response:
    """The best memories for a question, with what they rest on."""
    started = time.perf_counter()
    services = services_of(request)
    values = {name: getattr(body, name) for name in SearchRequest.model_fields if name not in {"query", "metadata"}}
    values["filter"] = None if body.metadata is None else parse_filter(body.metadata)
    hits = await search(services.deps, services.recalls, principal, SearchQuery(text=body.query, **values))
    now = services.deps.clock.now()
    took_ms = round((time.perf_counter() - started) * 1000, 3)
    return answer(SearchResponse(hits=[hit_view(hit, now) for hit in hits], took_ms=took_ms))
