"""The index on Postgres: words as tsvector, vectors as halfvec, and slots for writers at once."""

import sqlalchemy as sa
from alembic import op

from memcairn.store.migrations.dialects import run_for

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "index_slots",
        sa.Column("org_id", sa.String(length=256), nullable=False),
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("last_row", sa.BigInteger(), nullable=False),
        sa.Column("resets", sa.BigInteger(), nullable=False),
        sa.Column("row_count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "slot", name="pk_index_slots"),
    )
    op.create_table(
        "index_terms",
        sa.Column("org_id", sa.String(length=256), nullable=False),
        sa.Column("scope_key", sa.String(length=280), nullable=False),
        sa.Column("term", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("row_count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "scope_key", "term", name="pk_index_terms"),
    )
    # No earlier program could search on Postgres: there are no rows to carry over.
    run_for(
        postgres=[
            "ALTER TABLE index_rows DROP COLUMN vector",
            "ALTER TABLE index_rows ADD COLUMN vector halfvec",
            "ALTER TABLE index_rows ADD COLUMN words tsvector",
            "ALTER TABLE index_rows ADD COLUMN mapped boolean NOT NULL DEFAULT false",
            "CREATE INDEX ix_index_rows_words ON index_rows USING gin (words)",
            "CREATE INDEX ix_index_rows_unmapped ON index_rows (org_id, row_number) WHERE NOT mapped",
            # Rows of both are changed in place again and again: room on their pages keeps the indexes out of it.
            "ALTER TABLE index_terms SET (fillfactor = 70)",
            "ALTER TABLE index_scopes SET (fillfactor = 50)",
            "ALTER TABLE index_slots SET (fillfactor = 20)",
        ],
    )
