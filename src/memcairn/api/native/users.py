"""People, and all that belongs to them."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from memcairn.api.native.access import KeyedRoute, bearer, services_of
from memcairn.api.native.answers import answer
from memcairn.api.native.events import IdempotencyKey, Reader, Writer
from memcairn.api.native.views import session_view, user_view
from memcairn.core import users as core
from memcairn.core.idempotency import repeatable_request
from memcairn.core.sessions import list_sessions
from memcairn.wire import users as wire
from memcairn.wire.base import MAX_SESSION_PAGE
from memcairn.wire.sessions import SessionPage

router = APIRouter(prefix="/v1/users", tags=["users"], route_class=KeyedRoute, dependencies=[bearer])


@router.post("", status_code=201, operation_id="create_user", response_model=wire.User)
async def post_user(
    request: Request, body: wire.NewUser, principal: Writer, idempotency_key: IdempotencyKey = None
) -> Response:
    """Give an actor a profile, to which sessions can be linked."""
    services = services_of(request)
    repeatable = repeatable_request(idempotency_key, "POST /v1/users", await request.json())
    with services.in_flight.hold(principal, repeatable):
        made = await core.create_user(services.deps, principal, **body.model_dump(), repeatable=repeatable)
    return answer(user_view(made), 201)


@router.get("", operation_id="list_users", response_model=wire.UserPage)
async def get_users(
    request: Request,
    principal: Reader,
    limit: Annotated[int, Query(ge=1, le=MAX_SESSION_PAGE)] = 50,
    cursor: Annotated[str | None, Query(max_length=2_000)] = None,
) -> Response:
    """Users in the order they were made."""
    page = await core.list_users(services_of(request).deps, principal, limit=limit, cursor=cursor)
    return answer(wire.UserPage(items=[user_view(user) for user in page.items], next_cursor=page.next_cursor))


@router.get("/{user_id}", operation_id="get_user", response_model=wire.User)
async def get_user(request: Request, user_id: str, principal: Reader) -> Response:
    return answer(user_view(await core.get_user(services_of(request).deps, principal, user_id)))


@router.patch("/{user_id}", operation_id="update_user", response_model=wire.User)
async def patch_user(request: Request, user_id: str, body: wire.UserUpdate, principal: Writer) -> Response:
    """Change what is given and keep the rest; metadata is merged."""
    deps = services_of(request).deps
    return answer(user_view(await core.update_user(deps, principal, user_id, **body.model_dump())))


@router.delete("/{user_id}", operation_id="erase_user", response_model=wire.Receipt)
async def delete_user(request: Request, user_id: str, principal: Writer) -> Response:
    """Erase a user, with sessions, events and memories, at once and for good; answers how many rows that were."""
    counts = await core.erase_user(services_of(request).deps, principal, user_id)
    return answer(wire.Receipt(counts=dict(counts)))


@router.get("/{user_id}/sessions", operation_id="list_user_sessions", response_model=SessionPage)
async def get_user_sessions(
    request: Request,
    user_id: str,
    principal: Reader,
    limit: Annotated[int, Query(ge=1, le=MAX_SESSION_PAGE)] = 50,
    cursor: Annotated[str | None, Query(max_length=2_000)] = None,
) -> Response:
    """A user's sessions in the order they were made."""
    deps = services_of(request).deps
    await core.get_user(deps, principal, user_id)
    page = await list_sessions(deps, principal, user_id=user_id, limit=limit, cursor=cursor)
    return answer(SessionPage(items=[session_view(each) for each in page.items], next_cursor=page.next_cursor))
