# Written by tools/unasync.py from ../_async/users.py: change that, and run it.
"""`client.users`: people, and all that belongs to them."""

from collections.abc import Iterator, Mapping
from typing import Any

from memcairn.client._operations import users as operations
from memcairn.client._sync.calls import Calls
from memcairn.wire.sessions import SessionPage
from memcairn.wire.users import Receipt, User, UserPage


class Users:
    """Makes, changes and erases users; a user is an actor with a profile."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def add(
        self,
        user_id: str,
        *,
        email: str | None = None,
        first_name: str | None = None,
        last_name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> User:
        """Makes a user; `ConflictError` if there is one. Repeating is safe, by a key of its own or the one given."""
        return self._calls.run(
            operations.add(
                user_id,
                email=email,
                first_name=first_name,
                last_name=last_name,
                metadata=metadata,
                idempotency_key=idempotency_key,
            )
        )

    def get(self, user_id: str) -> User:
        """The user as it stands now; `NotFoundError` if there is none."""
        return self._calls.run(operations.get(user_id))

    def update(
        self,
        user_id: str,
        *,
        email: str | None = None,
        first_name: str | None = None,
        last_name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> User:
        """Sets what is given, leaves what is None, merges metadata level by level, and returns the result."""
        return self._calls.run(
            operations.update(user_id, email=email, first_name=first_name, last_name=last_name, metadata=metadata)
        )

    def delete(self, user_id: str) -> Receipt:
        """Erases the user at once and for good: sessions, events, memories, every trace. The ids are free again.

        The receipt counts the rows; it is given once, and never repeated by itself when the connection breaks.
        """
        return self._calls.run(operations.delete(user_id))

    def list(self, *, limit: int = 50, cursor: str | None = None) -> UserPage:
        """One page of at most `limit` (1 to 1,000) users in the order they were made."""
        return self._calls.run(operations.page(limit=limit, cursor=cursor))

    def list_all(self, *, chunk_size: int = 200) -> Iterator[User]:
        """Every user, each once, fetched in chunks while it is iterated over."""
        return self._calls.items(lambda cursor: operations.page(limit=chunk_size, cursor=cursor))

    def sessions(self, user_id: str, *, limit: int = 50, cursor: str | None = None) -> SessionPage:
        """One page of the user's sessions in the order they were made; `NotFoundError` if there is no such user."""
        return self._calls.run(operations.sessions(user_id, limit=limit, cursor=cursor))
