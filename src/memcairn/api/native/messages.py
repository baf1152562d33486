"""What is said in a conversation."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from memcairn.api.native.access import KeyedRoute, bearer, services_of
from memcairn.api.native.answers import answer
from memcairn.api.native.events import IdempotencyKey, Reader, Writer
from memcairn.api.native.views import event_view
from memcairn.core import messages as core
from memcairn.core.idempotency import repeatable_request
from memcairn.domain.conversations import NewMessage
from memcairn.wire import messages as wire
from memcairn.wire.base import MAX_PAGE
from memcairn.wire.events import Event

router = APIRouter(
    prefix="/v1/sessions/{session_id}/messages", tags=["messages"], route_class=KeyedRoute, dependencies=[bearer]
)


@router.post("", status_code=201, operation_id="add_messages", response_model=wire.AddMessagesResponse)
async def post_messages(
    request: Request,
    session_id: str,
    body: wire.AddMessagesRequest,
    principal: Writer,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Store up to 1,000 messages in one durable transaction; the session begins to exist, or comes back, with them."""
    services = services_of(request)
    sent = None if idempotency_key is None else [session_id, await request.json()]
    repeatable = repeatable_request(idempotency_key, "POST /v1/sessions/{session_id}/messages", sent)
    with services.in_flight.hold(principal, repeatable):
        said = [_new_message(each) for each in body.messages]
        ids = await core.add_messages(services.deps, principal, session_id, said, repeatable=repeatable)
    return answer(wire.AddMessagesResponse(message_ids=ids), 201)


@router.get("", operation_id="list_messages", response_model=wire.MessagePage)
async def get_messages(
    request: Request,
    session_id: str,
    principal: Reader,
    last: Annotated[int | None, Query(ge=1, le=MAX_PAGE, description="Only the newest so many.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    cursor: Annotated[str | None, Query(max_length=2_000)] = None,
) -> Response:
    """Messages, oldest first: page by page, or only the last ones."""
    deps = services_of(request).deps
    if last is not None:
        newest = await core.last_messages(deps, principal, session_id, last)
        return answer(wire.MessagePage(items=[event_view(event) for event in newest]))
    page = await core.list_messages(deps, principal, session_id, limit=limit, cursor=cursor)
    return answer(wire.MessagePage(items=[event_view(event) for event in page.items], next_cursor=page.next_cursor))


@router.get("/{message_id}", operation_id="get_message", response_model=Event)
async def get_message(request: Request, session_id: str, message_id: str, principal: Reader) -> Response:
    deps = services_of(request).deps
    return answer(event_view(await core.get_message(deps, principal, session_id, message_id)))


@router.patch("/{message_id}", operation_id="update_message", response_model=Event)
async def patch_message(
    request: Request, session_id: str, message_id: str, body: wire.MessageUpdate, principal: Writer
) -> Response:
    """Merge metadata; what was said does not change."""
    deps = services_of(request).deps
    changed = await core.update_message_metadata(deps, principal, session_id, message_id, metadata=body.metadata)
    return answer(event_view(changed))


@router.delete("/{message_id}", status_code=204, operation_id="delete_message")
async def delete_message(request: Request, session_id: str, message_id: str, principal: Writer) -> Response:
    """Hide a message with all that rests on it alone; a second time it is not found."""
    await core.delete_message(services_of(request).deps, principal, session_id, message_id)
    return Response(status_code=204)


@router.post("/{message_id}/restore", operation_id="restore_message", response_model=Event)
async def post_restore(request: Request, session_id: str, message_id: str, principal: Writer) -> Response:
    """Bring a deleted message back; possible until the purge."""
    deps = services_of(request).deps
    return answer(event_view(await core.restore_message(deps, principal, session_id, message_id)))


@router.post("/{message_id}/hold", operation_id="hold_message", response_model=wire.Hold)
async def post_hold(
    request: Request, session_id: str, message_id: str, body: wire.HoldRequest, principal: Writer
) -> Response:
    """Keep a message from the purge, or leave it to the purge again."""
    deps = services_of(request).deps
    message = await core.hold_message(deps, principal, session_id, message_id, held=body.held)
    return answer(wire.Hold(message_id=message.event_id, held=body.held, deleted_at=message.deleted_at))


def _new_message(message: wire.NewMessage) -> NewMessage:
    return NewMessage(
        role=message.role,
        content=message.content,
        name=message.name,
        metadata=message.metadata,
        message_id=message.message_id,
        occurred_at=message.occurred_at,
        token_count=message.token_count,
    )
