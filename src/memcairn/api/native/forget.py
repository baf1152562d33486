"""Forgetting everything that came from a source."""

from dataclasses import asdict

from fastapi import APIRouter, Request, Response

from memcairn.api.native.access import KeyedRoute, bearer, services_of
from memcairn.api.native.answers import answer
from memcairn.api.native.events import Admin
from memcairn.core.forgetting import SourceFilter, forget_source
from memcairn.domain.trust import Channel, trust_named
from memcairn.wire.forget import ForgetRequest, Forgotten

router = APIRouter(prefix="/v1/forget", tags=["purge"], route_class=KeyedRoute, dependencies=[bearer])


@router.post("", operation_id="forget_source", response_model=Forgotten)
async def post_forget(request: Request, body: ForgetRequest, principal: Admin) -> Response:
    """Hide what came from a key, a door, a session or an actor, with everything derived from it alone."""
    where = SourceFilter(
        key_id=body.key_id,
        channel=None if body.channel is None else Channel(body.channel),
        session_id=body.session_id,
        actor_id=body.actor_id,
        max_trust=None if body.max_trust is None else trust_named(body.max_trust),
        received_after=body.received_after,
        received_before=body.received_before,
    )
    receipt = await forget_source(services_of(request).deps, principal, where, dry_run=body.dry_run)
    return answer(Forgotten(**asdict(receipt)))
