"""`client.events`: the log of what was said."""

from collections.abc import AsyncIterator

from memcairn.client._async.calls import AsyncCalls
from memcairn.client._operations import events as operations
from memcairn.wire.events import Event, EventPage, Kind, Status


class AsyncEvents:
    """Reads the event log, oldest first."""

    def __init__(self, calls: AsyncCalls) -> None:
        self._calls = calls

    async def list(
        self,
        *,
        session_id: str | None = None,
        actor_id: str | None = None,
        kind: Kind | None = None,
        status: Status | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> EventPage:
        """One page of at most `limit` (1 to 200) events; `cursor` is the `next_cursor` of the page before."""
        return await self._calls.run(
            operations.page(
                session_id=session_id, actor_id=actor_id, kind=kind, status=status, limit=limit, cursor=cursor
            )
        )

    def list_all(
        self,
        *,
        session_id: str | None = None,
        actor_id: str | None = None,
        kind: Kind | None = None,
        status: Status | None = None,
        page_size: int = 200,
    ) -> AsyncIterator[Event]:
        """Every event that matches, fetched page by page while it is iterated over."""
        return self._calls.items(
            lambda cursor: operations.page(
                session_id=session_id, actor_id=actor_id, kind=kind, status=status, limit=page_size, cursor=cursor
            )
        )
