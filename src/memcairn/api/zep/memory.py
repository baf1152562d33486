"""`/sessions/{session_id}/memory`: what is said, and the newest of it with a summary of the rest."""

from datetime import datetime

from starlette.responses import Response

from memcairn.api.zep.answers import as_json_list, ok
from memcairn.api.zep.call import Call
from memcairn.api.zep.schemas import Memory, Message
from memcairn.api.zep.sessions import SYSTEM
from memcairn.api.zep.values import moment
from memcairn.api.zep.views import message_view, summary_view
from memcairn.core import messages, sessions, summaries
from memcairn.core.counting import token_counts
from memcairn.domain.conversations import NewMessage
from memcairn.domain.errors import Invalid
from memcairn.domain.events import MAX_ID_CHARS


async def add(call: Call) -> Response:
    """Adds messages, or replaces those whose uuid the session knows; makes or revives the session, also for none."""
    given = await call.body(Memory)
    session_id = call.path("session_id")
    if len(session_id) > MAX_ID_CHARS:
        raise Invalid(f"The session id is longer than {MAX_ID_CHARS} characters.")
    # a message's tokens are those of the line a prompt shows it as
    counts = await token_counts(call.deps, [f"{message.role}: {message.content}" for message in given.messages])
    new = [_new_message(message, count) for message, count in zip(given.messages, counts, strict=True)]
    await messages.add_messages(call.deps, call.principal, session_id, new, reserved={SYSTEM})
    return ok()


async def get(call: Call) -> Response:
    """The last `lastn` messages; without it those behind the newest summary, at most a window full. Oldest first."""
    wanted = call.count("lastn")
    session_id = call.path("session_id")
    # first the summary: one made in between must not take messages away that no summary here covers
    summary = await summaries.latest_summary(call.deps, call.principal, session_id)
    last = await messages.last_messages(call.deps, call.principal, session_id, wanted or call.deps.summary_window)
    if summary is not None and wanted is None:
        last = [event for event in last if event.position > summary.up_to_position]
    beside = {} if summary is None else {"summary": summary_view(summary)}
    return await as_json_list(last, message_view, within=lambda shown: {"messages": shown} | beside)


async def delete(call: Call) -> Response:
    """Deletes the session with everything in it."""
    await sessions.delete_session(call.deps, call.principal, call.path("session_id"))
    return ok()


def _new_message(message: Message, token_count: int) -> NewMessage:
    return NewMessage(
        role=message.role,
        content=message.content,
        metadata=message.metadata or {},
        message_id=message.uuid,
        occurred_at=_said_at(message.created_at),
        token_count=token_count,
    )


def _said_at(created_at: object) -> datetime | None:
    """When the client says it was said: never shown as the row's own time, but dates in the text start from it.

    Year 1 is how Zep's own language writes a time that nobody set.
    """
    try:
        said_at = moment(created_at) if isinstance(created_at, str) else None
    except ValueError:
        return None
    return said_at if said_at is not None and said_at.year > 1 else None
