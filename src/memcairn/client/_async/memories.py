"""`client.memories`: what was concluded from the events."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal

from memcairn.client._async.calls import AsyncCalls
from memcairn.client._operations import memories as operations
from memcairn.wire.lineage import Lineage
from memcairn.wire.memories import (
    Level,
    Memory,
    MemoryHistory,
    MemoryKind,
    MemoryPage,
    MemorySort,
    MemorySources,
    MemoryStatus,
)
from memcairn.wire.statistics import MemoryStats


class AsyncMemories:
    """Reads, corrects and deletes memories; those of another org are answered like ones that never were."""

    def __init__(self, calls: AsyncCalls) -> None:
        self._calls = calls

    async def list(
        self,
        *,
        actor_id: str | None = None,
        session_id: str | None = None,
        kind: MemoryKind | None = None,
        type: str | None = None,
        status: MemoryStatus | None = None,
        level: Level | None = None,
        role_id: str | None = None,
        team_id: str | None = None,
        q: str | None = None,
        sort: MemorySort | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> MemoryPage:
        """One page of at most `limit` (1 to 200) memories, the active ones unless `status` says otherwise.

        `q` keeps those that hold its words; to have the best ones for a question, use `client.search`.
        """
        return await self._calls.run(
            operations.page(
                actor_id=actor_id,
                session_id=session_id,
                kind=kind,
                type=type,
                status=status,
                level=level,
                role_id=role_id,
                team_id=team_id,
                q=q,
                sort=sort,
                limit=limit,
                cursor=cursor,
            )
        )

    def list_all(
        self,
        *,
        actor_id: str | None = None,
        session_id: str | None = None,
        kind: MemoryKind | None = None,
        type: str | None = None,
        status: MemoryStatus | None = None,
        level: Level | None = None,
        role_id: str | None = None,
        team_id: str | None = None,
        q: str | None = None,
        sort: MemorySort | None = None,
        page_size: int = 200,
    ) -> AsyncIterator[Memory]:
        """Every memory that matches, fetched page by page while it is iterated over."""
        return self._calls.items(
            lambda cursor: operations.page(
                actor_id=actor_id,
                session_id=session_id,
                kind=kind,
                type=type,
                status=status,
                level=level,
                role_id=role_id,
                team_id=team_id,
                q=q,
                sort=sort,
                limit=page_size,
                cursor=cursor,
            )
        )

    async def get(self, memory_id: str) -> Memory:
        """The memory as it stands now, whatever its status; `NotFoundError` if there is none."""
        return await self._calls.run(operations.get(memory_id))

    async def update(
        self,
        memory_id: str,
        *,
        text: str | None = None,
        title: str | None = None,
        tags: Sequence[str] | None = None,
        pinned: bool | None = None,
        status: Literal["active", "archived"] | None = None,
        confidence: float | None = None,
        half_life_days: float | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Memory:
        """Sets what is given, leaves what is None, keeps the old values in the history, and returns the result.

        `metadata` is merged into what is there; an empty `title` or an empty list of `tags` clears them.
        """
        return await self._calls.run(
            operations.update(
                memory_id,
                text=text,
                title=title,
                tags=tags,
                pinned=pinned,
                status=status,
                confidence=confidence,
                half_life_days=half_life_days,
                metadata=metadata,
            )
        )

    async def delete(self, memory_id: str) -> None:
        """Removes the memory from every read and search at once; `NotFoundError` if there is none."""
        await self._calls.run(operations.delete(memory_id))

    async def stats(self, *, actor_id: str | None = None) -> MemoryStats:
        """Exact counts and averages over the memories of the org, or of one actor, deleted ones aside."""
        return await self._calls.run(operations.stats(actor_id=actor_id))

    async def history(self, memory_id: str) -> MemoryHistory:
        """Every change the memory went through, with its reason and the values it replaced."""
        return await self._calls.run(operations.history(memory_id))

    async def sources(self, memory_id: str) -> MemorySources:
        """The events the memory rests on, in the order they were said."""
        return await self._calls.run(operations.sources(memory_id))

    async def lineage(self, memory_id: str) -> Lineage:
        """How many people hold the memory, since when and why, and what has risen from it; nobody is named."""
        return await self._calls.run(operations.lineage(memory_id))
