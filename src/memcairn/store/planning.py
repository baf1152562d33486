"""What Postgres' planner knows of our tables, while they grow faster than autovacuum looks at them.

Without statistics it takes any index that begins with `org_id` for as good as the primary key: each check of a foreign
key then walks through the whole org. Autovacuum comes once a minute; a new database is filled sooner.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from memcairn.store.schema import metadata

LEAST_BYTES = 256 * 2**10
GROWN_TIMES = 4
"""How much larger than at its last analysis a table is when it is analysed again."""

_OUTGROWN = text(
    """
    SELECT relname FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND relname = ANY(CAST(:tables AS text[]))
      AND pg_relation_size(oid) > greatest(:least, :times * relpages * current_setting('block_size')::bigint)
    ORDER BY relname
    """
)


def outgrown(connection: Connection) -> Sequence[str]:
    """The tables whose statistics speak of a far smaller one; none on SQLite, whose statistics are given: see
    `store.estimates`."""
    if connection.dialect.name != "postgresql":
        return ()
    bound = {"tables": sorted(metadata.tables), "least": LEAST_BYTES, "times": GROWN_TIMES}
    return connection.execute(_OUTGROWN, bound).scalars().all()


def analyse(connection: Connection, tables: Sequence[str]) -> None:
    """Take their statistics anew; one that somebody else is analysing is passed over."""
    quote = connection.dialect.identifier_preparer.quote
    for name in tables:
        connection.exec_driver_sql(f"ANALYZE (SKIP_LOCKED) {quote(name)}")
