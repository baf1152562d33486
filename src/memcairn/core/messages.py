"""Messages: the events of a session, added, read, changed, hidden and brought back."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from memcairn.core import cursors
from memcairn.core.adding import Adding, counted, given_ids
from memcairn.core.counting import token_counts
from memcairn.core.deletion import forget_summaries, hide_events, prepared_for
from memcairn.core.deps import Deps
from memcairn.core.events import EventPage
from memcairn.core.idempotency import Repeatable, once
from memcairn.core.indexing import Prepared
from memcairn.core.ingest import work_for
from memcairn.core.promotion import recheck_message
from memcairn.core.sessions import require_session
from memcairn.domain.claims import PRIVATE
from memcairn.domain.conversations import NewMessage
from memcairn.domain.errors import NotFound
from memcairn.domain.events import Event, EventStatus
from memcairn.domain.keys import KeyScope, Principal
from memcairn.domain.merge import merge
from memcairn.domain.usage import Dimension
from memcairn.store import events, jobs, locks, sessions

AT_A_GLANCE = 20
"""So many messages take a file less time than it takes to ask another thread for them."""


@dataclass(frozen=True, slots=True)
class MessagePage:
    """A numbered page, oldest first, and how many messages the session has."""

    items: Sequence[Event]
    total: int


async def add_messages(
    deps: Deps,
    principal: Principal,
    session_id: str,
    messages: Sequence[NewMessage],
    *,
    repeatable: Repeatable | None = None,
    reserved: Collection[str] = (),
) -> list[str]:
    """Add messages to a session, all or none; returns their ids in order, after the commit is synced.

    A session nobody has made yet is made, a deleted one comes back, also for no messages at all. A message that
    carries the id of an earlier one of this session takes its place: role, name and content are replaced, metadata is
    merged, and what was derived from the old words goes; one that was deleted stays deleted. The id of an event in
    another session is a Conflict. `reserved` names keys of metadata that new messages bring and earlier ones keep.
    """
    principal.require(KeyScope.WRITE)
    org_id = principal.org_id
    deps.meter.require_room(org_id, len(messages), deps.clock.now())
    counts = await token_counts(deps, [message.content for message in messages])
    said = [counted(message, count) for message, count in zip(messages, counts, strict=True)]
    given = given_ids(said)
    prepared: Mapping[str, Prepared] = {}
    if given:
        prepared = await prepared_for(deps, org_id, lambda connection: _existing_ids(connection, org_id, given))
    stored = 0

    def save(connection: Connection) -> Any:
        nonlocal stored
        stored = 0
        if given:
            locks.reworking(connection, org_id)

        def effect() -> list[str]:
            nonlocal stored
            adding = Adding(connection, deps, principal, session_id, prepared, deps.clock.now(), reserved)
            ids = adding.add(said)
            stored = adding.stored
            return ids

        return once(connection, deps, principal, repeatable, effect)

    message_ids: list[str] = await deps.db.write(save)
    deps.metrics.events_ingested(stored, collapsed=0)
    deps.meter.note(principal, Dimension.EVENTS_INGESTED, stored, deps.clock.now())
    deps.wakeup.set()
    return message_ids


async def last_messages(deps: Deps, principal: Principal, session_id: str, n: int) -> list[Event]:
    """The newest `n` messages of a session, oldest first; NotFound if the org holds no such live session."""
    principal.require(KeyScope.READ)

    def load(connection: Connection) -> list[Event]:
        require_session(connection, principal.org_id, session_id)
        return events.last_in_session(connection, principal.org_id, session_id, n)

    return await (deps.db.peek if n <= AT_A_GLANCE else deps.db.read)(load)


async def message_page(
    deps: Deps, principal: Principal, session_id: str, *, page: int, size: int | None
) -> MessagePage:
    """A page counted from 1, oldest first; without a size, everything. NotFound if there is no such live session.

    A page behind the last one is empty and still says how many messages there are.
    """
    principal.require(KeyScope.READ)
    skip = 0 if size is None else (page - 1) * size

    def load(connection: Connection) -> MessagePage:
        require_session(connection, principal.org_id, session_id)
        total = events.count_in_session(connection, principal.org_id, session_id)
        # What lies behind the end is not looked for: an absurd page number may not fit the database's integers.
        found = (
            events.page_of_session(connection, principal.org_id, session_id, skip=skip, limit=size)
            if skip < total
            else []
        )
        return MessagePage(found, total)

    return await deps.db.read(load)


async def list_messages(
    deps: Deps, principal: Principal, session_id: str, *, limit: int, cursor: str | None = None
) -> EventPage:
    """The messages of a session, oldest first. Pages are exact under concurrent additions and deletions.

    NotFound if the org holds no such live session.
    """
    principal.require(KeyScope.READ)
    of = {"messages": session_id}
    after = 0 if cursor is None else int(cursors.number(cursors.decode(cursor, of, length=1)[0]))

    def load(connection: Connection) -> list[Event]:
        require_session(connection, principal.org_id, session_id)
        return events.page_of_session(connection, principal.org_id, session_id, after_position=after, limit=limit + 1)

    found = await deps.db.read(load)
    items = found[:limit]
    return EventPage(items, cursors.encode([items[-1].position], of) if len(found) > limit else None)


async def get_message(deps: Deps, principal: Principal, session_id: str, message_id: str) -> Event:
    """The message of that id; NotFound if the session holds no live one."""
    principal.require(KeyScope.READ)
    return await deps.db.read(_require, principal.org_id, session_id, message_id)


async def update_message_metadata(
    deps: Deps, principal: Principal, session_id: str, message_id: str, *, metadata: Mapping[str, Any]
) -> Event:
    """Merge metadata into a message, level by level; concurrent updates of different keys all survive."""
    principal.require(KeyScope.WRITE)
    org_id = principal.org_id

    def save(connection: Connection) -> Event:
        if PRIVATE in metadata:
            locks.reworking(connection, org_id)
        before = _require(connection, org_id, session_id, message_id, locked=True)
        values = {"metadata": merge(before.metadata, metadata), "updated_at": deps.clock.now()}
        events.change(connection, org_id, message_id, values)
        if PRIVATE in metadata:
            recheck_message(connection, deps, org_id, message_id)
        return _require(connection, org_id, session_id, message_id)

    return await deps.db.write(save)


async def delete_message(deps: Deps, principal: Principal, session_id: str, message_id: str) -> None:
    """Hide a message with everything that rests on it alone, from every read at once; it can be restored until the
    purge.
    """
    principal.require(KeyScope.WRITE)
    org_id = principal.org_id
    prepared = await prepared_for(deps, org_id, lambda connection: _existing_ids(connection, org_id, [message_id]))

    def save(connection: Connection) -> None:
        locks.reworking(connection, org_id)
        message = _require(connection, org_id, session_id, message_id, locked=True)
        hide_events(connection, deps, org_id, [message_id], prepared=prepared)
        forget_summaries(connection, org_id, [message], deps.clock.now())

    await deps.db.write(save)
    deps.wakeup.set()


async def restore_message(deps: Deps, principal: Principal, session_id: str, message_id: str) -> Event:
    """Bring a deleted message back, with its session if that was deleted too; its memories are derived anew.

    A message that is not deleted is returned as it is. NotFound if the session never held it, or it was purged.
    """
    principal.require(KeyScope.WRITE)
    org_id = principal.org_id

    def save(connection: Connection) -> Event:
        locks.reworking(connection, org_id)
        before = _require(connection, org_id, session_id, message_id, deleted=True, locked=True)
        if before.deleted_at is None:
            return before
        now = deps.clock.now()
        sessions.opened(connection, org_id, session_id, adding=0, now=now)
        values = {"deleted_at": None, "status": EventStatus.PENDING.value, "error": None, "updated_at": now}
        events.change(connection, org_id, message_id, values)
        restored = _require(connection, org_id, session_id, message_id)
        jobs.enqueue(connection, list(work_for(org_id, [restored])), now)
        forget_summaries(connection, org_id, [restored], now)
        return restored

    restored = await deps.db.write(save)
    deps.wakeup.set()
    return restored


async def hold_message(deps: Deps, principal: Principal, session_id: str, message_id: str, *, held: bool) -> Event:
    """Keep a message, live or deleted, from the purge; or, with `held` False, leave it to the purge again.

    Erasing its user removes it all the same. The message is returned with `deleted_at` if it is deleted.
    """
    principal.require(KeyScope.WRITE)
    org_id = principal.org_id

    def save(connection: Connection) -> Event:
        message = _require(connection, org_id, session_id, message_id, deleted=True, locked=True)
        events.change(connection, org_id, message_id, {"held": held})
        return message

    return await deps.db.write(save)


def _existing_ids(connection: Connection, org_id: str, ids: Sequence[str]) -> list[str]:
    return [event.event_id for event in events.by_ids(connection, org_id, list(dict.fromkeys(ids)))]


def _require(
    connection: Connection,
    org_id: str,
    session_id: str,
    message_id: str,
    *,
    deleted: bool = False,
    locked: bool = False,
) -> Event:
    found = events.in_session(connection, org_id, session_id, message_id, deleted=deleted, locked=locked)
    if found is None:
        raise NotFound(f"There is no message {message_id!r} in the session {session_id!r}.", code="message_not_found")
    return found
