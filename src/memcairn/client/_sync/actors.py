# Written by tools/unasync.py from ../_async/actors.py: change that, and run it.
"""`client.actors`: whom the memories are about."""

from collections.abc import Iterator

from memcairn.client._operations import actors as operations
from memcairn.client._sync.calls import Calls
from memcairn.wire.actors import Actor, ActorPage, ActorSort


class Actors:
    """Shows actors as their memories show them: whoever has one is an actor, and nobody else."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def list(
        self, *, sort: ActorSort | None = None, q: str | None = None, limit: int = 50, cursor: str | None = None
    ) -> ActorPage:
        """One page of at most `limit` (1 to 200) actors, those remembered last first unless sorted otherwise.

        `q` keeps those whose id holds it, in whatever case; `total` counts them all.
        """
        return self._calls.run(operations.page(sort=sort, q=q, limit=limit, cursor=cursor))

    def list_all(self, *, sort: ActorSort | None = None, q: str | None = None, page_size: int = 200) -> Iterator[Actor]:
        """Every actor that matches, fetched page by page while it is iterated over."""
        return self._calls.items(lambda cursor: operations.page(sort=sort, q=q, limit=page_size, cursor=cursor))

    def get(self, actor_id: str) -> Actor:
        """The actor as it stands now; `NotFoundError` for one without any memory."""
        return self._calls.run(operations.get(actor_id))
