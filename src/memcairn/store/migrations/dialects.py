"""The one way a revision may say something to one database only."""

from collections.abc import Sequence

from alembic import op


def run_for(*, sqlite: Sequence[str] = (), postgres: Sequence[str] = ()) -> None:
    """Execute the statements meant for the database being migrated."""
    statements = {"sqlite": sqlite, "postgresql": postgres}[op.get_bind().dialect.name]
    for statement in statements:
        op.execute(statement)
