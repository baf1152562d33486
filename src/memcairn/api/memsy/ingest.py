"""`/ingest`, `/status` and `/clear`: events on their way in, what became of them, and taking a conversation back."""

from starlette.responses import JSONResponse, Response

from memcairn.api.memsy.call import Call, fitting
from memcairn.api.memsy.errors import RefusalError, invalid
from memcairn.api.memsy.schemas import Event, Events, StatusQuestion
from memcairn.api.memsy.values import Json, metadata_of
from memcairn.core.ingest import EventState, ingest, statuses
from memcairn.core.sessions import delete_session
from memcairn.domain.events import MAX_ID_CHARS, EventStatus, NewEvent

NOT_FOUND = "not_found"
_NAME = "name"
"""The key of metadata under which a string is the name of who spoke."""


async def post_events(call: Call) -> Response:
    """All or none, and ids in order; an event equal to one of the last minute has the id of that."""
    body = await call.object()
    guard_org(call, body)
    given = fitting(Events, body).events
    for index, event in enumerate(given):
        if len(event.content) > call.terms.content_chars:
            raise invalid(
                f"events.{index}.content holds {len(event.content)} characters; {call.terms.content_chars} is the most."
            )
    new_events = [_new_event(event) for event in given]
    event_ids = await ingest(call.deps, call.principal, new_events, timeless=True) if new_events else []
    return JSONResponse({"event_ids": event_ids})


async def post_status(call: Call) -> Response:
    """Every id sent stands in one of three lists, as often as it was sent; unknown ones among the failed."""
    asked = (await call.body(StatusQuestion)).event_ids
    states = await statuses(call.deps, call.principal, asked)
    words = {state.event_id: _word(state) for state in states}
    lists: Json = {"completedIds": [], "failedIds": [], "pendingIds": []}
    for event_id in asked:
        lists[_LIST_BY_WORD[words[event_id]]].append(event_id)
    return JSONResponse(lists | {"total": len(asked), "statuses": words})


async def delete_container(call: Call) -> Response:
    """Hide a session with everything said in it and what rests on that alone; answers how many events that were."""
    return JSONResponse({"deleted": await delete_session(call.deps, call.principal, call.path("container_tag"))})


def guard_org(call: Call, body: Json) -> None:
    """The org is the key's: a body that names another is refused, and on the free plan one that names any."""
    named = [body["org_id"]] if "org_id" in body else []
    events = body.get("events")
    if isinstance(events, list):
        named += [event["org_id"] for event in events if isinstance(event, dict) and "org_id" in event]
    for org_id in named:
        if call.terms.refuses_org_id:
            raise RefusalError(400, "org_id_not_allowed", "The org is the key's own; leave `org_id` out.")
        if org_id is not None and not isinstance(org_id, str):
            raise invalid("`org_id` must be a string.")
        call.check_org(org_id)


def _new_event(event: Event) -> NewEvent:
    metadata = metadata_of(event.metadata)
    return NewEvent(
        actor_id=event.actor_id,
        session_id=event.session_id,
        kind=event.kind,
        content=event.content,
        name=_speaker(metadata),
        occurred_at=event.ts,
        metadata=metadata,
        role_id=event.role_id,
        team_id=event.team_id,
    )


def _speaker(metadata: Json) -> str | None:
    name = metadata.get(_NAME)
    if not isinstance(name, str) or not name.strip() or len(name.strip()) > MAX_ID_CHARS:
        return None
    return name.strip()


_LIST_BY_WORD = {
    EventStatus.COMPLETED.value: "completedIds",
    EventStatus.PENDING.value: "pendingIds",
    EventStatus.FAILED.value: "failedIds",
    NOT_FOUND: "failedIds",
}


def _word(state: EventState) -> str:
    return NOT_FOUND if state.status is None else state.status.value
