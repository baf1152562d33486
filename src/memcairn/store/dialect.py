"""The few words in which the two databases differ outside the index."""

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

UpsertInsert = sqlite.Insert | postgresql.Insert


def upsert(connection: Connection, table: Table) -> UpsertInsert:
    """An INSERT on which `on_conflict_do_update` and `on_conflict_do_nothing` can be called."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)
