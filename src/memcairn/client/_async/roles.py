"""`client.roles`: what admins say of the org's roles."""

from collections.abc import AsyncIterator

from memcairn.client._async.calls import AsyncCalls
from memcairn.client._operations import roles as operations
from memcairn.wire.roles import Role, RolePage


class AsyncRoles:
    """Describes roles. Every key may read descriptions, an admin key may change them; memories are not touched."""

    def __init__(self, calls: AsyncCalls) -> None:
        self._calls = calls

    async def list(self, *, limit: int = 50, cursor: str | None = None) -> RolePage:
        """One page of at most `limit` (1 to 200) roles, in the order they were described."""
        return await self._calls.run(operations.page(limit=limit, cursor=cursor))

    def list_all(self, *, page_size: int = 200) -> AsyncIterator[Role]:
        """Every described role, fetched page by page while it is iterated over."""
        return self._calls.items(lambda cursor: operations.page(limit=page_size, cursor=cursor))

    async def create(
        self,
        name: str,
        *,
        focus: str | None = None,
        role_id: str | None = None,
        promotion_prompt: str | None = None,
        idempotency_key: str | None = None,
    ) -> Role:
        """Describes a role; without `role_id` the server gives it one, without a prompt it writes one.

        `ConflictError` if that id is described already. Repeating is safe, by a key of the call's own or
        `idempotency_key`.
        """
        return await self._calls.run(
            operations.create(
                name,
                focus=focus,
                role_id=role_id,
                promotion_prompt=promotion_prompt,
                idempotency_key=idempotency_key,
            )
        )

    async def get(self, role_id: str) -> Role:
        """The description; `NotFoundError` if there is none, whatever memories carry the id."""
        return await self._calls.run(operations.get(role_id))

    async def update(
        self,
        role_id: str,
        *,
        name: str | None = None,
        focus: str | None = None,
        promotion_prompt: str | None = None,
    ) -> Role:
        """Sets what is given and leaves what is None. A prompt given here stays until it is regenerated."""
        return await self._calls.run(
            operations.update(role_id, name=name, focus=focus, promotion_prompt=promotion_prompt)
        )

    async def regenerate_prompt(self, role_id: str) -> Role:
        """Has the server write the prompt anew from name and focus, over a manual one too."""
        return await self._calls.run(operations.regenerate_prompt(role_id))

    async def delete(self, role_id: str) -> None:
        """Removes the description; memories of the role stay. `NotFoundError` if there is none."""
        await self._calls.run(operations.delete(role_id))
