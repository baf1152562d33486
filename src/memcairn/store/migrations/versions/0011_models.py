"""Models: which rows of the index have a vector of which embedder, found without reading them."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_index_rows_org_id_model", "index_rows", ["org_id", "model"])
