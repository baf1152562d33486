"""Conversations."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from memcairn.api.native.access import KeyedRoute, bearer, services_of
from memcairn.api.native.answers import answer
from memcairn.api.native.events import IdempotencyKey, IdFilter, Reader, Writer
from memcairn.api.native.views import session_view
from memcairn.core import sessions as core
from memcairn.core.idempotency import repeatable_request
from memcairn.domain.errors import Invalid
from memcairn.domain.filters import Filter, parse_filter
from memcairn.wire import sessions as wire
from memcairn.wire.base import MAX_SESSION_PAGE

router = APIRouter(prefix="/v1/sessions", tags=["sessions"], route_class=KeyedRoute, dependencies=[bearer])


@router.post("", status_code=201, operation_id="create_session", response_model=wire.Session, responses={404: {}})
async def post_session(
    request: Request, body: wire.NewSession, principal: Writer, idempotency_key: IdempotencyKey = None
) -> Response:
    """Make a session before anything is said in it: to link it to a user, or to give it metadata."""
    services = services_of(request)
    repeatable = repeatable_request(idempotency_key, "POST /v1/sessions", await request.json())
    with services.in_flight.hold(principal, repeatable):
        made = await core.create_session(
            services.deps,
            principal,
            body.session_id,
            user_id=body.user_id,
            metadata=body.metadata,
            repeatable=repeatable,
        )
    return answer(session_view(made), 201)


@router.get("", operation_id="list_sessions", response_model=wire.SessionPage)
async def get_sessions(
    request: Request,
    principal: Reader,
    user_id: IdFilter = None,
    metadata: Annotated[
        str | None, Query(max_length=20_000, description="A metadata filter, as JSON.", examples=["{}"])
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_SESSION_PAGE)] = 50,
    cursor: Annotated[str | None, Query(max_length=2_000)] = None,
) -> Response:
    """Sessions in the order they were made."""
    page = await core.list_sessions(
        services_of(request).deps,
        principal,
        user_id=user_id,
        metadata=None if metadata is None else _filter(metadata),
        limit=limit,
        cursor=cursor,
    )
    return answer(wire.SessionPage(items=[session_view(each) for each in page.items], next_cursor=page.next_cursor))


@router.get("/{session_id}", operation_id="get_session", response_model=wire.Session)
async def get_session(request: Request, session_id: str, principal: Reader) -> Response:
    return answer(session_view(await core.get_session(services_of(request).deps, principal, session_id)))


@router.patch("/{session_id}", operation_id="update_session", response_model=wire.Session)
async def patch_session(request: Request, session_id: str, body: wire.SessionUpdate, principal: Writer) -> Response:
    """Merge metadata. A deleted session comes back by it, without what was said in it."""
    deps = services_of(request).deps
    return answer(session_view(await core.update_session(deps, principal, session_id, metadata=body.metadata)))


@router.delete("/{session_id}", operation_id="delete_session", response_model=wire.SessionDeleted)
async def delete_session(request: Request, session_id: str, principal: Writer) -> Response:
    """Hide a session with all that was said in it and all that rests on that alone; a second time it is not found."""
    hidden = await core.delete_session(services_of(request).deps, principal, session_id)
    return answer(wire.SessionDeleted(messages=hidden))


def _filter(text: str) -> Filter:
    try:
        raw: Any = json.loads(text)
    except (ValueError, RecursionError):
        raw = None
    if not isinstance(raw, dict):
        raise Invalid(
            'The filter `metadata` must be a JSON object, such as {"jsonpath": "$ ? (@.topic == \\"travel\\")"}.',
            code="invalid_filter",
            pointer="metadata",
        )
    return parse_filter(raw, pointer="metadata")
