"""Reading the log."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection

from memcairn.core import cursors
from memcairn.core.deps import Deps
from memcairn.domain.events import Event
from memcairn.domain.keys import KeyScope, Principal
from memcairn.store import events
from memcairn.store.events import EventFilter as EventFilter


@dataclass(frozen=True, slots=True)
class EventExcerpt:
    """Some events of a list, and how many the whole list holds."""

    items: Sequence[Event]
    total: int


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some events of a list, in its order; without a `next_cursor` they are the last."""

    items: Sequence[Event]
    next_cursor: str | None


async def list_events(
    deps: Deps, principal: Principal, where: events.EventFilter, *, limit: int, cursor: str | None = None
) -> EventPage:
    """Live events, oldest first. A page is exact under concurrent writes: nothing is shown twice or skipped."""
    principal.require(KeyScope.READ)
    of = asdict(where)
    after = None
    if cursor is not None:
        created_at, position, event_id = cursors.decode(cursor, of, length=3)
        after = events.Mark(cursors.moment(created_at), int(cursors.number(position)), str(event_id))

    def load(connection: Connection) -> list[Event]:
        return events.page(connection, principal.org_id, where, after=after, limit=limit + 1)

    found = await deps.db.read(load)
    items = found[:limit]
    if len(found) <= limit:
        return EventPage(items, None)
    last = items[-1]
    return EventPage(items, cursors.encode([last.created_at.isoformat(), last.position, last.event_id], of))


async def events_from(
    deps: Deps, principal: Principal, where: events.EventFilter, *, newest_first: bool, skip: int, limit: int
) -> EventExcerpt:
    """Live events by the time they were said, without the first `skip`."""
    principal.require(KeyScope.READ)

    def load(connection: Connection) -> EventExcerpt:
        total = events.count(connection, principal.org_id, where)
        if skip >= total:
            return EventExcerpt([], total)
        found = events.page_by_time(
            connection, principal.org_id, where, newest_first=newest_first, skip=skip, limit=limit
        )
        return EventExcerpt(found, total)

    return await deps.db.read(load)
