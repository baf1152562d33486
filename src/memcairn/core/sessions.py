"""Sessions: made by hand or by what is said in them, listed, merged, deleted and revived."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from memcairn.core import cursors
from memcairn.core.deletion import hide_events, prepared_for
from memcairn.core.deps import Deps
from memcairn.core.idempotency import Repeatable, once
from memcairn.domain.conversations import Session
from memcairn.domain.errors import Conflict, NotFound
from memcairn.domain.filters import Filter
from memcairn.domain.ids import new_id
from memcairn.domain.keys import KeyScope, Principal
from memcairn.domain.merge import merge
from memcairn.store import events, locks, sessions, summaries, users


@dataclass(frozen=True, slots=True)
class SessionPage:
    """Some sessions of a list, in its order; without a `next_cursor` they are the last."""

    items: Sequence[Session]
    next_cursor: str | None


async def create_session(
    deps: Deps,
    principal: Principal,
    session_id: str,
    *,
    user_id: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    repeatable: Repeatable | None = None,
) -> Session:
    """Make a session by hand, to link it to a user or to give it metadata.

    Conflict when the id is taken, also by a deleted session; NotFound when there is no such user. Neither leaves
    anything behind.
    """
    principal.require(KeyScope.WRITE)

    def effect(connection: Connection) -> dict[str, Any]:
        if user_id is not None:
            require_user(connection, principal.org_id, user_id)
        session = _new_session(connection, deps, principal.org_id, session_id)
        session = replace(session, user_id=user_id, metadata=None if metadata is None else dict(metadata))
        if not sessions.add(connection, session):
            raise Conflict(
                f"The session {session_id!r} exists already. Use it as it is, or choose another id; one that was "
                "deleted comes back when something is said in it or its metadata is updated.",
                code="session_exists",
            )
        return _as_json(session)

    def save(connection: Connection) -> Any:
        return once(connection, deps, principal, repeatable, lambda: effect(connection))

    return _from_json(await deps.db.write(save))


async def get_session(deps: Deps, principal: Principal, session_id: str) -> Session:
    """The session of that id; NotFound if the org holds no live one."""
    principal.require(KeyScope.READ)
    return await deps.db.peek(require_session, principal.org_id, session_id)


async def update_session(
    deps: Deps, principal: Principal, session_id: str, *, metadata: Mapping[str, Any] | None = None
) -> Session:
    """Merge metadata into a session, level by level; concurrent updates of different keys all survive.

    A deleted session comes back with its metadata; what was said in it stays deleted. NotFound if the org never held
    it, or has purged it.
    """
    principal.require(KeyScope.WRITE)

    def save(connection: Connection) -> Session:
        before = sessions.get(connection, principal.org_id, session_id, deleted=True, locked=True)
        if before is None:
            raise _not_found(session_id)
        values: dict[str, Any] = {"updated_at": deps.clock.now(), "deleted_at": None}
        if metadata is not None:
            values["metadata"] = merge(before.metadata, metadata)
        sessions.change(connection, principal.org_id, session_id, values)
        return require_session(connection, principal.org_id, session_id)

    return await deps.db.write(save)


async def delete_session(deps: Deps, principal: Principal, session_id: str) -> int:
    """Hide a session with everything said in it and everything that rests on that alone, from every read at once.

    Returns how many events were hidden. NotFound if the org holds no live session of that id. The rows stay until the
    purge.
    """
    principal.require(KeyScope.WRITE)
    org_id = principal.org_id

    def said_in_it(connection: Connection) -> list[str]:
        return events.ids_in_session(connection, org_id, session_id)

    prepared = await prepared_for(deps, org_id, said_in_it)

    def save(connection: Connection) -> int:
        locks.reworking(connection, org_id)
        if sessions.get(connection, org_id, session_id, locked=True) is None:
            raise _not_found(session_id)
        now = deps.clock.now()
        hidden = hide_events(connection, deps, org_id, said_in_it(connection), prepared=prepared).events
        summaries.hide_of_session(connection, org_id, session_id, now)
        sessions.change(connection, org_id, session_id, {"deleted_at": now, "updated_at": now})
        return hidden

    hidden = await deps.db.write(save)
    deps.wakeup.set()
    return hidden


async def list_sessions(
    deps: Deps,
    principal: Principal,
    *,
    user_id: str | None = None,
    metadata: Filter | None = None,
    limit: int,
    cursor: str | None = None,
) -> SessionPage:
    """Live sessions in the order they were made. Pages are exact under concurrent additions and deletions."""
    principal.require(KeyScope.READ)
    of = {"sessions": user_id, "metadata": repr(metadata)}
    after = 0 if cursor is None else int(cursors.number(cursors.decode(cursor, of, length=1)[0]))

    def load(connection: Connection) -> list[Session]:
        return sessions.page(
            connection, principal.org_id, after_number=after, limit=limit + 1, user_id=user_id, metadata=metadata
        )

    found = await deps.db.read(load)
    items = found[:limit]
    return SessionPage(items, cursors.encode([items[-1].number], of) if len(found) > limit else None)


async def sessions_after(
    deps: Deps, principal: Principal, *, after_number: int = 0, limit: int | None, user_id: str | None = None
) -> list[Session]:
    """Live sessions with a higher number than `after_number`, by number; without a limit, all of them."""
    principal.require(KeyScope.READ)

    def load(connection: Connection) -> list[Session]:
        return sessions.page(connection, principal.org_id, after_number=after_number, limit=limit, user_id=user_id)

    return await deps.db.read(load)


def require_session(connection: Connection, org_id: str, session_id: str) -> Session:
    """The live session of that id, or NotFound."""
    found = sessions.get(connection, org_id, session_id)
    if found is None:
        raise _not_found(session_id)
    return found


def require_user(connection: Connection, org_id: str, user_id: str) -> None:
    """NotFound unless the user exists."""
    if users.get(connection, org_id, user_id) is None:
        raise NotFound(
            f"There is no user {user_id!r}. Create the user first, or leave `user_id` out.",
            code="user_not_found",
            pointer="/user_id",
        )


def _not_found(session_id: str) -> NotFound:
    return NotFound(
        f"There is no session {session_id!r}. It begins to exist with the first message added to it.",
        code="session_not_found",
    )


def _new_session(connection: Connection, deps: Deps, org_id: str, session_id: str) -> Session:
    number, now = sessions.next_number(connection, org_id), deps.clock.now()
    return Session(org_id, session_id, new_id(), number, None, None, now, now)


def _as_json(session: Session) -> dict[str, Any]:
    values = {name: getattr(session, name) for name in Session.__slots__}
    return values | {"created_at": session.created_at.isoformat(), "updated_at": session.updated_at.isoformat()}


def _from_json(values: Mapping[str, Any]) -> Session:
    times = {name: datetime.fromisoformat(values[name]) for name in ("created_at", "updated_at")}
    return Session(**{**values, **times})
