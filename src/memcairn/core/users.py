"""Users: actors with a profile, kept until somebody erases them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from memcairn.core import cursors, erasure
from memcairn.core.deps import Deps
from memcairn.core.idempotency import Repeatable, once
from memcairn.domain.conversations import User
from memcairn.domain.errors import Conflict, NotFound
from memcairn.domain.ids import new_id
from memcairn.domain.keys import KeyScope, Principal
from memcairn.domain.merge import merge
from memcairn.store import users


@dataclass(frozen=True, slots=True)
class UserPage:
    """Some users of a list, in its order; without a `next_cursor` they are the last."""

    items: Sequence[User]
    next_cursor: str | None


async def create_user(
    deps: Deps,
    principal: Principal,
    user_id: str,
    *,
    email: str | None = None,
    first_name: str | None = None,
    last_name: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    repeatable: Repeatable | None = None,
) -> User:
    """Give an actor a profile; Conflict when it has one."""
    principal.require(KeyScope.WRITE)

    def effect(connection: Connection) -> dict[str, Any]:
        now = deps.clock.now()
        user = User(
            org_id=principal.org_id,
            user_id=user_id,
            user_uuid=new_id(),
            number=users.next_number(connection, principal.org_id),
            email=email,
            first_name=first_name,
            last_name=last_name,
            metadata=dict(metadata or {}),
            created_at=now,
            updated_at=now,
        )
        if not users.add(connection, user):
            raise Conflict(f"The user {user_id!r} exists already. Update it, or choose another id.", code="user_exists")
        return _as_json(user)

    def save(connection: Connection) -> Any:
        return once(connection, deps, principal, repeatable, lambda: effect(connection))

    return _from_json(await deps.db.write(save))


async def get_user(deps: Deps, principal: Principal, user_id: str) -> User:
    """The user of that id; NotFound if the org has none."""
    principal.require(KeyScope.READ)
    return await deps.db.read(_require, principal.org_id, user_id)


async def update_user(
    deps: Deps,
    principal: Principal,
    user_id: str,
    *,
    email: str | None = None,
    first_name: str | None = None,
    last_name: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> User:
    """Set what is given, leave what is None, merge metadata level by level; NotFound if the org has no such user."""
    principal.require(KeyScope.WRITE)
    given = {"email": email, "first_name": first_name, "last_name": last_name}

    def save(connection: Connection) -> User:
        before = _require(connection, principal.org_id, user_id, locked=True)
        values: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        if metadata is not None:
            values["metadata"] = merge(before.metadata, metadata)
        users.change(connection, principal.org_id, user_id, values | {"updated_at": deps.clock.now()})
        return _require(connection, principal.org_id, user_id)

    return await deps.db.write(save)


async def list_users(deps: Deps, principal: Principal, *, limit: int, cursor: str | None = None) -> UserPage:
    """Users in the order they were made. Pages are exact under concurrent additions and erasures."""
    principal.require(KeyScope.READ)
    of = {"users": None}
    after = 0 if cursor is None else int(cursors.number(cursors.decode(cursor, of, length=1)[0]))
    found = await users_after(deps, principal, after_number=after, limit=limit + 1)
    items = found[:limit]
    return UserPage(items, cursors.encode([items[-1].number], of) if len(found) > limit else None)


async def users_after(deps: Deps, principal: Principal, *, after_number: int = 0, limit: int | None) -> list[User]:
    """Users with a higher number than `after_number`, by number; without a limit, all of them."""
    principal.require(KeyScope.READ)

    def load(connection: Connection) -> list[User]:
        return users.page(connection, principal.org_id, after_number=after_number, limit=limit)

    return await deps.db.read(load)


async def erase_user(deps: Deps, principal: Principal, user_id: str) -> Mapping[str, int]:
    """Remove a user for good, with sessions, events and everything derived from them; the ids are free again.

    Returns how many rows of each table were removed; the same numbers are kept as a receipt that names nobody.
    NotFound if the org has no such user.
    """
    principal.require(KeyScope.WRITE)
    await deps.db.read(_require, principal.org_id, user_id)
    return await erasure.erase(deps, principal.org_id, user_id)


def _require(connection: Connection, org_id: str, user_id: str, *, locked: bool = False) -> User:
    found = users.get(connection, org_id, user_id, locked=locked)
    if found is None:
        raise NotFound(f"There is no user {user_id!r}.", code="user_not_found")
    return found


def _as_json(user: User) -> dict[str, Any]:
    values = {name: getattr(user, name) for name in User.__slots__}
    return values | {"created_at": user.created_at.isoformat(), "updated_at": user.updated_at.isoformat()}


def _from_json(values: Mapping[str, Any]) -> User:
    times = {name: datetime.fromisoformat(values[name]) for name in ("created_at", "updated_at")}
    return User(**{**values, **times})
