"""What SQLite's planner is told of our tables, of which it knows nothing by itself.

Without statistics it takes ten rows for all that an org has, and goes through the whole org wherever that spares it a
sort or a look into the table. ANALYZE counts what is there at that moment; tables counted while they are small are
scanned ever after. So the figures are given: those of a hundred orgs with a hundred thousand rows in each table, which
are wrong for smaller ones, where no plan is slow. Their table: section 2.6.4 of SQLite's "Database File Format".
"""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection

from memcairn.store.schema import GLOBAL, metadata

ORGS = 100
ROWS = 100_000
"""Of an org."""
_LIKE_ONE_VALUE = {
    "actor_id": 200,
    "created_at": 10,
    "digest": 2,
    "event_id": 3,
    "memory_id": 3,
    "model": ROWS,
    "observed_at": 10,
    "occurred_at": 10,
    "role_id": ROWS // 10,
    "scope_key": 1_000,
    "session_id": 50,
    "slot_key": 3,
    "supersedes": 2,
    "supporting_memory_id": 3,
    "team_id": ROWS // 10,
    "user_id": 20,
}
"""Rows of an org that have one value of a column; any other column is taken for one with a hundred."""
_OTHERS = 100
_PARTIAL = {
    "ix_events_groups": ROWS // 10,
    "ix_events_time": ROWS,
    "ix_memories_actor": ROWS,
    "ix_memories_actor_time": ROWS,
    "ix_memories_supersedes": ROWS // 10,
}
"""Rows of an org in an index that leaves some out; what is pending or deleted is little."""
_LITTLE = 1_000


def give(connection: Connection) -> None:
    """Write the figures into a SQLite database that has none or others. On Postgres nothing is done."""
    if connection.dialect.name != "sqlite":
        return
    wanted = set(_figures(connection))
    if wanted == _present(connection):
        return
    # The table of figures cannot be made by hand, only by an analysis.
    connection.exec_driver_sql("ANALYZE alembic_version")
    connection.exec_driver_sql("DELETE FROM sqlite_stat1")
    connection.exec_driver_sql("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, ?, ?)", sorted(wanted))
    connection.exec_driver_sql("ANALYZE sqlite_schema")


def _present(connection: Connection) -> set[tuple[str, ...]]:
    if not connection.exec_driver_sql("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat1'").all():
        return set()
    return {tuple(row) for row in connection.exec_driver_sql("SELECT tbl, idx, stat FROM sqlite_stat1")}


def _figures(connection: Connection) -> Iterator[tuple[str, str, str]]:
    """Table, index and figures of every index whose rows are an org's."""
    for table in metadata.sorted_tables:
        if "org_id" not in table.c or table.info == GLOBAL:
            continue
        quoted = connection.dialect.identifier_preparer.quote(table.name)
        for _, name, unique, _, partial in connection.exec_driver_sql(f"PRAGMA index_list({quoted})").all():
            columns = [row[2] for row in connection.exec_driver_sql(f"PRAGMA index_info({name})")]
            rows = _PARTIAL.get(name, _LITTLE) if partial else ROWS
            yield table.name, name, " ".join(str(number) for number in _numbers(columns, rows, unique=bool(unique)))


def _numbers(columns: Sequence[str], rows: int, *, unique: bool) -> list[int]:
    """The rows of an index, and how many of them are alike in its first column, its first two, and so on."""
    alike = [ORGS * rows]
    for column in columns:
        alike.append(rows if column == "org_id" else min(alike[-1], _LIKE_ONE_VALUE.get(column, _OTHERS)))
    if unique:
        alike[-1] = 1
    return alike
