"""Memories in the orders they are listed in: those of an actor by time, and all of an org as they were stored.

Without these, a page is found by sorting all there are, or by passing over those of everybody else.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    live = sa.text("deleted_at IS NULL")
    op.create_index(
        "ix_memories_actor_time",
        "memories",
        ["org_id", "actor_id", "observed_at", "memory_id"],
        sqlite_where=live,
        postgresql_where=live,
    )
    op.create_index("ix_memories_org_id_created_at_memory_id", "memories", ["org_id", "created_at", "memory_id"])
