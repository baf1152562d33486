"""Clearing a conversation."""

from fastapi import APIRouter, Request, Response

from memcairn.api.native.access import KeyedRoute, bearer, services_of
from memcairn.api.native.answers import answer
from memcairn.api.native.events import Writer
from memcairn.core.sessions import delete_session
from memcairn.wire.clear import Cleared

router = APIRouter(prefix="/v1/clear", tags=["sessions"], route_class=KeyedRoute, dependencies=[bearer])


@router.delete("/{container_tag}", operation_id="clear", response_model=Cleared)
async def delete_container(request: Request, container_tag: str, principal: Writer) -> Response:
    """Hide a conversation, named by its session id, with its events and what rests on them alone; how many were there.

    A second time it is not found.
    """
    hidden = await delete_session(services_of(request).deps, principal, container_tag)
    return answer(Cleared(deleted=hidden))
