"""Provenance: the key and the door every event came through, and how far keys, events and memories are trusted."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TRUSTED = ("api_keys", "events", "memories")


def upgrade() -> None:
    op.add_column("events", sa.Column("key_id", sa.String(length=64), nullable=True))
    op.add_column("events", sa.Column("channel", sa.String(length=16), nullable=True))
    for table in _TRUSTED:
        op.add_column(table, sa.Column("trust", sa.SmallInteger(), server_default=sa.text("1"), nullable=False))
