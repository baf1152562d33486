"""Events by the time they were said, for consoles that page through them."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_PRESENT = sa.text("deleted_at IS NULL")


def upgrade() -> None:
    op.create_index(
        "ix_events_time",
        "events",
        ["org_id", "occurred_at", "created_at", "position", "event_id", "deleted_at"],
        sqlite_where=_PRESENT,
        postgresql_where=_PRESENT,
    )
