"""How far a copy of a whole database got, kept in the copy itself until it is finished.

The table is there only while a copy is unfinished: a server that finds it does not start.
"""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, MetaData, Table, Text, inspect, select

from memcairn.domain.errors import Conflict
from memcairn.store import rows
from memcairn.store.dialect import upsert

_apart = MetaData()
_unfinished = Table(
    "unfinished_copy",
    _apart,
    Column("part", Text, primary_key=True),
    Column("behind", Text, nullable=False),
    Column("copied", BigInteger, nullable=False),
)
SOURCE = ""
"""The part under which the name of the source is kept."""


def begin(connection: Connection, source: str) -> None:
    _apart.create_all(connection)
    note(connection, SOURCE, source, copied=0)


def source_of(connection: Connection) -> str | None:
    """What this database is an unfinished copy of; None when it is none."""
    if not inspect(connection).has_table(_unfinished.name):
        return None
    found: str = connection.execute(select(_unfinished.c.behind).where(_unfinished.c.part == SOURCE)).scalar_one()
    return found


def refuse_half_a_copy(connection: Connection) -> None:
    """Conflict when this database is an unfinished copy of another one."""
    source = source_of(connection)
    if source is not None:
        raise Conflict(
            f"This database is a copy of {source} that is not finished. Run the same `memcairn migrate-db` again: it "
            "goes on where it was.",
            code="copy_unfinished",
        )


def note(connection: Connection, part: str, behind: str, *, copied: int) -> None:
    """Everything of a part up to `behind` is copied, `copied` rows of it by now."""
    statement = upsert(connection, _unfinished).values(part=part, behind=behind, copied=copied)
    values = {"behind": behind, "copied": copied}
    connection.execute(statement.on_conflict_do_update(index_elements=["part"], set_=values))


def reached(connection: Connection, part: str) -> tuple[str, int] | None:
    """Where a part stands: what it is copied up to, and how many rows that were; None before its first."""
    row = connection.execute(select(_unfinished).where(_unfinished.c.part == part)).one_or_none()
    return None if row is None else (row.behind, row.copied)


def finish(connection: Connection) -> None:
    _apart.drop_all(connection)


def key_text(table: Table, values: rows.Values) -> str:
    """The key of a row as one text."""
    return json.dumps(
        list(rows.encoded(table, dict(zip(_key_names(table), rows.key_of(table, values), strict=True))).values())
    )


def key_from(table: Table, text: str) -> Sequence[Any]:
    """The key that `key_text` wrote."""
    given = dict(zip(_key_names(table), json.loads(text), strict=True))
    others = [column.name for column in table.c if column.name not in given]
    return [rows.decoded(table, given, given_elsewhere=others)[name] for name in _key_names(table)]


def _key_names(table: Table) -> list[str]:
    return [column.name for column in table.primary_key.columns]
