"""Reading what sessions were about."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from memcairn.core import cursors
from memcairn.core.deps import Deps
from memcairn.domain.errors import NotFound
from memcairn.domain.keys import KeyScope, Principal
from memcairn.domain.summaries import Summary
from memcairn.store import sessions, summaries


@dataclass(frozen=True, slots=True)
class SummaryPage:
    """Some summaries of a list, in its order; without a `next_cursor` they are the last."""

    items: Sequence[Summary]
    next_cursor: str | None


async def latest_summary(deps: Deps, principal: Principal, session_id: str) -> Summary | None:
    """The summary that reaches furthest; None before the first one. NotFound without a live session of that id."""
    principal.require(KeyScope.READ)

    def load(connection: Connection) -> Summary | None:
        _require_session(connection, principal.org_id, session_id)
        return summaries.latest(connection, principal.org_id, session_id)

    return await deps.db.read(load)


async def list_summaries(
    deps: Deps, principal: Principal, session_id: str, *, limit: int, cursor: str | None = None
) -> SummaryPage:
    """Every summary of a session, the one that reaches furthest first; NotFound without a live session of that id."""
    principal.require(KeyScope.READ)
    of = {"summaries": session_id}
    after = None
    if cursor is not None:
        up_to_position, summary_id = cursors.decode(cursor, of, length=2)
        after = summaries.Mark(int(cursors.number(up_to_position)), str(summary_id))

    def load(connection: Connection) -> list[Summary]:
        _require_session(connection, principal.org_id, session_id)
        return summaries.page(connection, principal.org_id, session_id, after=after, limit=limit + 1)

    found = await deps.db.read(load)
    items = found[:limit]
    if len(found) <= limit:
        return SummaryPage(items, None)
    return SummaryPage(items, cursors.encode([items[-1].up_to_position, items[-1].summary_id], of))


def _require_session(connection: Connection, org_id: str, session_id: str) -> None:
    if sessions.get(connection, org_id, session_id) is None:
        raise NotFound(f"There is no session {session_id!r}.", code="session_not_found")
