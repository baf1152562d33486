"""Saying things, and asking what became of them."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from memcairn.api.native.access import KeyedRoute, bearer, needs, services_of
from memcairn.api.native.answers import answer
from memcairn.api.native.views import event_view
from memcairn.core.events import EventFilter, list_events
from memcairn.core.idempotency import repeatable_request
from memcairn.core.ingest import EventState, ingest, statuses, wait_until_processed
from memcairn.domain.events import EventKind, NewEvent
from memcairn.domain.keys import KeyScope, Principal
from memcairn.wire import events as wire
from memcairn.wire.base import MAX_ID_CHARS, MAX_PAGE

router = APIRouter(prefix="/v1/events", tags=["events"], route_class=KeyedRoute, dependencies=[bearer])

Reader = Annotated[Principal, Depends(needs(KeyScope.READ))]
Writer = Annotated[Principal, Depends(needs(KeyScope.WRITE))]
Admin = Annotated[Principal, Depends(needs(KeyScope.ADMIN))]
IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key")]
IdFilter = Annotated[str | None, Query(min_length=1, max_length=MAX_ID_CHARS)]


@router.post("", status_code=202, operation_id="ingest_events", response_model=wire.IngestResponse)
async def post_events(
    request: Request,
    body: wire.IngestRequest,
    principal: Writer,
    wait: Annotated[bool, Query(description="Answer when the events are processed.")] = False,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Store up to 1,000 events in one durable transaction; they are searchable from the answer on."""
    services = services_of(request)
    repeatable = repeatable_request(idempotency_key, "POST /v1/events", await request.json())
    with services.in_flight.hold(principal, repeatable):
        new_events = [_new_event(event) for event in body.events]
        event_ids = await ingest(services.deps, principal, new_events, repeatable=repeatable)
    states = None
    if wait:
        found = await wait_until_processed(services.deps, principal, event_ids)
        states = {state.event_id: _state(state).status for state in found}
    return answer(wire.IngestResponse(event_ids=event_ids, statuses=states), 202)


@router.post("/status", operation_id="get_event_statuses", response_model=wire.StatusResponse)
async def post_status(request: Request, body: wire.StatusRequest, principal: Reader) -> Response:
    """How far each event got."""
    found = await statuses(services_of(request).deps, principal, body.event_ids)
    return answer(wire.StatusResponse(events=[_state(state) for state in found]))


@router.get("", operation_id="list_events", response_model=wire.EventPage)
async def get_events(
    request: Request,
    principal: Reader,
    session_id: IdFilter = None,
    actor_id: IdFilter = None,
    kind: wire.Kind | None = None,
    status: wire.Status | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    cursor: Annotated[str | None, Query(max_length=2_000)] = None,
) -> Response:
    """The log, oldest first."""
    where = EventFilter(session_id=session_id, actor_id=actor_id, kind=kind, status=status)
    page = await list_events(services_of(request).deps, principal, where, limit=limit, cursor=cursor)
    items = [event_view(event) for event in page.items]
    return answer(wire.EventPage(items=items, next_cursor=page.next_cursor))


def _new_event(event: wire.NewEvent) -> NewEvent:
    return NewEvent(
        actor_id=event.actor_id,
        session_id=event.session_id,
        kind=EventKind(event.kind),
        content=event.content,
        name=event.name,
        role=event.role,
        occurred_at=event.occurred_at,
        metadata=event.metadata,
        role_id=event.role_id,
        team_id=event.team_id,
        event_id=event.event_id,
    )


def _state(state: EventState) -> wire.EventState:
    status = "not_found" if state.status is None else state.status.value
    return wire.EventState(event_id=state.event_id, status=status, error=state.error)
