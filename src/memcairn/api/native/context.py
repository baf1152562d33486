"""A block for the prompt of an agent."""

import time

from fastapi import APIRouter, Request, Response

from memcairn.api.native.access import KeyedRoute, bearer, services_of
from memcairn.api.native.answers import answer
from memcairn.api.native.events import Reader
from memcairn.api.native.views import event_view, hit_view, summary_view
from memcairn.core.context import ContextOptions, build_context
from memcairn.domain.trust import trust_named
from memcairn.wire.context import ContextRequest, ContextResponse

router = APIRouter(prefix="/v1/context", tags=["context"], route_class=KeyedRoute, dependencies=[bearer])


@router.post("", operation_id="build_context", response_model=ContextResponse, responses={404: {}})
async def post_context(request: Request, body: ContextRequest, principal: Reader) -> Response:
    """Summary, newest messages and relevant memories of a session, within a budget of tokens, framed as quotations."""
    started = time.perf_counter()
    services = services_of(request)
    found = await build_context(
        services.deps,
        services.recalls,
        principal,
        session_id=body.session_id,
        actor_id=body.actor_id,
        query=body.query,
        token_budget=body.token_budget,
        options=ContextOptions(
            message_limit=body.message_limit,
            memory_limit=body.memory_limit,
            threshold=body.threshold,
            include_summary=body.include_summary,
            role_ids=body.role_ids,
            team_ids=body.team_ids,
            min_trust=None if body.min_trust is None else trust_named(body.min_trust),
        ),
    )
    now = services.deps.clock.now()
    return answer(
        ContextResponse(
            session_id=found.session_id,
            actor_id=found.actor_id,
            query=found.query,
            text=found.text,
            token_count=found.token_count,
            summary=None if found.summary is None else summary_view(found.summary),
            messages=[event_view(event) for event in found.messages],
            memories=[hit_view(hit, now) for hit in found.memories],
            summary_id=None if found.summary is None else found.summary.summary_id,
            event_ids=[event.event_id for event in found.messages],
            memory_ids=[hit.memory.memory_id for hit in found.memories if hit.memory is not None],
            took_ms=round((time.perf_counter() - started) * 1000, 3),
        )
    )
