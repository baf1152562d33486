"""Links by what they lead from: found in the index alone.

SQLite's planner, which knows nothing of how many rows an org has, went through all links of the org instead: their
primary key held every column that was asked for, and the index did not.
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_LINKS = (
    ("memory_sources", "event_id", "memory_id"),
    ("memory_support", "supporting_memory_id", "memory_id"),
    ("memory_groups", "memory_id", "scope_key"),
)


def upgrade() -> None:
    for table, source, target in _LINKS:
        op.create_index(f"ix_{table}_org_id_{source}_{target}", table, ["org_id", source, target])
        op.drop_index(f"ix_{table}_org_id_{source}", table_name=table)
