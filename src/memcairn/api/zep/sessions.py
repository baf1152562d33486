"""`/sessions`. There is no call that deletes a session: deleting its memory is that."""

from typing import Any

from starlette.responses import Response

from memcairn.api.zep.answers import as_json, as_json_list
from memcairn.api.zep.call import Call
from memcairn.api.zep.schemas import NewSession, SessionUpdate
from memcairn.api.zep.views import session_view
from memcairn.core import sessions as core
from memcairn.domain.errors import Invalid, NotFound

SYSTEM = "system"
"""The key of metadata that is the server's own: updates from outside leave it alone."""


async def add(call: Call) -> Response:
    """201; 400 when the session exists, deleted or not, or its user does not."""
    new = await call.body(NewSession)
    try:
        session = await core.create_session(
            call.deps, call.principal, new.session_id, user_id=new.user_id, metadata=new.metadata
        )
    except NotFound as error:  # 404 would speak of the session
        raise Invalid(error.message, code=error.code) from None
    return as_json(session_view(session), 201)


async def get(call: Call) -> Response:
    return as_json(session_view(await core.get_session(call.deps, call.principal, call.path("session_id"))))


async def update(call: Call) -> Response:
    """Merges metadata; brings a deleted session back, without its messages, even when there is nothing to merge."""
    given = (await call.body(SessionUpdate)).metadata
    metadata = without_system(given)
    session = await core.update_session(call.deps, call.principal, call.path("session_id"), metadata=metadata or None)
    return as_json(session_view(session))


async def list_all(call: Call) -> Response:
    """Live sessions whose number is above the cursor, ascending; without a limit all of them."""
    after, limit = max(0, call.number("cursor") or 0), call.count()
    found = await core.sessions_after(call.deps, call.principal, after_number=after, limit=limit)
    return await as_json_list(found, session_view)


def without_system(metadata: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if metadata is None else {key: value for key, value in metadata.items() if key != SYSTEM}
