"""Users: actors with a profile."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from memcairn.domain.conversations import User
from memcairn.store import counters
from memcairn.store.dialect import upsert
from memcairn.store.schema import erasures, users


def add(connection: Connection, user: User) -> bool:
    """Insert a user under the number it carries, see `next_number`; False when the id is taken."""
    row = {name: getattr(user, name) for name in User.__slots__}
    statement = upsert(connection, users).values(row | {"metadata": dict(user.metadata)})
    statement = statement.on_conflict_do_nothing(index_elements=["org_id", "user_id"])
    return connection.execute(statement.returning(users.c.user_id)).first() is not None


def next_number(connection: Connection, org_id: str) -> int:
    return counters.take(connection, org_id, "users")


def get(connection: Connection, org_id: str, user_id: str, *, locked: bool = False) -> User | None:
    """The user of that id; `locked` keeps it still until the commit."""
    statement = select(users).where(users.c.org_id == org_id, users.c.user_id == user_id)
    if locked:
        statement = statement.with_for_update()
    row = connection.execute(statement).one_or_none()
    return None if row is None else _user(row)


def change(connection: Connection, org_id: str, user_id: str, values: Mapping[str, Any]) -> None:
    statement = update(users).where(users.c.org_id == org_id, users.c.user_id == user_id)
    connection.execute(statement.values(dict(values)))


def page(connection: Connection, org_id: str, *, after_number: int, limit: int | None) -> list[User]:
    """Users by ascending number, at most `limit` of them behind `after_number`."""
    statement = select(users).where(users.c.org_id == org_id, users.c.number > after_number)
    return [_user(row) for row in connection.execute(statement.order_by(users.c.number).limit(limit))]


def erase(connection: Connection, org_id: str, user_id: str) -> int:
    """Remove the profile for good; its sessions must be gone. Returns how many there were."""
    statement = delete(users).where(users.c.org_id == org_id, users.c.user_id == user_id)
    return connection.execute(statement).rowcount


def keep_receipt(
    connection: Connection, org_id: str, erasure_id: str, *, counts: Mapping[str, int], now: datetime
) -> None:
    """Note that somebody was erased, and how many rows that were, but not who."""
    row = {"org_id": org_id, "erasure_id": erasure_id, "counts": dict(counts), "created_at": now}
    connection.execute(insert(erasures), row)


def _user(row: Row[*tuple[Any, ...]]) -> User:
    return User(**row._mapping)
