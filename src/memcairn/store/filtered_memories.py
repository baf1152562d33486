"""Which memories a filter on metadata leaves."""

from collections.abc import Sequence

from sqlalchemy import Connection, and_, exists, or_, select

from memcairn.domain.filters import Filter
from memcairn.domain.scopes import EVERYTHING
from memcairn.store import filters
from memcairn.store.schema import events, memories, memory_sources


def ids(connection: Connection, org_id: str, scope_keys: Sequence[str], where: Filter) -> frozenset[str]:
    """The live memories of these scopes whose own metadata, or that of a live event they rest on, fulfils `where`."""
    by_source = exists().where(
        memory_sources.c.org_id == org_id,
        memory_sources.c.memory_id == memories.c.memory_id,
        and_(events.c.org_id == org_id, events.c.event_id == memory_sources.c.event_id),
        events.c.deleted_at.is_(None),
        filters.condition(connection, events.c.metadata, where),
    )
    statement = select(memories.c.memory_id).where(
        memories.c.org_id == org_id,
        memories.c.deleted_at.is_(None),
        or_(filters.condition(connection, memories.c.metadata, where), by_source),
    )
    if EVERYTHING not in scope_keys:
        statement = statement.where(memories.c.scope_key.in_(scope_keys))
    return frozenset(connection.execute(statement).scalars())
