"""How the tables are spread over a Citus cluster: which are copied to every node, and which are cut up by `org_id`.

The queue stays on the coordinator: claiming takes rows of every org at once, and is committed with what it is about.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, MetaData, Select, func, select, text

from memcairn.domain.errors import Conflict

LOCAL = frozenset({"jobs"})
"""Global tables that lie on the coordinator alone; nothing may refer to them."""

_INSTALLED = text("SELECT count(*) FROM pg_extension WHERE extname = 'citus'")
_SPREAD = text("SELECT logicalrelid::regclass::text AS name, partmethod AS method FROM pg_dist_partition")


class Spread(StrEnum):
    """How Citus keeps a table; the values are those of its catalogue."""

    REFERENCE = "n"
    """Whole on every node."""
    BY_ORG = "h"
    """In shards by the hash of `org_id`, those of one org together."""


@dataclass(frozen=True, slots=True)
class Step:
    """One table to be spread. `beside` is the table whose shards its shards lie with; None begins the group."""

    table: str
    spread: Spread
    beside: str | None = None


def plan(metadata: MetaData) -> list[Step]:
    """Every table that is spread, those that are referred to before those that refer to them."""
    steps: list[Step] = []
    first: str | None = None
    for table in sorted(metadata.sorted_tables, key=lambda table: table.info.get("tenancy") != "global"):
        if table.name in LOCAL:
            continue
        if table.info.get("tenancy") == "global":
            steps.append(Step(table.name, Spread.REFERENCE))
            continue
        steps.append(Step(table.name, Spread.BY_ORG, first))
        first = first or table.name
    return steps


def remaining(steps: Sequence[Step], present: Mapping[str, str]) -> list[Step]:
    """The steps that are still to be done; Conflict when a table is spread in another way already."""
    for step in steps:
        if step.table in present and present[step.table] != step.spread.value:
            raise Conflict(
                f"The table {step.table!r} is spread over the cluster in another way than this version does it. Take "
                f"that back with `SELECT undistribute_table('{step.table}')`, and run this again.",
                code="spread_otherwise",
            )
    return [step for step in steps if step.table not in present]


def distribute(connection: Connection, metadata: MetaData) -> list[str]:
    """Spread what is not spread yet, all in this transaction; returns the tables. Conflict without Citus."""
    _require_citus(connection)
    present = {row.name: row.method for row in connection.execute(_SPREAD)}
    steps = remaining(plan(metadata), present)
    for step in steps:
        connection.execute(statement_of(step))
    return [step.table for step in steps]


def statement_of(step: Step) -> Select[tuple[object]]:
    if step.spread is Spread.REFERENCE:
        return select(func.create_reference_table(step.table))
    beside = text(f"colocate_with => '{step.beside or 'none'}'")
    return select(func.create_distributed_table(step.table, "org_id", beside))


def no_cluster_for_sqlite() -> Conflict:
    return Conflict(
        "Only a Postgres with Citus can be spread over several machines, and this is a SQLite file. Copy it there with "
        "`memcairn migrate-db`.",
        code="no_citus",
    )


def _require_citus(connection: Connection) -> None:
    if connection.dialect.name != "postgresql":
        raise no_cluster_for_sqlite()
    if not connection.execute(_INSTALLED).scalar_one():
        raise Conflict(
            "This Postgres has no Citus. Install it on the coordinator and every worker, and run `CREATE EXTENSION "
            "citus` in this database; a single Postgres needs no `--distribute`.",
            code="no_citus",
        )
