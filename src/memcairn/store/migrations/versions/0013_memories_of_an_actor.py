"""Memories of an actor in the order they are listed in.

Without it, a page of an actor's memories is found by sorting all of them, or by passing over those of everybody else.
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
