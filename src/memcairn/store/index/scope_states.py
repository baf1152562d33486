"""How far each scope has come: its last row, how often it was reset, and how many rows it holds."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, select

from memcairn.store.prepared import Prepared
from memcairn.store.schema import index_scopes

_STATES = Prepared(
    select(index_scopes.c.scope_key, index_scopes.c.resets, index_scopes.c.last_row, index_scopes.c.row_count).where(
        index_scopes.c.org_id == bindparam("of_org"),
        index_scopes.c.scope_key.in_(bindparam("these", expanding=True)),
    ),
    many="these",
)
"""Put together once: every search asks it."""


def scope_states(connection: Connection, org_id: str, scope_keys: Sequence[str]) -> dict[str, Any]:
    """By scope, for those of `scope_keys` (not empty) that have ever held a row: `last_row`, `resets`, `row_count`."""
    return {row.scope_key: row for row in _STATES.rows(connection, {"of_org": org_id, "these": scope_keys})}
