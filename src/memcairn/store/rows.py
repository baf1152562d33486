"""Rows of any table as plain values: read in the order of their keys, written elsewhere, compared by their hash.

Everything here is read off the schema, so that a table that is added to it is moved with the others. What a search
index derives (tables named `index_…`) is left behind: it is made again where it is needed.
"""

import base64
import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Float,
    FromClause,
    Integer,
    LargeBinary,
    String,
    Table,
    and_,
    delete,
    exists,
    func,
    or_,
    select,
)

from memcairn.domain.errors import Invalid
from memcairn.store import prepared
from memcairn.store.paging import behind
from memcairn.store.schema import UtcDateTime, metadata

INDEX_PREFIX = "index_"
"""Of the names of tables and counters that belong to a search index."""

_EXACT_UP_TO = 1 << 53
"""Whole numbers a float holds exactly: JSON on Postgres does not tell 1e22 from the whole number."""

_LARGEST = 1 << 63

Values = Mapping[str, Any]


def moved_tables() -> list[Table]:
    """Every table that is not derived, those that are referred to before those that refer to them, jobs last."""
    kept = [table for table in metadata.sorted_tables if not table.name.startswith(INDEX_PREFIX)]
    return sorted(kept, key=lambda table: table.name == "jobs")


def page(
    connection: Connection,
    table: Table,
    *,
    after: Sequence[Any] | None,
    limit: int,
    org_id: str | None = None,
    live: bool = False,
) -> list[dict[str, Any]]:
    """Up to `limit` rows behind the key `after`, in the order of the primary key; of one org, if it is given.

    `live` leaves out what is deleted, and what refers to such a row.
    """
    key = list(table.primary_key.columns)
    statement = select(table).order_by(*key).limit(limit).where(*(_live(table, table) if live else ()))
    if org_id is not None:
        statement = statement.where(table.c.org_id == org_id)
    if after is not None:
        # Without the org, if it is given: SQLite compares the rest of a key in the index only where that stands alone.
        told = 1 if org_id is not None and key[0].name == "org_id" else 0
        if told == len(key):
            return []
        statement = statement.where(behind(key[told:], after[told:]))
    if table.name == "counters":
        statement = statement.where(table.c.name.not_like(f"{INDEX_PREFIX}%", escape="\\"))
    return [dict(row._mapping) for row in connection.execute(statement)]


def keys(connection: Connection, table: Table, *, after: Sequence[Any] | None, limit: int) -> list[list[Any]]:
    """The keys of a page, without reading anything else of its rows."""
    key = list(table.primary_key.columns)
    statement = select(*key).order_by(*key).limit(limit)
    if after is not None:
        statement = statement.where(behind(key, after))
    return [list(row) for row in connection.execute(statement)]


def at(connection: Connection, table: Table, key: Sequence[Any]) -> dict[str, Any]:
    """The row of a key that is there."""
    mine = [column == value for column, value in zip(table.primary_key.columns, key, strict=True)]
    return dict(connection.execute(select(table).where(*mine)).one()._mapping)


def key_of(table: Table, values: Values) -> list[Any]:
    return [values[column.name] for column in table.primary_key.columns]


def count(connection: Connection, table: Table, org_id: str | None = None, *, live: bool = False) -> int:
    """How many rows would be moved."""
    conditions = _live(table, table) if live else []
    if org_id is not None:
        conditions.append(table.c.org_id == org_id)
    if table.name == "counters":
        conditions.append(table.c.name.not_like(f"{INDEX_PREFIX}%", escape="\\"))
    return int(connection.execute(select(func.count()).select_from(table).where(and_(True, *conditions))).scalar_one())


def add(connection: Connection, table: Table, rows: Sequence[Values]) -> None:
    prepared.add(connection, table, rows)


def remove_org(connection: Connection, table: Table, org_id: str, *, but_for: str | None = None) -> int:
    """Remove every row of an org, but for the one of the name `but_for`; returns how many there were."""
    statement = delete(table).where(table.c.org_id == org_id)
    if but_for is not None:
        statement = statement.where(table.c.name != but_for)
    return connection.execute(statement).rowcount


def encoded(table: Table, values: Values) -> dict[str, Any]:
    """The values as JSON can say them: times in ISO 8601, bytes in base64."""
    return {name: _encoded(value) for name, value in values.items() if name in table.c}


def decoded(table: Table, given: object, *, given_elsewhere: Collection[str] = ()) -> dict[str, Any]:
    """The values of a row that was `encoded`; Invalid when they are not those of this table.

    A column that is left out takes its default, if it has one: a file may be older than the column. Those
    `given_elsewhere` must be left out.
    """
    if not isinstance(given, dict):
        raise _unusable(table, "it is no JSON object")
    columns = [column for column in table.c if column.name not in given_elsewhere]
    unknown = sorted(given.keys() - {column.name for column in columns})
    if unknown:
        raise _unusable(table, f"this version knows no column {unknown[0]!r}; upgrade it")
    return {column.name: _decoded(table, column, given) for column in columns if not _left_out(table, column, given)}


@dataclass(slots=True)
class RowHash:
    """A hash over rows in any order: equal for equal rows, on whichever database they lie."""

    count: int = 0
    total: int = 0

    def add(self, table: Table, values: Values) -> None:
        plain = json.dumps(_plain(encoded(table, values)), sort_keys=True, separators=(",", ":"))
        self.count += 1
        self.total = (self.total + int.from_bytes(hashlib.sha256(plain.encode()).digest())) % (1 << 256)

    @property
    def hexdigest(self) -> str:
        return f"{self.total:064x}"


def in_base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def from_base64(text: object) -> bytes:
    """ValueError when it is nothing of the kind."""
    if not isinstance(text, str):
        raise ValueError("bytes are written as base64")
    return base64.b64decode(text, validate=True)


def _live(table: FromClause, schema: Table) -> list[ColumnElement[bool]]:
    """What holds for a row that is not deleted and refers to none that is."""
    conditions: list[ColumnElement[bool]] = []
    if "deleted_at" in table.c:
        conditions.append(table.c.deleted_at.is_(None))
    for reference in schema.foreign_key_constraints:
        schema_of_parent = metadata.tables[reference.referred_table.name]
        parent = schema_of_parent.alias()
        of_parent = _live(parent, schema_of_parent)
        if of_parent:
            pairs = [(table.c[pair.parent.name], parent.c[pair.column.name]) for pair in reference.elements]
            found = exists().where(*(mine == theirs for mine, theirs in pairs), *of_parent)
            conditions.append(or_(found, *(mine.is_(None) for mine, _ in pairs if mine.nullable)))
    return conditions


def _left_out(table: Table, column: Column[Any], given: Values) -> bool:
    if column.name in given:
        return False
    if column.nullable or column.default is not None or column.server_default is not None:
        return True
    raise _unusable(table, f"it lacks the column {column.name!r}")


def _encoded(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return in_base64(value) if isinstance(value, bytes) else value


def _decoded(table: Table, column: Column[Any], given: Values) -> Any:
    value = given[column.name]
    if value is None:
        if column.nullable:
            return None
        raise _unusable(table, f"{column.name!r} must have a value")
    try:
        if isinstance(column.type, UtcDateTime):
            return _time(value)
        if isinstance(column.type, LargeBinary):
            return from_base64(value)
    except (ValueError, TypeError):
        raise _unusable(table, f"{column.name!r} cannot be read") from None
    expected = next((kinds for kind, kinds in _PLAIN_TYPES.items() if isinstance(column.type, kind)), None)
    if expected is not None and (not isinstance(value, expected) or isinstance(value, bool) is not (expected is bool)):
        raise _unusable(table, f"{column.name!r} is of the wrong type")
    if isinstance(column.type, Integer) and not -_LARGEST <= value < _LARGEST:
        raise _unusable(table, f"{column.name!r} is out of range")
    if isinstance(column.type, String) and column.type.length is not None and len(value) > column.type.length:
        raise _unusable(table, f"{column.name!r} is longer than {column.type.length} characters")
    return value


_PLAIN_TYPES: Mapping[type[Any], type | tuple[type, ...]] = {
    Boolean: bool,
    String: str,
    Float: (int, float),
    Integer: int,
}


def _time(value: str) -> datetime:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment


def _unusable(table: Table, why: str) -> Invalid:
    return Invalid(f"A row of {table.name} cannot be taken: {why}.", code="invalid_row")


def _plain(value: object) -> object:
    """The same for values that JSON on one of the databases does not tell apart."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if abs(value) >= _EXACT_UP_TO:
        try:
            return f"{float(value)!r}"
        except OverflowError:
            return str(value)
    return int(value) if value == int(value) else value
