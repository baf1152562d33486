"""Statements put together once, for what nearly every request runs.

Carrying a small statement to SQLite and its rows back takes SQLAlchemy far longer than running it takes SQLite (25 µs
and 3 µs for a row found by its key). These go to the driver as they were compiled, with the same conversions of
values; on Postgres, where a statement travels over the network anyway, they are executed as any other.
"""

import functools
import sqlite3
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Delete, Dialect, Insert, Select, Table, Update, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler

from memcairn.store import bulk

Statement = Select[*tuple[Any, ...]] | Insert | Update | Delete
Values = Mapping[str, Any]
_Convert = Callable[[Any], Any]


class Prepared:
    """A statement whose values are all bound by name; of an INSERT, `columns` are those that are given.

    An INSERT that says what to do about rows that are there already is not `plain`: nothing else may take its place.
    The same as `connection.execute`, inside the same transaction and with the same errors. A SELECT may have one list
    that is expanded (`IN`), called `many`, which is not empty. Defaults made in Python are not for it.
    """

    def __init__(
        self, statement: Statement, *, columns: Sequence[str] | None = None, plain: bool = True, many: str | None = None
    ) -> None:
        self._statement = statement
        self._columns = columns
        self._plain = plain
        self._many = many
        self._compiled: dict[int, _Compiled] = {}

    def run(self, connection: Connection, rows: Sequence[Values]) -> None:
        """Carry it out once for each of `rows`; for none of them, nothing happens."""
        if not rows:
            return
        driver = _sqlite(connection)
        if driver is None:
            if self._plain and isinstance(self._statement, Insert) and isinstance(self._statement.table, Table):
                bulk.add(connection, self._statement.table, rows)
            else:
                connection.execute(self._statement, list(rows))
            return
        _begin(connection)
        compiled = self._compile(connection, 0)
        with driver_errors(connection, compiled.sql):
            driver.executemany(compiled.sql, [compiled.bound(row) for row in rows])

    def rows(self, connection: Connection, bound: Values) -> Sequence[Any]:
        """Every row it gives, its columns as attributes and in their order."""
        driver = _sqlite(connection)
        if driver is None:
            return connection.execute(self._statement, dict(bound)).all()
        if not isinstance(self._statement, Select):
            _begin(connection)
        length = 0 if self._many is None else _rounded(len(bound[self._many]))
        compiled = self._compile(connection, length)
        if self._many is not None:
            bound = _spread(bound, self._many, length)
        with driver_errors(connection, compiled.sql):
            found = driver.execute(compiled.sql, compiled.bound(bound)).fetchall()
        return [compiled.row(each) for each in found]

    def first(self, connection: Connection, bound: Values) -> Any:
        """The first row, or None."""
        found = self.rows(connection, bound)
        return found[0] if found else None

    def _compile(self, connection: Connection, length: int) -> "_Compiled":
        compiled = self._compiled.get(length)
        if compiled is None:
            compiled = self._compiled[length] = _compiled(self._statement, connection.dialect, self._columns, length)
        return compiled


def _rounded(length: int) -> int:
    """The power of two a list is filled up to: few lengths have to be prepared."""
    return 1 << (length - 1).bit_length()


def _spread(bound: Values, many: str, length: int) -> Values:
    """Each of the list by a name of its own, the last one again and again up to `length`."""
    listed = bound[many]
    filled = [*listed, *[listed[-1]] * (length - len(listed))]
    return {**bound, **{f"{many}_{place}": value for place, value in enumerate(filled, start=1)}}


def add(connection: Connection, table: Table, rows: Sequence[Values]) -> None:
    """Insert rows that all name the same columns; none of them stays if one cannot be taken.

    The same as executing an INSERT: conversions, defaults of the schema and errors.
    """
    if not rows:
        return
    if _sqlite(connection) is None:
        bulk.add(connection, table, rows)
        return
    defaults = bulk.defaults_of(table, rows[0])
    statement = _insert_into(table, (*rows[0], *defaults))
    statement.run(connection, [{**defaults, **row} for row in rows] if defaults else rows)


@functools.cache
def _insert_into(table: Table, columns: tuple[str, ...]) -> Prepared:
    return Prepared(insert(table), columns=columns)


@dataclass(frozen=True, slots=True)
class _Compiled:
    """What the driver takes; `names` are in the order of its placeholders."""

    sql: str
    names: Sequence[tuple[str, _Convert | None]]
    constants: Values
    make: Callable[..., Any]
    conversions: Sequence[tuple[int, _Convert]]

    def bound(self, values: Values) -> list[Any]:
        given = {**self.constants, **values} if self.constants else values
        return [given[name] if convert is None else convert(given[name]) for name, convert in self.names]

    def row(self, values: Sequence[Any]) -> Any:
        if not self.conversions:
            return self.make(*values)
        converted = list(values)
        for place, convert in self.conversions:
            converted[place] = convert(converted[place])
        return self.make(*converted)


def _compiled(statement: Statement, dialect: Dialect, columns: Sequence[str] | None, length: int) -> _Compiled:
    """`length`: of the list that is spread, if there is one."""
    compiled = _compiled_sql(statement, dialect, columns, {})
    listed = [bind.key for bind in compiled.binds.values() if bind.expanding]
    binds, lists = compiled.binds, {key: [None] * length for key in listed}
    if lists:
        nothing = {bind.key: bind.value for bind in binds.values() if bind.key not in lists}
        compiled = _compiled_sql(statement.params(nothing | lists), dialect, columns, {"render_postcompile": True})
    names = []
    for name in compiled.positiontup or ():
        bind = binds[name] if name in binds else binds[listed[0]]
        key = name if bind.expanding else bind.key
        names.append((key, bind.type.dialect_impl(dialect).bind_processor(dialect)))
    # What an INSERT leaves open would be a default of the column: whoever prepares one names what is given.
    literals = {} if isinstance(statement, Insert) else binds
    constants = {bind.key: bind.value for bind in literals.values() if not bind.required}
    given = [*statement.exported_columns]
    conversions = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in given]
    return _Compiled(
        sql=str(compiled),
        names=names,
        constants=constants,
        make=namedtuple("Row", [column.key for column in given]),
        conversions=[(place, convert) for place, convert in enumerate(conversions) if convert is not None],
    )


def _compiled_sql(
    statement: Statement, dialect: Dialect, columns: Sequence[str] | None, how: Mapping[str, bool]
) -> SQLCompiler:
    keys = None if columns is None else list(columns)
    compiled = statement.compile(dialect=dialect, column_keys=keys, compile_kwargs=dict(how))
    assert isinstance(compiled, SQLCompiler), "every statement here is compiled to SQL"  # noqa: S101 -- our own invariant
    return compiled


def _sqlite(connection: Connection) -> sqlite3.Connection | None:
    driver = connection.connection.dbapi_connection
    return driver if isinstance(driver, sqlite3.Connection) else None


def _begin(connection: Connection) -> None:
    """What changes rows does so in a transaction, whoever calls it; the driver would not open one."""
    if not connection.in_transaction():
        connection.begin()


class driver_errors:  # noqa: N801 -- reads as a word after `with`
    """Errors of the driver as SQLAlchemy would raise them, for whoever handles those."""

    def __init__(self, connection: Connection, sql: str) -> None:
        self._connection = connection
        self._sql = sql

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.Error):
            raise DBAPIError.instance(
                self._sql, None, error, sqlite3.Error, dialect=self._connection.dialect
            ) from error
