"""Organisations: roles, teams, quotas, usage, and how many memories there are of each sort and actor."""

import sqlalchemy as sa
from alembic import op

from memcairn.store.migrations.columns import Document, UtcDateTime
from memcairn.store.migrations.dialects import run_for

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("orgs", sa.Column("quotas", Document, nullable=True))
    _add_group("roles", "role_id")
    _add_group("teams", "team_id")
    _add_usage()
    _add_tallies()
    where = sa.text("deleted_at IS NULL")
    op.create_index(
        "ix_memories_actor",
        "memories",
        ["org_id", "actor_id", "created_at"],
        sqlite_where=where,
        postgresql_where=where,
    )
    where = sa.text("deleted_at IS NULL AND (role_id IS NOT NULL OR team_id IS NOT NULL)")
    op.create_index(
        "ix_events_groups",
        "events",
        ["org_id", "actor_id", "role_id", "team_id"],
        sqlite_where=where,
        postgresql_where=where,
    )
    _count_what_is_there()


def _add_group(table: str, key: str) -> None:
    op.create_table(
        table,
        sa.Column("org_id", sa.String(length=256), nullable=False),
        sa.Column(key, sa.String(length=256), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("focus", sa.Text(), nullable=False),
        sa.Column("promotion_prompt", sa.Text(), nullable=False),
        sa.Column("prompt_meta", Document, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("org_id", key, name=f"pk_{table}"),
    )
    op.create_index(f"ix_{table}_org_id_created_at_{key}", table, ["org_id", "created_at", key])


def _add_usage() -> None:
    op.create_table(
        "usage",
        sa.Column("org_id", sa.String(length=256), nullable=False),
        sa.Column("hour", UtcDateTime, nullable=False),
        sa.Column("dimension", sa.String(length=32), nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "hour", "dimension", "key_id", name="pk_usage"),
    )
    op.create_table(
        "usage_months",
        sa.Column("org_id", sa.String(length=256), nullable=False),
        sa.Column("month", UtcDateTime, nullable=False),
        sa.Column("dimension", sa.String(length=32), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "month", "dimension", name="pk_usage_months"),
    )


def _add_tallies() -> None:
    op.create_table(
        "memory_tallies",
        sa.Column("org_id", sa.String(length=256), nullable=False),
        sa.Column("facet", sa.String(length=16), nullable=False),
        sa.Column("value", sa.String(length=256), nullable=False),
        sa.Column("detail", sa.String(length=64), nullable=False),
        sa.Column("memory_count", sa.BigInteger(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("strength", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("org_id", "facet", "value", "detail", name="pk_memory_tallies"),
    )
    op.create_index(
        "ix_memory_tallies_org_id_facet_memory_count", "memory_tallies", ["org_id", "facet", "memory_count"]
    )
    op.create_table(
        "actor_tallies",
        sa.Column("org_id", sa.String(length=256), nullable=False),
        sa.Column("actor_id", sa.String(length=256), nullable=False),
        sa.Column("memory_count", sa.BigInteger(), nullable=False),
        sa.Column("active_count", sa.BigInteger(), nullable=False),
        sa.Column("first_memory_at", UtcDateTime, nullable=False),
        sa.Column("last_memory_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("org_id", "actor_id", name="pk_actor_tallies"),
    )
    for column in ("first_memory_at", "last_memory_at"):
        op.create_index(f"ix_actor_tallies_org_id_{column}_actor_id", "actor_tallies", ["org_id", column, "actor_id"])


_BUCKET = (
    "CASE WHEN confidence >= 0.8 THEN '0.8' WHEN confidence >= 0.6 THEN '0.6' WHEN confidence >= 0.4 THEN '0.4' "
    "WHEN confidence >= 0.2 THEN '0.2' ELSE '0.0' END"
)
_FACETS = {"status": "status", "kind": "kind", "type": "type", "level": "level", "confidence": _BUCKET}
_INSERT = "INSERT INTO memory_tallies (org_id, facet, value, detail, memory_count, confidence, strength) "


def _count_what_is_there() -> None:
    op.execute(
        "INSERT INTO actor_tallies (org_id, actor_id, memory_count, active_count, first_memory_at, last_memory_at) "
        "SELECT org_id, actor_id, count(*), sum(CASE WHEN status = 'active' THEN 1 ELSE 0 END), min(created_at), "
        "max(created_at) FROM memories WHERE deleted_at IS NULL AND actor_id IS NOT NULL GROUP BY org_id, actor_id"
    )
    for facet, value in _FACETS.items():
        sums = "sum(confidence), sum(strength)" if facet == "status" else "0, 0"
        op.execute(
            f"{_INSERT}SELECT org_id, '{facet}', {value}, '', count(*), {sums} "  # noqa: S608 -- constants above
            f"FROM memories WHERE deleted_at IS NULL GROUP BY org_id, {value}"
        )
    run_for(
        sqlite=[_entities("json_extract(e.value, '$.{}')", "json_each(m.entities)")],
        postgres=[_entities("e.value ->> '{}'", "json_array_elements(m.entities)")],
    )


def _entities(of: str, each: str) -> str:
    value, detail = f"substr({of.format('name')}, 1, 256)", f"substr({of.format('type')}, 1, 64)"
    return (
        f"{_INSERT}SELECT m.org_id, 'entity', {value}, {detail}, count(DISTINCT m.memory_id), 0, 0 "  # noqa: S608 -- constants above
        f"FROM memories m, {each} e WHERE m.deleted_at IS NULL GROUP BY m.org_id, {value}, {detail}"
    )
