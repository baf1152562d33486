"""The tables of the search index; see `store.schema`, of which they are a part."""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from memcairn.store.column_types import Id, metadata
from memcairn.store.halfvec import Halfvec

# The derived search index: every row can be made again from `memories` and `events`. Row numbers grow inside an org
# and start at `orgs.number << 40`: unique in the database, and an org's rows lie together in the word index.
index_rows = Table(
    "index_rows",
    metadata,
    Column("org_id", Id, nullable=False),
    Column("memory_id", String(36), nullable=False),
    Column("segment", Integer, nullable=False),
    Column("row_number", BigInteger, nullable=False),
    Column("scope_key", String(280), nullable=False),
    Column("session_id", Id),
    Column("position", BigInteger),
    Column("source", Id, nullable=False),
    Column("speaker", Text),
    Column("kind", String(16), nullable=False),
    Column("type", String(64), nullable=False),
    Column("traits", Integer, nullable=False),
    Column("occurred_at", BigInteger, nullable=False),
    Column("terms", LargeBinary, nullable=False),
    Column("vector", LargeBinary().with_variant(Halfvec(), "postgresql")),
    Column("model", String(128)),
    PrimaryKeyConstraint("org_id", "memory_id", "segment"),
    UniqueConstraint("org_id", "row_number"),
    Index(None, "org_id", "scope_key", "row_number"),
    Index(None, "org_id", "session_id", "position"),
    Index(None, "org_id", "model"),
)

index_scopes = Table(
    "index_scopes",
    metadata,
    Column("org_id", Id, nullable=False),
    Column("scope_key", String(280), nullable=False),
    Column("last_row", BigInteger, nullable=False),
    Column("resets", BigInteger, nullable=False),
    Column("row_count", BigInteger, nullable=False),
    PrimaryKeyConstraint("org_id", "scope_key"),
)

# Which index rows went or changed, in order; `number` is the org's count of resets after it. Only the newest are kept.
index_changes = Table(
    "index_changes",
    metadata,
    Column("org_id", Id, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("row_number", BigInteger, nullable=False),
    PrimaryKeyConstraint("org_id", "number"),
)

# Of Postgres, where several transactions write to the index of one org at once: each holds a slot of its own, numbers
# its rows in it and counts words under it. On SQLite, with its one writer, both stay empty.
index_slots = Table(
    "index_slots",
    metadata,
    Column("org_id", Id, nullable=False),
    Column("slot", Integer, nullable=False, autoincrement=False),
    Column("last_row", BigInteger, nullable=False),
    Column("resets", BigInteger, nullable=False),
    Column("row_count", BigInteger, nullable=False),
    PrimaryKeyConstraint("org_id", "slot"),
)

index_terms = Table(
    "index_terms",
    metadata,
    Column("org_id", Id, nullable=False),
    Column("scope_key", String(280), nullable=False),
    Column("term", BigInteger, nullable=False, autoincrement=False),
    Column("row_count", BigInteger, nullable=False),
    PrimaryKeyConstraint("org_id", "scope_key", "term"),
)
