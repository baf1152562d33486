"""`client.actors`: whom the memories are about."""

from collections.abc import AsyncIterator

from memcairn.client._async.calls import AsyncCalls
from memcairn.client._operations import actors as operations
from memcairn.wire.actors import Actor, ActorPage, ActorSort


class AsyncActors:
    """Shows actors as their memories show them: whoever has one is an actor, and nobody else."""

    def __init__(self, calls: AsyncCalls) -> None:
        self._calls = calls

    async def list(
        self, *, sort: ActorSort | None = None, q: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> ActorPage:
        """One page of at most `limit` (1 to 200) actors, those remembered last first unless sorted otherwise.

        `q` keeps those whose id holds it, in whatever case; `total` counts them all.
        """
        return await self._calls.run(operations.page(sort=sort, q=q, limit=limit, cursor=cursor))

    def list_all(
        self, *, sort: ActorSort | None = None, q: str | None = None, page_size: int = 200
    ) -> AsyncIterator[Actor]:
        """Every actor that matches, fetched page by page while it is iterated over."""
        return self._calls.items(lambda cursor: operations.page(sort=sort, q=q, limit=page_size, cursor=cursor))

    async def get(self, actor_id: str) -> Actor:
        """The actor as it stands now; `NotFoundError` for one without any memory."""
        return await self._calls.run(operations.get(actor_id))
