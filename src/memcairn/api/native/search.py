"""Asking."""

import time

from fastapi import APIRouter, Request, Response

from memcairn.api.native.access import KeyedRoute, bearer, services_of
from memcairn.api.native.answers import answer, answer_of
from memcairn.api.native.events import Reader
from memcairn.api.native.views import fields_of_hit, why_view
from memcairn.core.search import SearchQuery, search
from memcairn.core.why import why
from memcairn.domain.filters import parse_filter
from memcairn.domain.trust import trust_named
from memcairn.wire.search import SearchRequest, SearchResponse, WhyRequest, WhyResponse

router = APIRouter(prefix="/v1/search", tags=["search"], route_class=KeyedRoute, dependencies=[bearer])


@router.post("", operation_id="search_memories", response_model=SearchResponse)
async def post_search(request: Request, body: SearchRequest, principal: Reader) -> Response:
    """The best memories for a question, with what they rest on."""
    started = time.perf_counter()
    services = services_of(request)
    hits = await search(services.deps, services.recalls, principal, _query_of(body))
    now = services.deps.clock.now()
    took_ms = round((time.perf_counter() - started) * 1000, 3)
    return answer_of({"hits": [fields_of_hit(hit, now) for hit in hits], "took_ms": took_ms})


@router.post("/why", operation_id="explain_search", response_model=WhyResponse, responses={404: {}})
async def post_why(request: Request, body: WhyRequest, principal: Reader) -> Response:
    """Where a search lost a memory, and where the memory stands in it."""
    started = time.perf_counter()
    found = await why(services_of(request).deps, principal, _query_of(body), body.memory_id)
    return answer(why_view(found, took_ms=round((time.perf_counter() - started) * 1000, 3)))


_TAKEN_OVER = {
    model: tuple(model.model_fields.keys() - {"query", "metadata", "memory_id", "min_trust"})
    for model in (SearchRequest, WhyRequest)
}
"""The fields of a request that mean the same in `SearchQuery`."""


def _query_of(body: SearchRequest | WhyRequest) -> SearchQuery:
    where = None if body.metadata is None else parse_filter(body.metadata)
    values = {name: getattr(body, name) for name in _TAKEN_OVER[type(body)]}
    least = None if body.min_trust is None else trust_named(body.min_trust)
    return SearchQuery(text=body.query, filter=where, min_trust=least, **values)
