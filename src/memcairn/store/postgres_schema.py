"""What a Postgres database must have before and after the revisions."""

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from memcairn.domain.errors import Unavailable

OLDEST_SERVER = 15
OLDEST_VECTOR = (0, 8)

_CAREFUL = ("fsync", "full_page_writes", "synchronous_commit")

_MIGRATING = 0x6D656D6361697203
"""The number of the lock under which a database is migrated; any that no other program takes."""

_TEXTS_OF_ANOTHER_ORDER = text(
    """
    SELECT c.relname AS table_name, a.attname AS column_name, format_type(a.atttypid, a.atttypmod) AS type_name
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_collation o ON o.oid = a.attcollation
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND c.relname = ANY(:tables)
      AND a.attnum > 0 AND NOT a.attisdropped AND o.collname <> 'C'
    ORDER BY c.relname, a.attnum
    """
)


def prepare(connection: Connection) -> None:
    """Wait for whoever is migrating, and make sure of server and extension; Unavailable says what is missing."""
    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
    connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _MIGRATING})
    _require_server(connection)
    _require_vector(connection)


def order_by_bytes(connection: Connection, tables: list[str]) -> None:
    """Give every text column of `tables` the collation "C": the order of SQLite and of Python, wherever the server is.

    Cheap for columns that have just been made, and nothing is done for those that have it already.
    """
    quote = connection.dialect.identifier_preparer.quote
    for row in connection.execute(_TEXTS_OF_ANOTHER_ORDER, {"tables": tables}).all():
        connection.exec_driver_sql(
            f"ALTER TABLE {quote(row.table_name)} ALTER COLUMN {quote(row.column_name)} "
            f'TYPE {row.type_name} COLLATE "C"'
        )


def described(connection: Connection) -> str:
    """Which server it is, for people."""
    version = connection.exec_driver_sql("SHOW server_version").scalar_one()
    return f"PostgreSQL {version}, pgvector {_vector_version(connection) or 'not installed yet'}"


def careless(connection: Connection) -> list[str]:
    """The settings of the server by which a crash may lose what was acknowledged; none as it comes."""
    values = {name: connection.exec_driver_sql(f"SHOW {name}").scalar_one() for name in _CAREFUL}
    return [f"{name} = {value}" for name, value in values.items() if value == "off"]


def _require_server(connection: Connection) -> None:
    number = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one())
    if number < OLDEST_SERVER * 10_000:
        raise Unavailable(
            f"The database server is PostgreSQL {number // 10_000}; Memcairn needs {OLDEST_SERVER} or newer. Upgrade "
            "it, or point DATABASE_URL at another one.",
            code="postgres_version",
        )


def _require_vector(connection: Connection) -> None:
    oldest = ".".join(map(str, OLDEST_VECTOR))
    found = _vector_version(connection)
    if found is None:
        try:
            with connection.begin_nested():
                connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS vector")
        except DBAPIError as error:
            raise Unavailable(
                f"The database has no pgvector, and it cannot be made: {str(error.orig).splitlines()[0]}. Install "
                f"pgvector {oldest} or newer on the database server (package postgresql-NN-pgvector, or an image that "
                "has it), then run CREATE EXTENSION vector in this database as its owner.",
                code="pgvector_missing",
            ) from error
        found = _vector_version(connection)
    if found is None or tuple(int(part) for part in found.split(".")[:2]) < OLDEST_VECTOR:
        raise Unavailable(
            f"The database has pgvector {found}; Memcairn needs {oldest} or newer. Upgrade the package on the database "
            "server, then run ALTER EXTENSION vector UPDATE in this database.",
            code="pgvector_too_old",
        )


def _vector_version(connection: Connection) -> str | None:
    version: str | None = connection.exec_driver_sql(
        "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
    ).scalar_one_or_none()
    return version
