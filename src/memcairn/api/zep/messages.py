"""`/sessions/{session_id}/messages`."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import Response

from memcairn.api.zep.answers import as_json, as_json_list
from memcairn.api.zep.call import Call
from memcairn.api.zep.schemas import MessageUpdate
from memcairn.api.zep.sessions import without_system
from memcairn.api.zep.values import canonical_uuid
from memcairn.api.zep.views import message_view
from memcairn.core import messages as core
from memcairn.domain.errors import Invalid, NotFound
from memcairn.domain.events import Event

FIELDS = frozenset({"uuid", "created_at", "updated_at", "role", "content", "metadata", "token_count"})
"""What a message is made of; an update that names none of them is taken for the metadata itself."""


async def list_page(call: Call) -> Response:
    """Oldest first; `cursor` is the number of a page of `limit` messages, the first when it cannot be read."""
    size = call.count()
    page = _page_number(call) if size is not None else 1
    try:
        found = await core.message_page(call.deps, call.principal, call.path("session_id"), page=page, size=size)
    except NotFound:
        found = core.MessagePage([], 0)

    def page_of(shown: list[Any]) -> dict[str, Any]:
        return {"messages": shown, "total_count": found.total, "row_count": len(shown)}

    return await as_json_list(found.items, message_view, within=page_of)


async def get(call: Call) -> Response:
    async def load(message_id: str) -> Event:
        return await core.get_message(call.deps, call.principal, call.path("session_id"), message_id)

    return as_json(message_view(await _by_uuid(call.path("message_id"), load)))


async def update(call: Call) -> Response:
    """Merges metadata and nothing else."""
    metadata = _metadata_in((await call.body(MessageUpdate)).root)

    async def merge(message_id: str) -> Event:
        session_id = call.path("session_id")
        if not metadata:
            return await core.get_message(call.deps, call.principal, session_id, message_id)
        return await core.update_message_metadata(call.deps, call.principal, session_id, message_id, metadata=metadata)

    return as_json(message_view(await _by_uuid(call.path("message_id"), merge)))


def _page_number(call: Call) -> int:
    try:
        return max(1, call.number("cursor") or 1)
    except Invalid:
        return 1


async def _by_uuid(text: str, act: Callable[[str], Awaitable[Event]]) -> Event:
    """Acts on the message of that UUID. Events of other doors may have ids that are none, and are found as well."""
    try:
        message_id = canonical_uuid(text)
    except ValueError as error:
        try:
            return await act(text)
        except NotFound:
            raise Invalid(f"The message id must be a UUID: {error}.") from None
    return await act(message_id)


def _metadata_in(body: dict[str, Any]) -> dict[str, Any]:
    """What to merge: clients send their caller's dictionary as it is, documented as `{"metadata": {…}}`."""
    given = body if FIELDS.isdisjoint(body) else body.get("metadata") or {}
    if not isinstance(given, dict):
        raise Invalid("The metadata of a message must be an object.")
    return without_system(given) or {}
