"""Statements put together once, for what nearly every request runs.

Carrying a small statement to the driver and its rows back takes SQLAlchemy far longer than running it takes SQLite
(25 µs and 3 µs for a row found by its key). These go to the driver as they were compiled, with the same conversions of
values; on Postgres those that give rows do, and the others are executed as any other.
"""

import functools
import sqlite3
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, Connection, Delete, Dialect, Insert, Select, Table, Update, insert
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

from memcairn.store import bulk, driver

Statement = Select[*tuple[Any, ...]] | Insert | Update | Delete
Values = Mapping[str, Any]

_FLOAT8 = 701
"""How Postgres numbers the type of a `double precision`: of a column of numbers SQLAlchemy asks which kind came."""

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
        self._compiled: dict[tuple[str, int], _Compiled] = {}

    def run(self, connection: Connection, rows: Sequence[Values]) -> None:
        """Carry it out once for each of `rows`; for none of them, nothing happens."""
        if not rows:
            return
        sqlite = _sqlite(connection)
        if sqlite is None:
            if self._plain and isinstance(self._statement, Insert) and isinstance(self._statement.table, Table):
                bulk.add(connection, self._statement.table, rows)
            else:
                connection.execute(self._statement, list(rows))
            return
        _begin(connection)
        compiled = self._compile(connection, 0)
        with driver.errors(connection, compiled.sql):
            sqlite.executemany(compiled.sql, [compiled.bound(row) for row in rows])

    def rows(self, connection: Connection, bound: Values) -> Sequence[Any]:
        """Every row it gives, its columns as attributes and in their order."""
        sqlite = _sqlite(connection)
        if sqlite is None or not isinstance(self._statement, Select):
            _begin(connection)
        length = 0 if self._many is None else _rounded(len(bound[self._many]))
        compiled = self._compile(connection, length)
        if self._many is not None:
            bound = _spread(bound, self._many, length)
        found: Sequence[Sequence[Any]]
        if sqlite is None:
            found = driver.postgres_rows(connection, compiled.sql, compiled.named(bound))
        else:
            with driver.errors(connection, compiled.sql):
                found = sqlite.execute(compiled.sql, compiled.bound(bound)).fetchall()
        return [compiled.row(each) for each in found]

    def first(self, connection: Connection, bound: Values) -> Any:
        """The first row, or None."""
        found = self.rows(connection, bound)
        return found[0] if found else None

    def _compile(self, connection: Connection, length: int) -> "_Compiled":
        key = (connection.dialect.name, length)
        compiled = self._compiled.get(key)
        if compiled is None:
            compiled = self._compiled[key] = _compiled(self._statement, connection.dialect, self._columns, length)
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
    """What the driver takes; `names` are those of its placeholders in their order, each with what it stands for."""

    sql: str
    names: Sequence[tuple[str, str, _Convert | None]]
    constants: Values
    make: Callable[..., Any]
    conversions: Sequence[tuple[int, _Convert]]

    def bound(self, values: Values) -> list[Any]:
        """For placeholders that are filled in order."""
        given = {**self.constants, **values} if self.constants else values
        return [given[key] if convert is None else convert(given[key]) for _, key, convert in self.names]

    def named(self, values: Values) -> dict[str, Any]:
        """For placeholders that have names."""
        given = {**self.constants, **values} if self.constants else values
        return {name: given[key] if convert is None else convert(given[key]) for name, key, convert in self.names}

    def row(self, values: Sequence[Any]) -> Any:
        if not self.conversions:
            return self.make(*values)
        converted = list(values)
        for place, convert in self.conversions:
            converted[place] = convert(converted[place])
        return self.make(*converted)


def _compiled(statement: Statement, dialect: Dialect, columns: Sequence[str] | None, length: int) -> _Compiled:
    """`length`: of the list that is spread, if there is one."""
    compiled = statement.compile(dialect=dialect, column_keys=None if columns is None else list(columns))
    assert isinstance(compiled, SQLCompiler), "every statement here is compiled to SQL"  # noqa: S101 -- our own invariant
    binds = compiled.binds
    # Values do not matter here, but for how many a list has.
    spread = compiled.construct_expanded_state(
        {bind.key: [None] * length if bind.expanding else bind.value for bind in binds.values()}
    )
    listed = {name: key for key, names in spread.parameter_expansion.items() for name in names}
    names = []
    for name in spread.positiontup or spread.parameters:
        bind = binds[listed.get(name, name)]
        key = name if bind.expanding else bind.key
        names.append((name, key, bind.type.dialect_impl(dialect).bind_processor(dialect)))
    # What an INSERT leaves open would be a default of the column: whoever prepares one names what is given.
    literals = {} if isinstance(statement, Insert) else binds
    constants = {bind.key: bind.value for bind in literals.values() if not bind.required}
    given = [*statement.exported_columns]
    conversions = [_conversion(column.type, dialect) for column in given]
    return _Compiled(
        sql=spread.statement,
        names=names,
        constants=constants,
        make=namedtuple("Row", [column.key for column in given]),
        conversions=[(place, convert) for place, convert in enumerate(conversions) if convert is not None],
    )


def _conversion(kind: TypeEngine[Any], dialect: Dialect) -> _Convert | None:
    """From what the driver gives for a column of this kind."""
    if isinstance(kind, JSON) and dialect.name == "sqlite":
        # SQLAlchemy's own asks first whether it may be a number: two more calls.
        return driver.from_json
    return kind.dialect_impl(dialect).result_processor(dialect, _FLOAT8)


def _sqlite(connection: Connection) -> sqlite3.Connection | None:
    connected = connection.connection.dbapi_connection
    return connected if isinstance(connected, sqlite3.Connection) else None


def _begin(connection: Connection) -> None:
    """What changes rows does so in a transaction, whoever calls it; the driver would not open one."""
    if not connection.in_transaction():
        connection.begin()
