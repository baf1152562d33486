"""Ascending numbers inside an org, without gaps from work that was rolled back."""

import functools

from sqlalchemy import Connection, bindparam, delete, select

from memcairn.store.dialect import upsert_on
from memcairn.store.prepared import Prepared
from memcairn.store.schema import counters


def take(connection: Connection, org_id: str, name: str, *, count: int = 1, start: int = 0) -> int:
    """Reserve `count` numbers and return the first; the very first one ever taken is `start` + 1."""
    bound = {"of_org": org_id, "of_name": name, "taken": count, "first": start + count}
    last: int = _taking(connection.dialect.name).first(connection, bound).value
    return last - count + 1


@functools.cache
def _taking(dialect: str) -> Prepared:
    statement = upsert_on(dialect, counters).values(
        org_id=bindparam("of_org"), name=bindparam("of_name"), value=bindparam("first")
    )
    statement = statement.on_conflict_do_update(
        index_elements=["org_id", "name"], set_={"value": counters.c.value + bindparam("taken")}
    )
    return Prepared(statement.returning(counters.c.value))


def present(connection: Connection, org_id: str, name: str) -> bool:
    """Whether any number was ever taken."""
    statement = select(counters.c.value).where(counters.c.org_id == org_id, counters.c.name == name)
    return connection.execute(statement).first() is not None


def forget(connection: Connection, org_id: str, name: str) -> None:
    connection.execute(delete(counters).where(counters.c.org_id == org_id, counters.c.name == name))


def last(connection: Connection, org_id: str, name: str) -> int:
    """The last number taken; 0 while there is none."""
    statement = select(counters.c.value).where(counters.c.org_id == org_id, counters.c.name == name)
    return connection.execute(statement).scalar_one_or_none() or 0


def restart(connection: Connection, org_id: str, name: str, *, seen: int) -> None:
    """Begin anew, unless a number was taken after `seen`."""
    mine = (counters.c.org_id == org_id, counters.c.name == name, counters.c.value == seen)
    connection.execute(delete(counters).where(*mine))
