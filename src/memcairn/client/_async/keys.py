"""`client.keys`: the API keys of the org, for its admins."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from memcairn.client._async.calls import AsyncCalls
from memcairn.client._operations import keys as operations
from memcairn.wire.events import Trust
from memcairn.wire.keys import Key, KeyPage, KeyScope, MadeKey
from memcairn.wire.usage import Granularity, KeyUsage


class AsyncKeys:
    """Makes, lists and ends keys; all of it needs an admin key."""

    def __init__(self, calls: AsyncCalls) -> None:
        self._calls = calls

    async def list(self, *, limit: int = 50, cursor: str | None = None) -> KeyPage:
        """One page of at most `limit` (1 to 200) keys in the order they were made, ended ones included."""
        return await self._calls.run(operations.page(limit=limit, cursor=cursor))

    def list_all(self, *, page_size: int = 200) -> AsyncIterator[Key]:
        """Every key of the org, fetched page by page while it is iterated over."""
        return self._calls.items(lambda cursor: operations.page(limit=page_size, cursor=cursor))

    async def create(
        self,
        name: str,
        *,
        scopes: Sequence[KeyScope] = ("read", "write"),
        expires_at: datetime | str | None = None,
        trust: Trust | None = None,
    ) -> MadeKey:
        """Makes a key; its `api_key` is shown this once. A time without a zone is UTC.

        `trust` is what everything written with it will be worth: `"low"`, `"normal"` (the default) or `"high"`, and
        never more than that of the key it is made with.

        `ForbiddenError` (`key_limit_reached`) when the org has as many as it may have. Never repeated by itself when
        the connection breaks: list the keys, and revoke the one nobody knows.
        """
        return await self._calls.run(operations.create(name, scopes=scopes, expires_at=expires_at, trust=trust))

    async def revoke(self, key_id: str) -> None:
        """Ends a key: every request after this is refused. `NotFoundError` if no active key has that id."""
        await self._calls.run(operations.revoke(key_id))

    async def usage(
        self,
        key_id: str,
        *,
        granularity: Granularity = "day",
        start: datetime | str | None = None,
        end: datetime | str | None = None,
    ) -> KeyUsage:
        """What the key was used for, in whole hours of UTC from `start` on and before `end`: by default this month."""
        return await self._calls.run(operations.usage(key_id, granularity=granularity, start=start, end=end))
