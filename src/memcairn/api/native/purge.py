"""Removing for good what was deleted."""

from datetime import timedelta

from fastapi import APIRouter, Request, Response

from memcairn.api.native.access import KeyedRoute, bearer, services_of
from memcairn.api.native.answers import answer
from memcairn.api.native.events import Admin
from memcairn.core.purge import purge
from memcairn.wire.purge import PurgeRequest, PurgeResponse

router = APIRouter(prefix="/v1/purge", tags=["purge"], route_class=KeyedRoute, dependencies=[bearer])


@router.post("", operation_id="purge", response_model=PurgeResponse)
async def post_purge(request: Request, principal: Admin, body: PurgeRequest | None = None) -> Response:
    """Remove the org's deleted rows now, and answer when they are gone; other requests go on meanwhile."""
    older_than = timedelta(seconds=0 if body is None else body.older_than_seconds)
    report = await purge(services_of(request).deps, older_than=older_than, org_id=principal.org_id)
    return answer(PurgeResponse(counts=dict(report.counts), wiped=report.wiped))
