"""The few words in which the two databases differ outside the index."""

from collections.abc import Callable, Hashable, MutableMapping
from typing import TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

T = TypeVar("T", bound=Callable[[Connection], None])

_AT_END = "memcairn_at_end"

UpsertInsert = sqlite.Insert | postgresql.Insert


def upsert(connection: Connection, table: Table) -> UpsertInsert:
    """An INSERT on which `on_conflict_do_update` and `on_conflict_do_nothing` can be called."""
    return upsert_on(connection.dialect.name, table)


def upsert_on(dialect: str, table: Table) -> UpsertInsert:
    """The same, for a statement that is made once: `dialect` is the name of the connection's."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


def at_end(connection: Connection, key: Hashable, work: T) -> T | None:
    """What this transaction will call just before it commits under `key`: `work`, unless there is something already.

    For rows that every transaction changes: the shorter they are held, the less others wait. None where a transaction
    has no such end, as on SQLite, where nobody waits: do it at once.
    """
    waiting: MutableMapping[Hashable, T] | None = connection.info.get(_AT_END)
    return None if waiting is None else waiting.setdefault(key, work)


def bring_forward(connection: Connection, key: Hashable) -> None:
    """Do now what waits for the end of the transaction under `key`: its rows are about to be read."""
    work = connection.info.get(_AT_END, {}).pop(key, None)
    if work is not None:
        work(connection)


def begin_with_end(connection: Connection) -> None:
    """A transaction that will call `end` has begun."""
    connection.info[_AT_END] = {}


def end(connection: Connection) -> None:
    for work in connection.info.pop(_AT_END).values():
        work(connection)
