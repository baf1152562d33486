"""`/user`. Deleting one erases everything of theirs at once and for good; the id is free again."""

from starlette.responses import Response

from memcairn.api.zep.answers import as_json, as_json_list, ok
from memcairn.api.zep.call import Call
from memcairn.api.zep.schemas import NewUser, UserUpdate
from memcairn.api.zep.views import session_view, user_view
from memcairn.core import sessions, users
from memcairn.domain.errors import NotFound


async def add(call: Call) -> Response:
    new = await call.body(NewUser)
    user = await users.create_user(call.deps, call.principal, **new.model_dump())
    return as_json(user_view(user), 201)


async def get(call: Call) -> Response:
    return as_json(user_view(await users.get_user(call.deps, call.principal, call.path("user_id"))))


async def update(call: Call) -> Response:
    """Merges metadata, `system` included; a field that is absent or empty stays as it is."""
    given = await call.body(UserUpdate)
    changes = given.model_dump() | {"metadata": given.metadata or None}
    user = await users.update_user(call.deps, call.principal, call.path("user_id"), **changes)
    return as_json(user_view(user))


async def delete(call: Call) -> Response:
    await users.erase_user(call.deps, call.principal, call.path("user_id"))
    return ok()


async def list_all(call: Call) -> Response:
    """Users whose number is above the cursor, ascending; without a limit all of them."""
    after, limit = max(0, call.number("cursor") or 0), call.count()
    found = await users.users_after(call.deps, call.principal, after_number=after, limit=limit)
    return await as_json_list(found, user_view)


async def list_sessions(call: Call) -> Response:
    """The user's live sessions by number; of an unknown user there are none."""
    try:
        found = await sessions.sessions_after(call.deps, call.principal, limit=None, user_id=call.path("user_id"))
    except NotFound:
        found = []
    return await as_json_list(found, session_view)
