# Written by tools/unasync.py from ../_async/sessions.py: change that, and run it.
"""`client.sessions`: conversations."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from memcairn.client._operations import session_search as search_operations
from memcairn.client._operations import sessions as operations
from memcairn.client._operations import summaries as summary_operations
from memcairn.client._sync.calls import Calls
from memcairn.wire.session_search import SearchScope, SessionSearchResponse
from memcairn.wire.sessions import Session, SessionPage
from memcairn.wire.summaries import LatestSummary, SummaryPage


class Sessions:
    """Makes, changes and searches sessions. Any string is an id, and the first message added to one makes it."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def add(
        self,
        session_id: str,
        *,
        user_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Session:
        """Makes a session by hand, to link it to a user or to give it metadata.

        `ConflictError` if there is one, be it deleted; `NotFoundError` if there is no such user. Repeating is safe, by
        a key of the call's own or `idempotency_key`.
        """
        return self._calls.run(
            operations.add(session_id, user_id=user_id, metadata=metadata, idempotency_key=idempotency_key)
        )

    def get(self, session_id: str) -> Session:
        """The session as it stands now; `NotFoundError` if there is none or it is deleted."""
        return self._calls.run(operations.get(session_id))

    def update(self, session_id: str, *, metadata: Mapping[str, Any] | None = None) -> Session:
        """Merges metadata level by level (null is a value like others) and returns the result.

        A deleted session comes back by it, without what was said in it; `NotFoundError` if there never was one.
        """
        return self._calls.run(operations.update(session_id, metadata=metadata))

    def delete(self, session_id: str) -> None:
        """Hides the session from every read at once, with its messages, summaries and what rests on them alone.

        It can be restored message by message until the purge. `NotFoundError` if there is none.
        """
        self._calls.run(operations.delete(session_id))

    def list(
        self,
        *,
        user_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> SessionPage:
        """One page of at most `limit` (1 to 1,000) sessions in the order they were made.

        `metadata` is a filter, such as `{"jsonpath": '$ ? (@.topic == "travel")'}`; `cursor` is the `next_cursor` of
        the page before.
        """
        return self._calls.run(operations.page(user_id=user_id, metadata=metadata, limit=limit, cursor=cursor))

    def list_all(
        self, *, user_id: str | None = None, metadata: Mapping[str, Any] | None = None, chunk_size: int = 200
    ) -> Iterator[Session]:
        """Every session that matches, each once, fetched in chunks while it is iterated over."""
        return self._calls.items(
            lambda cursor: operations.page(user_id=user_id, metadata=metadata, limit=chunk_size, cursor=cursor)
        )

    def search(
        self,
        session_id: str,
        text: str | None = None,
        *,
        metadata: Mapping[str, Any] | None = None,
        scope: SearchScope = "messages",
        mmr: bool = False,
        mmr_lambda: float | None = None,
        limit: int = 10,
        start: datetime | str | None = None,
        end: datetime | str | None = None,
    ) -> SessionSearchResponse:
        """The messages or summaries of the session that are nearest to `text`, or the newest, if there is none.

        `metadata` is a filter; `start` and `end` bound the time of storing. With `mmr` variety counts beside nearness.
        """
        return self._calls.run(
            search_operations.search(
                session_id,
                text,
                metadata=metadata,
                scope=scope,
                mmr=mmr,
                mmr_lambda=mmr_lambda,
                limit=limit,
                start=start,
                end=end,
            )
        )

    def summary(self, session_id: str) -> LatestSummary:
        """The summary that reaches furthest; its `summary` is None while the session is short."""
        return self._calls.run(summary_operations.latest(session_id))

    def summaries(self, session_id: str, *, limit: int = 50, cursor: str | None = None) -> SummaryPage:
        """One page of the summaries of the session, the one that reaches furthest first."""
        return self._calls.run(summary_operations.page(session_id, limit=limit, cursor=cursor))
