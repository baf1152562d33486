"""Bringing a database to the schema of this program: on start, or by `memcairn migrate`."""

import functools
import threading
from collections.abc import Sequence
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from memcairn.domain.errors import Conflict
from memcairn.store import copy_progress, estimates, postgres_schema
from memcairn.store.schema import metadata

_FOLDER = Path(__file__).parent / "migrations"

# Alembic hands its context to revisions through module-level names: one migration at a time in a process.
_alembic = threading.Lock()


def migrate(connection: Connection) -> list[str]:
    """Apply the revisions that are missing, all in the caller's transaction; returns their ids, oldest first.

    Two processes at once: the second waits for the first and finds nothing to do. A database made by a newer program
    is refused with Conflict, and so is a half copy; a Postgres server that lacks something with Unavailable.
    """
    on_postgres = connection.dialect.name == "postgresql"
    if on_postgres:
        postgres_schema.prepare(connection)
    copy_progress.refuse_half_a_copy(connection)
    before = current_revision(connection)
    known = known_revisions()
    if before is not None and before not in known:
        raise Conflict(
            f"The database has revision {before!r}, which this version of Memcairn does not know: a newer one made it. "
            "Upgrade the program (`pip install -U 'memcairn[server]'`) or point it at another database.",
            code="database_newer",
        )
    missing = list(known[known.index(before) + 1 :] if before is not None else known)
    if missing:
        with _alembic:
            command.upgrade(_config(connection), "head")
        if on_postgres:
            postgres_schema.order_by_bytes(connection, sorted(metadata.tables))
    estimates.give(connection)
    return missing


def current_revision(connection: Connection) -> str | None:
    """The revision of the database; None for an empty one."""
    revision: str | None = MigrationContext.configure(connection).get_current_revision()
    return revision


def head_revision() -> str:
    """The revision this program works with."""
    return known_revisions()[-1]


def has_tables(connection: Connection) -> bool:
    """Whether there is any table, of ours or not."""
    return bool(inspect(connection).get_table_names())


def drop_everything(connection: Connection) -> None:
    """Take a database back to what it was before the first revision."""
    metadata.drop_all(connection)
    connection.exec_driver_sql("DROP TABLE IF EXISTS alembic_version")


@functools.cache
def known_revisions() -> Sequence[str]:
    """Every revision this program can bring forward, oldest first: one after the other, without branches."""
    return [script.revision for script in reversed(list(ScriptDirectory(str(_FOLDER)).walk_revisions()))]


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.attributes["connection"] = connection
    return config
