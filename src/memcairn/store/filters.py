"""Filters on metadata as conditions of a query, so that they hold before any limit, on both databases.

PostgreSQL evaluates the paths itself, from the spelling our own parser gave them. SQLite has no such language: there a
function of ours is called for each row. Either way the caller's text travels as a bound value.
"""

import json
import sqlite3
from collections import OrderedDict
from collections.abc import Mapping
from threading import Lock
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Text,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    literal_column,
    or_,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH
from sqlalchemy.exc import DBAPIError

from memcairn.domain.errors import Invalid
from memcairn.domain.filters import AllOf, AnyOf, Filter, Node, PathNode, parse_filter
from memcairn.domain.jsonpath import Budget
from memcairn.domain.jsonpath_tree import crosses
from memcairn.store import postgres_errors

FUNCTION = "memcairn_matches"
ERROR_SIGN = "user-defined function raised exception"
"""What SQLite says when the function gave up; it passes no reason on."""

FREE_STEPS_PER_ROW = 1_000
EXTRA_STEPS_PER_QUERY = 2_000_000
"""A row may cost FREE_STEPS_PER_ROW; what goes beyond is taken from this, once for all rows: about two seconds."""

POSTGRES_MILLIS_PER_QUERY = 2_000
POSTGRES_CROSSED_BYTES = 16 * 1024
"""Metadata within which two paths may be compared with each other on Postgres: half a second for the worst row."""
POSTGRES_ERROR_SIGN = "memcairn: this filter looks at too many values"
UNDER_WAY = "memcairn_filter"

_REMEMBERED = 64


def condition(connection: Connection, column: ColumnElement[Any], filter: Filter) -> ColumnElement[bool]:
    """What keeps rows whose JSON `column` fulfils `filter`; NULL fulfils no path.

    The query raises Invalid (`filter_too_costly`) when it takes more work than EXTRA_STEPS_PER_QUERY allows on SQLite,
    or longer than POSTGRES_MILLIS_PER_QUERY on Postgres, where that bounds the rest of the transaction too.
    """
    if connection.dialect.name == "sqlite":
        return _on_sqlite(column, filter)
    if filter.selects:
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {POSTGRES_MILLIS_PER_QUERY}")
        connection.info[UNDER_WAY] = True
    return _on_postgres(cast(column, JSONB), filter.root)


def stopped(connection: Connection, error: DBAPIError) -> bool:
    """Whether a statement on Postgres failed because a filter had too much to do."""
    if POSTGRES_ERROR_SIGN in str(error.orig):
        return True
    return bool(connection.info.get(UNDER_WAY)) and postgres_errors.too_slow(error)


def forget(connection: Connection) -> None:
    """Tell a connection to Postgres that a transaction without a filter begins."""
    connection.info.pop(UNDER_WAY, None)


def too_costly() -> Invalid:
    """What a caller is told whose filter was stopped."""
    return Invalid(
        "This filter looks at too many values. Name keys instead of `.**`, or compare with fewer values.",
        code="filter_too_costly",
    )


def install(connection: sqlite3.Connection) -> None:
    """Teach a new SQLite connection the function that `condition` calls."""
    connection.create_function(FUNCTION, 2, _matches, deterministic=True)


class _Running:
    """The filters of the queries under way: read once, each with the work its query may still do."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._queries = 0
        self._filters: OrderedDict[str, _Query] = OrderedDict()

    def begin(self, filter: Filter) -> str:
        """A name for one use of `filter`, from which it can be made again."""
        with self._lock:
            self._queries += 1
            name = f"{self._queries}:{filter.source}"
            self._keep(name, _Query(filter))
            return name

    def get(self, name: str) -> "_Query":
        with self._lock:
            query = self._filters.get(name)
            if query is None:
                query = _Query(parse_filter(json.loads(name.partition(":")[2])))
                self._keep(name, query)
            return query

    def _keep(self, name: str, query: "_Query") -> None:
        self._filters[name] = query
        while len(self._filters) > _REMEMBERED:
            self._filters.popitem(last=False)


class _Query:
    """One use of a filter. Its extra steps may be counted by several threads and are then a little too many."""

    __slots__ = ("extra", "filter")

    def __init__(self, filter: Filter) -> None:
        self.filter = filter
        self.extra = EXTRA_STEPS_PER_QUERY

    def matches(self, metadata: Mapping[str, Any] | None) -> bool:
        budget = Budget(FREE_STEPS_PER_ROW + self.extra)
        try:
            return self.filter.matches(metadata, budget)
        finally:
            self.extra = min(self.extra, budget.left)


_running = _Running()
_NO_VARIABLES: ColumnElement[Any] = cast(literal_column("'{}'"), JSONB)


def _on_sqlite(column: ColumnElement[Any], filter: Filter) -> ColumnElement[bool]:
    if not filter.selects:
        return true()
    return func.memcairn_matches(literal(_running.begin(filter)), column, type_=Boolean)


def _matches(name: str, metadata: str | None) -> bool:
    return _running.get(name).matches(None if metadata is None else json.loads(metadata))


def _on_postgres(column: ColumnElement[Any], node: Node) -> ColumnElement[bool]:
    match node:
        case PathNode(path):
            # Silent: where a path does not fit the value, it does not match.
            exists = func.jsonb_path_exists(column, cast(literal(path.text), JSONPATH), _NO_VARIABLES, true())
            found = func.coalesce(exists, false(), type_=Boolean)
            return _guarded(column, found) if crosses(path.tree) else found
        case AllOf(parts):
            return and_(true(), *(_on_postgres(column, part) for part in parts))
        case AnyOf(parts):
            return or_(false(), *(_on_postgres(column, part) for part in parts))


def _guarded(column: ColumnElement[Any], found: ColumnElement[bool]) -> ColumnElement[bool]:
    """Postgres compares each value with each without looking up, however long that takes: so only a few with a few.

    A row with more makes the query fail; the text that cannot be cast holds POSTGRES_ERROR_SIGN.
    """
    spelled = cast(column, Text)
    refused = cast(func.left(spelled, 0).concat(literal_column(f"'{POSTGRES_ERROR_SIGN}'")), Boolean)
    return case((func.octet_length(spelled) > POSTGRES_CROSSED_BYTES, refused), else_=found)
