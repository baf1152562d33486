"""Promotion: where memories may rise to, and which memories support those that have risen."""

import sqlalchemy as sa
from alembic import op

from memcairn.store.migrations.columns import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "memory_groups",
        sa.Column("org_id", sa.String(length=256), nullable=False),
        sa.Column("scope_key", sa.String(length=280), nullable=False),
        sa.Column("memory_id", sa.String(length=36), nullable=False),
        sa.Column("terms", sa.LargeBinary(), nullable=True),
        _to_memories("memory_groups", "memory_id"),
        sa.PrimaryKeyConstraint("org_id", "scope_key", "memory_id", name="pk_memory_groups"),
    )
    op.create_index("ix_memory_groups_org_id_memory_id", "memory_groups", ["org_id", "memory_id"])
    where = sa.text("terms IS NULL")
    op.create_index(
        "ix_memory_groups_unread", "memory_groups", ["org_id", "scope_key"], sqlite_where=where, postgresql_where=where
    )
    op.create_table(
        "memory_support",
        sa.Column("org_id", sa.String(length=256), nullable=False),
        sa.Column("memory_id", sa.String(length=36), nullable=False),
        sa.Column("supporting_memory_id", sa.String(length=36), nullable=False),
        sa.Column("actor_id", sa.String(length=256), nullable=True),
        sa.Column("agreement", sa.Float(), nullable=False),
        sa.Column("worded", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        _to_memories("memory_support", "memory_id"),
        _to_memories("memory_support", "supporting_memory_id"),
        sa.PrimaryKeyConstraint("org_id", "memory_id", "supporting_memory_id", name="pk_memory_support"),
    )
    op.create_index(
        "ix_memory_support_org_id_supporting_memory_id", "memory_support", ["org_id", "supporting_memory_id"]
    )


def _to_memories(table: str, column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["org_id", column],
        ["memories.org_id", "memories.memory_id"],
        name=f"fk_{table}_org_id_{column}_memories",
        ondelete="CASCADE",
    )
