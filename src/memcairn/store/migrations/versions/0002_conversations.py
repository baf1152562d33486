"""Conversations: summaries, collections with their documents, and receipts of erasures."""

import sqlalchemy as sa
from alembic import op

from memcairn.store.migrations.columns import Document, UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "collections",
        sa.Column("org_id", sa.String(length=256), nullable=False),
        sa.Column("collection_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("metadata", Document, nullable=False),
        sa.Column("embedding_dimensions", sa.Integer(), nullable=False),
        sa.Column("is_auto_embedded", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("org_id", "collection_id", name="pk_collections"),
        sa.UniqueConstraint("org_id", "name", name="uq_collections_org_id_name"),
    )
    op.create_table(
        "erasures",
        sa.Column("org_id", sa.String(length=256), nullable=False),
        sa.Column("erasure_id", sa.String(length=36), nullable=False),
        sa.Column("counts", Document, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("org_id", "erasure_id", name="pk_erasures"),
    )
    op.create_table(
        "documents",
        sa.Column("org_id", sa.String(length=256), nullable=False),
        sa.Column("document_uuid", sa.String(length=36), nullable=False),
        sa.Column("collection_id", sa.String(length=36), nullable=False),
        sa.Column("document_id", sa.String(length=100), nullable=True),
        sa.Column("model", sa.String(length=128), nullable=True),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("deleted_at", UtcDateTime, nullable=True),
        sa.Column("metadata", Document, nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["org_id", "collection_id"],
            ["collections.org_id", "collections.collection_id"],
            name="fk_documents_org_id_collection_id_collections",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("org_id", "document_uuid", name="pk_documents"),
        sa.UniqueConstraint(
            "org_id", "collection_id", "document_id", name="uq_documents_org_id_collection_id_document_id"
        ),
    )
    op.create_index(
        "ix_documents_org_id_collection_id_document_uuid",
        "documents",
        ["org_id", "collection_id", "document_uuid"],
        unique=False,
    )
    op.create_table(
        "summaries",
        sa.Column("org_id", sa.String(length=256), nullable=False),
        sa.Column("summary_id", sa.String(length=36), nullable=False),
        sa.Column("session_id", sa.String(length=256), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("token_count", sa.Integer(), nullable=False),
        sa.Column("metadata", Document, nullable=False),
        sa.Column("up_to_position", sa.BigInteger(), nullable=False),
        sa.Column("up_to_event_id", sa.String(length=256), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=True),
        sa.Column("model", sa.String(length=128), nullable=True),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("deleted_at", UtcDateTime, nullable=True),
        sa.ForeignKeyConstraint(
            ["org_id", "session_id"],
            ["sessions.org_id", "sessions.session_id"],
            name="fk_summaries_org_id_session_id_sessions",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("org_id", "summary_id", name="pk_summaries"),
    )
    op.create_index(
        "ix_summaries_org_id_session_id_up_to_position",
        "summaries",
        ["org_id", "session_id", "up_to_position"],
        unique=False,
    )
    _index_deletions()


def _index_deletions() -> None:
    """What a purge looks for is a small part of its table."""
    for table in ("sessions", "events", "memories", "summaries", "documents"):
        where = sa.text("deleted_at IS NOT NULL")
        op.create_index(
            f"ix_{table}_deleted", table, ["org_id", "deleted_at"], sqlite_where=where, postgresql_where=where
        )
    where = sa.text("supersedes IS NOT NULL")
    op.create_index(
        "ix_memories_supersedes", "memories", ["org_id", "supersedes"], sqlite_where=where, postgresql_where=where
    )
    op.drop_index("ix_sessions_org_id_user_id", "sessions")
    op.create_index("ix_sessions_org_id_user_id_number", "sessions", ["org_id", "user_id", "number"])
