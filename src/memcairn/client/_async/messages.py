"""`client.messages`: what is said in a session."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from memcairn.client._async.calls import AsyncCalls
from memcairn.client._operations import messages as operations
from memcairn.wire.events import Event
from memcairn.wire.messages import AddMessagesResponse, Hold, MessagePage, NewMessage


class AsyncMessages:
    """Adds, reads and hides messages; a message is an event, found by every search."""

    def __init__(self, calls: AsyncCalls) -> None:
        self._calls = calls

    async def add(
        self,
        session_id: str,
        messages: Sequence[NewMessage | Mapping[str, Any]],
        *,
        idempotency_key: str | None = None,
    ) -> AddMessagesResponse:
        """Adds messages, all or none, and returns their ids in order once they are on disk.

        The session is made or revived by it. A message with the `message_id` of an earlier one of the session takes
        that one's place; `ConflictError` if the id belongs to another session. Repeating is safe, by a key of the
        call's own or `idempotency_key`.
        """
        return await self._calls.run(operations.add(session_id, messages, idempotency_key=idempotency_key))

    async def list(self, session_id: str, *, limit: int = 50, cursor: str | None = None) -> MessagePage:
        """One page of at most `limit` (1 to 200) messages, oldest first; `NotFoundError` if there is no session."""
        return await self._calls.run(operations.page(session_id, limit=limit, cursor=cursor))

    def list_all(self, session_id: str, *, page_size: int = 200) -> AsyncIterator[Event]:
        """Every message of the session, oldest first, fetched page by page while it is iterated over."""
        return self._calls.items(lambda cursor: operations.page(session_id, limit=page_size, cursor=cursor))

    async def last(self, session_id: str, count: int = 20) -> Sequence[Event]:
        """The newest `count` (1 to 200) messages, oldest first; `NotFoundError` if there is no session."""
        return (await self._calls.run(operations.last(session_id, count))).items

    async def get(self, session_id: str, message_id: str) -> Event:
        """The message as it stands now; `NotFoundError` if the session holds none of that id."""
        return await self._calls.run(operations.get(session_id, message_id))

    async def update(self, session_id: str, message_id: str, *, metadata: Mapping[str, Any]) -> Event:
        """Merges metadata level by level (null is a value like others) and returns the message."""
        return await self._calls.run(operations.update(session_id, message_id, metadata=metadata))

    async def delete(self, session_id: str, message_id: str) -> None:
        """Hides the message from every read at once, with what rests on it alone; `restore` works until the purge."""
        await self._calls.run(operations.delete(session_id, message_id))

    async def restore(self, session_id: str, message_id: str) -> Event:
        """Brings a deleted message back, and its session with it; `NotFoundError` once it is purged."""
        return await self._calls.run(operations.restore(session_id, message_id))

    async def hold(self, session_id: str, message_id: str, *, held: bool = True) -> Hold:
        """Keeps a message from the purge, deleted or not; with `held` off it is left to the purge again."""
        return await self._calls.run(operations.hold(session_id, message_id, held=held))
