"""Every table, once, for SQLite and Postgres.

Tenant tables carry `org_id` first in their primary key, unique constraints and foreign keys, and every statement on
them binds it: the schema then shards by `org_id`. Tables marked `global` in their `info` are small and rarely written
(`orgs`, `api_keys`) or are the queue, which lives unsharded beside the data it belongs to.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from memcairn.store.column_types import Document as Document
from memcairn.store.column_types import Id
from memcairn.store.column_types import UtcDateTime as UtcDateTime
from memcairn.store.column_types import metadata as metadata
from memcairn.store.index_schema import index_changes as index_changes
from memcairn.store.index_schema import index_rows as index_rows
from memcairn.store.index_schema import index_scopes as index_scopes
from memcairn.store.index_schema import index_slots as index_slots
from memcairn.store.index_schema import index_terms as index_terms

GLOBAL = {"tenancy": "global"}


def _id(name: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, Id, nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> Column[datetime]:
    return Column(name, UtcDateTime, nullable=nullable)


def _document(name: str) -> Column[Any]:
    return Column(name, Document, nullable=False)


def _trust() -> Column[int]:
    """See `domain.trust.Trust`; what is older than the column is of normal trust."""
    return Column("trust", SmallInteger, nullable=False, server_default=text("1"))


orgs = Table(
    "orgs",
    metadata,
    _id("org_id"),
    Column("number", BigInteger, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("focus", Text, nullable=False, default=""),
    Column("promotion_prompt", Text, nullable=False, default=""),
    Column("prompt_meta", Document),
    Column("quotas", Document),
    _time("created_at"),
    _time("updated_at"),
    PrimaryKeyConstraint("org_id"),
    info=GLOBAL,
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("key_id", String(64), nullable=False),
    _id("org_id"),
    Column("name", Text, nullable=False),
    Column("prefix", String(64), nullable=False),
    Column("secret_hash", LargeBinary(32), nullable=False),
    _document("scopes"),
    _time("created_at"),
    _time("expires_at", nullable=True),
    _time("last_used_at", nullable=True),
    _time("revoked_at", nullable=True),
    _trust(),
    PrimaryKeyConstraint("key_id"),
    ForeignKeyConstraint(["org_id"], ["orgs.org_id"]),
    Index(None, "org_id", "created_at"),
    info=GLOBAL,
)

users = Table(
    "users",
    metadata,
    _id("org_id"),
    _id("user_id"),
    Column("user_uuid", String(36), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("email", Text),
    Column("first_name", Text),
    Column("last_name", Text),
    _document("metadata"),
    _time("created_at"),
    _time("updated_at"),
    PrimaryKeyConstraint("org_id", "user_id"),
    UniqueConstraint("org_id", "number"),
)

_DELETED = text("deleted_at IS NOT NULL")

sessions = Table(
    "sessions",
    metadata,
    _id("org_id"),
    _id("session_id"),
    Column("session_uuid", String(36), nullable=False),
    Column("number", BigInteger, nullable=False),
    _id("user_id", nullable=True),
    Column("metadata", Document),
    Column("last_position", BigInteger, nullable=False, default=0),
    _time("created_at"),
    _time("updated_at"),
    _time("deleted_at", nullable=True),
    PrimaryKeyConstraint("org_id", "session_id"),
    UniqueConstraint("org_id", "number"),
    ForeignKeyConstraint(["org_id", "user_id"], ["users.org_id", "users.user_id"]),
    Index(None, "org_id", "user_id", "number"),
    Index("ix_sessions_deleted", "org_id", "deleted_at", sqlite_where=_DELETED, postgresql_where=_DELETED),
)

IS_PENDING = text("status = 'pending'")
"""Spelt out: a bound value does not lead a database to a partial index."""
_PRESENT = text("deleted_at IS NULL")
_GROUPED = text("deleted_at IS NULL AND (role_id IS NOT NULL OR team_id IS NOT NULL)")

counters = Table(
    "counters",
    metadata,
    _id("org_id"),
    Column("name", String(64), nullable=False),
    Column("value", BigInteger, nullable=False),
    PrimaryKeyConstraint("org_id", "name"),
)

events = Table(
    "events",
    metadata,
    _id("org_id"),
    _id("event_id"),
    _id("session_id"),
    Column("position", BigInteger, nullable=False),
    _id("actor_id"),
    Column("kind", String(32), nullable=False),
    Column("role", Text),
    Column("name", Text),
    Column("content", Text, nullable=False),
    Column("token_count", Integer, nullable=False, default=0),
    _document("metadata"),
    _id("role_id", nullable=True),
    _id("team_id", nullable=True),
    Column("status", String(16), nullable=False),
    Column("error", Text),
    Column("digest", LargeBinary(16), nullable=False),
    _time("occurred_at"),
    _time("created_at"),
    _time("updated_at"),
    _time("deleted_at", nullable=True),
    Column("held", Boolean, nullable=False, default=False),
    Column("key_id", String(64)),
    Column("channel", String(16)),
    _trust(),
    PrimaryKeyConstraint("org_id", "event_id"),
    UniqueConstraint("org_id", "session_id", "position"),
    ForeignKeyConstraint(["org_id", "session_id"], ["sessions.org_id", "sessions.session_id"]),
    Index(None, "org_id", "digest", "created_at"),
    Index(None, "org_id", "created_at", "position", "event_id"),
    Index(None, "org_id", "actor_id", "created_at"),
    Index(
        "ix_events_groups",
        "org_id",
        "actor_id",
        "role_id",
        "team_id",
        sqlite_where=_GROUPED,
        postgresql_where=_GROUPED,
    ),
    # Holds all that pages by time are ordered by, so that the pages left out are passed over in the index alone.
    Index(
        "ix_events_time",
        "org_id",
        "occurred_at",
        "created_at",
        "position",
        "event_id",
        "deleted_at",
        sqlite_where=_PRESENT,
        postgresql_where=_PRESENT,
    ),
    Index("ix_events_pending", "org_id", "created_at", sqlite_where=IS_PENDING, postgresql_where=IS_PENDING),
    Index(
        "ix_events_pending_actor",
        "org_id",
        "actor_id",
        "created_at",
        sqlite_where=IS_PENDING,
        postgresql_where=IS_PENDING,
    ),
    Index("ix_events_deleted", "org_id", "deleted_at", sqlite_where=_DELETED, postgresql_where=_DELETED),
)

_REPLACES = text("supersedes IS NOT NULL")

memories = Table(
    "memories",
    metadata,
    _id("org_id"),
    Column("memory_id", String(36), nullable=False),
    Column("scope_key", String(280), nullable=False),
    Column("level", String(8), nullable=False),
    _id("actor_id", nullable=True),
    _id("role_id", nullable=True),
    _id("team_id", nullable=True),
    _id("session_id", nullable=True),
    Column("position", BigInteger),
    Column("kind", String(16), nullable=False),
    Column("type", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("title", Text),
    Column("speaker", Text),
    Column("slot", String(64)),
    Column("slot_key", Text),
    Column("digest", String(64), nullable=False),
    Column("value", Text),
    _document("tags"),
    _document("entities"),
    Column("confidence", Float, nullable=False),
    Column("strength", Float, nullable=False),
    Column("recall_count", Integer, nullable=False, default=0),
    _time("last_recalled_at", nullable=True),
    Column("half_life_days", Float, nullable=False),
    Column("pinned", Boolean, nullable=False, default=False),
    _time("observed_at"),
    _time("valid_from", nullable=True),
    _time("valid_to", nullable=True),
    Column("supersedes", String(36)),
    _document("metadata"),
    _time("created_at"),
    _time("updated_at"),
    _time("deleted_at", nullable=True),
    _trust(),
    PrimaryKeyConstraint("org_id", "memory_id"),
    CheckConstraint("strength >= 0 AND strength <= 5", name="strength_in_range"),
    CheckConstraint("confidence >= 0 AND confidence <= 1", name="confidence_in_range"),
    Index(None, "org_id", "scope_key", "digest"),
    Index(None, "org_id", "scope_key", "slot_key"),
    Index(None, "org_id", "observed_at", "memory_id"),
    Index(None, "org_id", "created_at", "memory_id"),
    Index(None, "org_id", "session_id"),
    Index("ix_memories_actor", "org_id", "actor_id", "created_at", sqlite_where=_PRESENT, postgresql_where=_PRESENT),
    Index(
        "ix_memories_actor_time",
        "org_id",
        "actor_id",
        "observed_at",
        "memory_id",
        sqlite_where=_PRESENT,
        postgresql_where=_PRESENT,
    ),
    Index("ix_memories_supersedes", "org_id", "supersedes", sqlite_where=_REPLACES, postgresql_where=_REPLACES),
    Index("ix_memories_deleted", "org_id", "deleted_at", sqlite_where=_DELETED, postgresql_where=_DELETED),
)

memory_sources = Table(
    "memory_sources",
    metadata,
    _id("org_id"),
    Column("memory_id", String(36), nullable=False),
    _id("event_id"),
    Column("ordinal", Integer, nullable=False, default=0),
    PrimaryKeyConstraint("org_id", "memory_id", "event_id"),
    ForeignKeyConstraint(["org_id", "memory_id"], ["memories.org_id", "memories.memory_id"], ondelete="CASCADE"),
    ForeignKeyConstraint(["org_id", "event_id"], ["events.org_id", "events.event_id"], ondelete="CASCADE"),
    Index(None, "org_id", "event_id", "memory_id"),
)

memory_history = Table(
    "memory_history",
    metadata,
    _id("org_id"),
    Column("change_id", String(36), nullable=False),
    Column("memory_id", String(36), nullable=False),
    Column("change", String(24), nullable=False),
    Column("reason", Text, nullable=False),
    Column("before", Document),
    _time("created_at"),
    PrimaryKeyConstraint("org_id", "change_id"),
    ForeignKeyConstraint(["org_id", "memory_id"], ["memories.org_id", "memories.memory_id"], ondelete="CASCADE"),
    Index(None, "org_id", "memory_id", "change_id"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("job_id", String(36), nullable=False),
    _id("org_id"),
    Column("task", String(32), nullable=False),
    Column("serial_key", String(540), nullable=False),
    _document("payload"),
    Column("status", String(16), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("max_attempts", Integer, nullable=False),
    _time("run_at"),
    _time("lease_until", nullable=True),
    Column("fencing_token", BigInteger, nullable=False, default=0),
    Column("worker_id", String(64)),
    Column("error", Text),
    _time("created_at"),
    _time("updated_at"),
    PrimaryKeyConstraint("job_id"),
    Index(None, "status", "run_at"),
    Index(None, "serial_key", "job_id"),
    Index(None, "org_id", "status", "job_id"),
    info=GLOBAL,
)

idempotency = Table(
    "idempotency",
    metadata,
    _id("org_id"),
    Column("key_id", String(64), nullable=False),
    Column("idempotency_key", Id, nullable=False),
    Column("request_hash", LargeBinary(32), nullable=False),
    Column("status", Integer, nullable=False),
    _document("body"),
    _time("created_at"),
    PrimaryKeyConstraint("org_id", "key_id", "idempotency_key"),
    Index(None, "org_id", "created_at"),
)

summaries = Table(
    "summaries",
    metadata,
    _id("org_id"),
    Column("summary_id", String(36), nullable=False),
    _id("session_id"),
    Column("content", Text, nullable=False),
    Column("token_count", Integer, nullable=False),
    _document("metadata"),
    Column("up_to_position", BigInteger, nullable=False),
    _id("up_to_event_id"),
    Column("vector", LargeBinary),
    Column("model", String(128)),
    _time("created_at"),
    _time("deleted_at", nullable=True),
    PrimaryKeyConstraint("org_id", "summary_id"),
    ForeignKeyConstraint(["org_id", "session_id"], ["sessions.org_id", "sessions.session_id"], ondelete="CASCADE"),
    Index(None, "org_id", "session_id", "up_to_position"),
    Index("ix_summaries_deleted", "org_id", "deleted_at", sqlite_where=_DELETED, postgresql_where=_DELETED),
)

collections = Table(
    "collections",
    metadata,
    _id("org_id"),
    Column("collection_id", String(36), nullable=False),
    Column("name", String(40), nullable=False),
    Column("description", Text, nullable=False, default=""),
    _document("metadata"),
    Column("embedding_dimensions", Integer, nullable=False),
    Column("is_auto_embedded", Boolean, nullable=False),
    _time("created_at"),
    _time("updated_at"),
    PrimaryKeyConstraint("org_id", "collection_id"),
    UniqueConstraint("org_id", "name"),
)

documents = Table(
    "documents",
    metadata,
    _id("org_id"),
    Column("document_uuid", String(36), nullable=False),
    Column("collection_id", String(36), nullable=False),
    Column("document_id", String(100)),
    Column("model", String(128)),
    _time("created_at"),
    _time("updated_at"),
    _time("deleted_at", nullable=True),
    Column("metadata", Document),
    Column("content", Text, nullable=False),
    Column("vector", LargeBinary),
    PrimaryKeyConstraint("org_id", "document_uuid"),
    UniqueConstraint("org_id", "collection_id", "document_id"),
    ForeignKeyConstraint(
        ["org_id", "collection_id"], ["collections.org_id", "collections.collection_id"], ondelete="CASCADE"
    ),
    Index(None, "org_id", "collection_id", "document_uuid"),
    Index("ix_documents_deleted", "org_id", "deleted_at", sqlite_where=_DELETED, postgresql_where=_DELETED),
)

erasures = Table(
    "erasures",
    metadata,
    _id("org_id"),
    Column("erasure_id", String(36), nullable=False),
    _document("counts"),
    _time("created_at"),
    PrimaryKeyConstraint("org_id", "erasure_id"),
)


def _group(name: str, key: str) -> Table:
    return Table(
        name,
        metadata,
        _id("org_id"),
        _id(key),
        Column("name", Text, nullable=False),
        Column("focus", Text, nullable=False),
        Column("promotion_prompt", Text, nullable=False),
        _document("prompt_meta"),
        _time("created_at"),
        _time("updated_at"),
        PrimaryKeyConstraint("org_id", key),
        Index(None, "org_id", "created_at", key),
    )


roles = _group("roles", "role_id")
teams = _group("teams", "team_id")

_UNREAD = text("terms IS NULL")

# Where a memory may rise to, or has risen to: an actor's memory under the roles and teams its events carried, a role's
# or a team's under `org`, and every risen one under its own scope. `terms` is None until its statements were read.
memory_groups = Table(
    "memory_groups",
    metadata,
    _id("org_id"),
    Column("scope_key", String(280), nullable=False),
    Column("memory_id", String(36), nullable=False),
    Column("terms", LargeBinary),
    PrimaryKeyConstraint("org_id", "scope_key", "memory_id"),
    ForeignKeyConstraint(["org_id", "memory_id"], ["memories.org_id", "memories.memory_id"], ondelete="CASCADE"),
    Index(None, "org_id", "memory_id", "scope_key"),
    Index("ix_memory_groups_unread", "org_id", "scope_key", sqlite_where=_UNREAD, postgresql_where=_UNREAD),
)

memory_support = Table(
    "memory_support",
    metadata,
    _id("org_id"),
    Column("memory_id", String(36), nullable=False),
    Column("supporting_memory_id", String(36), nullable=False),
    _id("actor_id", nullable=True),
    Column("agreement", Float, nullable=False),
    Column("worded", Boolean, nullable=False),
    _time("created_at"),
    PrimaryKeyConstraint("org_id", "memory_id", "supporting_memory_id"),
    ForeignKeyConstraint(["org_id", "memory_id"], ["memories.org_id", "memories.memory_id"], ondelete="CASCADE"),
    ForeignKeyConstraint(
        ["org_id", "supporting_memory_id"], ["memories.org_id", "memories.memory_id"], ondelete="CASCADE"
    ),
    Index(None, "org_id", "supporting_memory_id", "memory_id"),
)

usage = Table(
    "usage",
    metadata,
    _id("org_id"),
    _time("hour"),
    Column("dimension", String(32), nullable=False),
    Column("key_id", String(64), nullable=False),
    Column("quantity", BigInteger, nullable=False),
    PrimaryKeyConstraint("org_id", "hour", "dimension", "key_id"),
)

usage_months = Table(
    "usage_months",
    metadata,
    _id("org_id"),
    _time("month"),
    Column("dimension", String(32), nullable=False),
    Column("quantity", BigInteger, nullable=False),
    PrimaryKeyConstraint("org_id", "month", "dimension"),
)

# How many memories there are of each sort and actor: kept by every write to `memories`, in its transaction.
memory_tallies = Table(
    "memory_tallies",
    metadata,
    _id("org_id"),
    Column("facet", String(16), nullable=False),
    Column("value", Id, nullable=False),
    Column("detail", String(64), nullable=False),
    Column("memory_count", BigInteger, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("strength", Float, nullable=False),
    PrimaryKeyConstraint("org_id", "facet", "value", "detail"),
    Index(None, "org_id", "facet", "memory_count"),
)

actor_tallies = Table(
    "actor_tallies",
    metadata,
    _id("org_id"),
    _id("actor_id"),
    Column("memory_count", BigInteger, nullable=False),
    Column("active_count", BigInteger, nullable=False),
    _time("first_memory_at"),
    _time("last_memory_at"),
    PrimaryKeyConstraint("org_id", "actor_id"),
    Index(None, "org_id", "first_memory_at", "actor_id"),
    Index(None, "org_id", "last_memory_at", "actor_id"),
)

interests = Table(
    "interests",
    metadata,
    _id("org_id"),
    Column("email", String(320), nullable=False),
    Column("name", Text, nullable=False),
    Column("company", Text),
    Column("use_case", Text),
    Column("notes", Text),
    _time("created_at"),
    PrimaryKeyConstraint("org_id"),
)
