"""The first tables: orgs, keys, the event log, memories, their index, and the queue."""

import sqlalchemy as sa
from alembic import op

from memcairn.store.migrations.columns import Document, UtcDateTime
from memcairn.store.migrations.dialects import run_for

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "counters",
        sa.Column("org_id", sa.String(length=256), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "name", name="pk_counters"),
    )
    op.create_table(
        "idempotency",
        sa.Column("org_id", sa.String(length=256), nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("idempotency_key", sa.String(length=256), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", Document, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("org_id", "key_id", "idempotency_key", name="pk_idempotency"),
    )
    op.create_index("ix_idempotency_org_id_created_at", "idempotency", ["org_id", "created_at"], unique=False)
    op.create_table(
        "index_rows",
        sa.Column("org_id", sa.String(length=256), nullable=False),
        sa.Column("memory_id", sa.String(length=36), nullable=False),
        sa.Column("segment", sa.Integer(), nullable=False),
        sa.Column("row_number", sa.BigInteger(), nullable=False),
        sa.Column("scope_key", sa.String(length=280), nullable=False),
        sa.Column("session_id", sa.String(length=256), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("source", sa.String(length=256), nullable=False),
        sa.Column("speaker", sa.Text(), nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("traits", sa.Integer(), nullable=False),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False),
        sa.Column("terms", sa.LargeBinary(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=True),
        sa.Column("model", sa.String(length=128), nullable=True),
        sa.PrimaryKeyConstraint("org_id", "memory_id", "segment", name="pk_index_rows"),
        sa.UniqueConstraint("org_id", "row_number", name="uq_index_rows_org_id_row_number"),
    )
    op.create_index(
        "ix_index_rows_org_id_scope_key_row_number", "index_rows", ["org_id", "scope_key", "row_number"], unique=False
    )
    op.create_index(
        "ix_index_rows_org_id_session_id_position", "index_rows", ["org_id", "session_id", "position"], unique=False
    )
    op.create_table(
        "index_scopes",
        sa.Column("org_id", sa.String(length=256), nullable=False),
        sa.Column("scope_key", sa.String(length=280), nullable=False),
        sa.Column("last_row", sa.BigInteger(), nullable=False),
        sa.Column("resets", sa.BigInteger(), nullable=False),
        sa.Column("row_count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "scope_key", name="pk_index_scopes"),
    )
    op.create_table(
        "jobs",
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("org_id", sa.String(length=256), nullable=False),
        sa.Column("task", sa.String(length=32), nullable=False),
        sa.Column("serial_key", sa.String(length=540), nullable=False),
        sa.Column("payload", Document, nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("run_at", UtcDateTime, nullable=False),
        sa.Column("lease_until", UtcDateTime, nullable=True),
        sa.Column("fencing_token", sa.BigInteger(), nullable=False),
        sa.Column("worker_id", sa.String(length=64), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("job_id", name="pk_jobs"),
        info={"tenancy": "global"},
    )
    op.create_index("ix_jobs_org_id_status_job_id", "jobs", ["org_id", "status", "job_id"], unique=False)
    op.create_index("ix_jobs_serial_key_job_id", "jobs", ["serial_key", "job_id"], unique=False)
    op.create_index("ix_jobs_status_run_at", "jobs", ["status", "run_at"], unique=False)
    op.create_table(
        "memories",
        sa.Column("org_id", sa.String(length=256), nullable=False),
        sa.Column("memory_id", sa.String(length=36), nullable=False),
        sa.Column("scope_key", sa.String(length=280), nullable=False),
        sa.Column("level", sa.String(length=8), nullable=False),
        sa.Column("actor_id", sa.String(length=256), nullable=True),
        sa.Column("role_id", sa.String(length=256), nullable=True),
        sa.Column("team_id", sa.String(length=256), nullable=True),
        sa.Column("session_id", sa.String(length=256), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("speaker", sa.Text(), nullable=True),
        sa.Column("slot", sa.String(length=64), nullable=True),
        sa.Column("slot_key", sa.Text(), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("tags", Document, nullable=False),
        sa.Column("entities", Document, nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("strength", sa.Float(), nullable=False),
        sa.Column("recall_count", sa.Integer(), nullable=False),
        sa.Column("last_recalled_at", UtcDateTime, nullable=True),
        sa.Column("half_life_days", sa.Float(), nullable=False),
        sa.Column("pinned", sa.Boolean(), nullable=False),
        sa.Column("observed_at", UtcDateTime, nullable=False),
        sa.Column("valid_from", UtcDateTime, nullable=True),
        sa.Column("valid_to", UtcDateTime, nullable=True),
        sa.Column("supersedes", sa.String(length=36), nullable=True),
        sa.Column("metadata", Document, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("deleted_at", UtcDateTime, nullable=True),
        sa.CheckConstraint("confidence >= 0 AND confidence <= 1", name="ck_memories_confidence_in_range"),
        sa.CheckConstraint("strength >= 0 AND strength <= 5", name="ck_memories_strength_in_range"),
        sa.PrimaryKeyConstraint("org_id", "memory_id", name="pk_memories"),
    )
    op.create_index(
        "ix_memories_org_id_observed_at_memory_id", "memories", ["org_id", "observed_at", "memory_id"], unique=False
    )
    op.create_index("ix_memories_org_id_scope_key_digest", "memories", ["org_id", "scope_key", "digest"], unique=False)
    op.create_index(
        "ix_memories_org_id_scope_key_slot_key", "memories", ["org_id", "scope_key", "slot_key"], unique=False
    )
    op.create_index("ix_memories_org_id_session_id", "memories", ["org_id", "session_id"], unique=False)
    op.create_table(
        "orgs",
        sa.Column("org_id", sa.String(length=256), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("focus", sa.Text(), nullable=False),
        sa.Column("promotion_prompt", sa.Text(), nullable=False),
        sa.Column("prompt_meta", Document, nullable=True),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("org_id", name="pk_orgs"),
        sa.UniqueConstraint("number", name="uq_orgs_number"),
        info={"tenancy": "global"},
    )
    op.create_table(
        "users",
        sa.Column("org_id", sa.String(length=256), nullable=False),
        sa.Column("user_id", sa.String(length=256), nullable=False),
        sa.Column("user_uuid", sa.String(length=36), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("first_name", sa.Text(), nullable=True),
        sa.Column("last_name", sa.Text(), nullable=True),
        sa.Column("metadata", Document, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("org_id", "user_id", name="pk_users"),
        sa.UniqueConstraint("org_id", "number", name="uq_users_org_id_number"),
    )
    op.create_table(
        "api_keys",
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("org_id", sa.String(length=256), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("prefix", sa.String(length=64), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("scopes", Document, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=True),
        sa.Column("last_used_at", UtcDateTime, nullable=True),
        sa.Column("revoked_at", UtcDateTime, nullable=True),
        sa.ForeignKeyConstraint(["org_id"], ["orgs.org_id"], name="fk_api_keys_org_id_orgs"),
        sa.PrimaryKeyConstraint("key_id", name="pk_api_keys"),
        info={"tenancy": "global"},
    )
    op.create_index("ix_api_keys_org_id_created_at", "api_keys", ["org_id", "created_at"], unique=False)
    op.create_table(
        "memory_history",
        sa.Column("org_id", sa.String(length=256), nullable=False),
        sa.Column("change_id", sa.String(length=36), nullable=False),
        sa.Column("memory_id", sa.String(length=36), nullable=False),
        sa.Column("change", sa.String(length=24), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("before", Document, nullable=True),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id", "memory_id"],
            ["memories.org_id", "memories.memory_id"],
            name="fk_memory_history_org_id_memory_id_memories",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("org_id", "change_id", name="pk_memory_history"),
    )
    op.create_index(
        "ix_memory_history_org_id_memory_id_change_id",
        "memory_history",
        ["org_id", "memory_id", "change_id"],
        unique=False,
    )
    op.create_table(
        "sessions",
        sa.Column("org_id", sa.String(length=256), nullable=False),
        sa.Column("session_id", sa.String(length=256), nullable=False),
        sa.Column("session_uuid", sa.String(length=36), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.String(length=256), nullable=True),
        sa.Column("metadata", Document, nullable=True),
        sa.Column("last_position", sa.BigInteger(), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("deleted_at", UtcDateTime, nullable=True),
        sa.ForeignKeyConstraint(
            ["org_id", "user_id"], ["users.org_id", "users.user_id"], name="fk_sessions_org_id_user_id_users"
        ),
        sa.PrimaryKeyConstraint("org_id", "session_id", name="pk_sessions"),
        sa.UniqueConstraint("org_id", "number", name="uq_sessions_org_id_number"),
    )
    op.create_index("ix_sessions_org_id_user_id", "sessions", ["org_id", "user_id"], unique=False)
    op.create_table(
        "events",
        sa.Column("org_id", sa.String(length=256), nullable=False),
        sa.Column("event_id", sa.String(length=256), nullable=False),
        sa.Column("session_id", sa.String(length=256), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("actor_id", sa.String(length=256), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("role", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("token_count", sa.Integer(), nullable=False),
        sa.Column("metadata", Document, nullable=False),
        sa.Column("role_id", sa.String(length=256), nullable=True),
        sa.Column("team_id", sa.String(length=256), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("digest", sa.LargeBinary(length=16), nullable=False),
        sa.Column("occurred_at", UtcDateTime, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("deleted_at", UtcDateTime, nullable=True),
        sa.Column("held", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id", "session_id"],
            ["sessions.org_id", "sessions.session_id"],
            name="fk_events_org_id_session_id_sessions",
        ),
        sa.PrimaryKeyConstraint("org_id", "event_id", name="pk_events"),
        sa.UniqueConstraint("org_id", "session_id", "position", name="uq_events_org_id_session_id_position"),
    )
    op.create_index(
        "ix_events_org_id_actor_id_created_at", "events", ["org_id", "actor_id", "created_at"], unique=False
    )
    op.create_index(
        "ix_events_org_id_created_at_position_event_id",
        "events",
        ["org_id", "created_at", "position", "event_id"],
        unique=False,
    )
    op.create_index("ix_events_org_id_digest_created_at", "events", ["org_id", "digest", "created_at"], unique=False)
    op.create_index(
        "ix_events_pending",
        "events",
        ["org_id", "created_at"],
        unique=False,
        sqlite_where=sa.text("status = 'pending'"),
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_table(
        "memory_sources",
        sa.Column("org_id", sa.String(length=256), nullable=False),
        sa.Column("memory_id", sa.String(length=36), nullable=False),
        sa.Column("event_id", sa.String(length=256), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["org_id", "event_id"],
            ["events.org_id", "events.event_id"],
            name="fk_memory_sources_org_id_event_id_events",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["org_id", "memory_id"],
            ["memories.org_id", "memories.memory_id"],
            name="fk_memory_sources_org_id_memory_id_memories",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("org_id", "memory_id", "event_id", name="pk_memory_sources"),
    )
    op.create_index("ix_memory_sources_org_id_event_id", "memory_sources", ["org_id", "event_id"], unique=False)
    run_for(
        sqlite=[
            "CREATE VIRTUAL TABLE memory_words USING fts5("
            "scope, words, detail = column, tokenize = \"unicode61 remove_diacritics 0 categories 'L* N* M* Co'\")"
        ],
    )
