"""What goes past SQLAlchemy to a database's driver: its errors, and on Postgres when a transaction begins there.

A Postgres transaction begins with the first statement that needs it, in the same message where that can be: on another
machine each message costs the way there and back, and beginning alone would cost as much as what is asked.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

_OPENING = "memcairn_opening"


def from_json(text: str | None) -> Any:
    """What a text column holds as JSON: nearly always nothing, for which the library takes its time."""
    if text is None:
        return None
    return {} if text == "{}" else [] if text == "[]" else json.loads(text)


class errors:  # noqa: N801 -- reads as a word after `with`
    """Errors of the driver as SQLAlchemy would raise them, for whoever handles those; a connection that is lost is not
    used again."""

    def __init__(self, connection: Connection, sql: str) -> None:
        self._connection = connection
        self._sql = sql

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            return
        dialect = self._connection.dialect
        driver: Any = dialect.loaded_dbapi
        if not isinstance(error, driver.Error):
            return
        lost = dialect.is_disconnect(error, self._connection.connection.driver_connection, None)
        raised = DBAPIError.instance(self._sql, None, error, driver.Error, connection_invalidated=lost, dialect=dialect)
        if lost:
            self._connection.invalidate(error)
        raise raised from error


@dataclass(frozen=True, slots=True)
class _Opening:
    """What has still to be sent to begin; `alone` when each statement is a transaction of its own."""

    sql: str
    alone: bool


def begin_later(connection: Connection, sql: str, *, alone: bool = False) -> None:
    """Let the first statement on this connection to Postgres, or if `alone` each of them, bring `sql` along."""
    connection.info[_OPENING] = _Opening(sql, alone)


def begin_now(connection: Connection) -> None:
    """Send what has still to be sent to begin, for a statement that cannot bring it along."""
    opening = connection.info.pop(_OPENING, None)
    if opening is not None:
        driver: Any = connection.connection.dbapi_connection
        with errors(connection, opening.sql):
            driver.execute(opening.sql)


def postgres_rows(connection: Connection, sql: str, bound: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
    """Every row that `sql` gives on a connection to Postgres."""
    driver: Any = connection.connection.dbapi_connection
    opening = connection.info.get(_OPENING)
    with errors(connection, sql):
        if opening is None:
            found: Sequence[Sequence[Any]] = driver.execute(sql, bound).fetchall()
            return found
        if not opening.alone:
            del connection.info[_OPENING]
        return _with_opening(connection, driver, opening, sql, bound)


def _with_opening(
    connection: Connection, driver: Any, opening: _Opening, sql: str, bound: Mapping[str, Any]
) -> Sequence[Sequence[Any]]:
    """The rows of the one statement among those sent together that gives any.

    Postgres takes several at once only with their values in place, which is what this kind of cursor is for.
    """
    dbapi: Any = connection.dialect.loaded_dbapi
    found: Sequence[Sequence[Any]] = ()
    together = f"{opening.sql}; {sql}; COMMIT" if opening.alone else f"{opening.sql}; {sql}"
    with closing(dbapi.ClientCursor(driver)) as cursor:
        cursor.execute(together, bound)
        more = True
        while more:
            if cursor.description is not None:
                found = cursor.fetchall()
            more = cursor.nextset()
    return found
