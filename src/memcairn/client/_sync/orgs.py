# Written by tools/unasync.py from ../_async/orgs.py: change that, and run it.
"""`client.orgs`: the org of the key, the only one it sees."""

import builtins

from memcairn.client._operations import orgs as operations
from memcairn.client._sync.calls import Calls
from memcairn.wire.orgs import Org


class Orgs:
    """Describes the org. `org_id` may be left out: another one than the key's is a `NotFoundError`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def list(self) -> builtins.list[Org]:
        """The orgs this key sees, which is one."""
        return self._calls.run(operations.every())

    def create(self, org_id: str | None = None, *, name: str | None = None, focus: str | None = None) -> Org:
        """Describes the org for the first time and has its prompt written; `ConflictError` if it is described."""
        return self._calls.run(operations.create(org_id, name=name, focus=focus))

    def get(self, org_id: str | None = None) -> Org:
        """The org; one that nobody described has the name and the prompt it began with."""
        return self._calls.run(operations.get(org_id))

    def update(
        self,
        org_id: str | None = None,
        *,
        name: str | None = None,
        focus: str | None = None,
        promotion_prompt: str | None = None,
    ) -> Org:
        """Sets what is given and leaves what is None. A prompt given here stays until it is regenerated."""
        return self._calls.run(operations.update(org_id, name=name, focus=focus, promotion_prompt=promotion_prompt))

    def regenerate_prompt(self, org_id: str | None = None) -> Org:
        """Has the server write the prompt anew from name and focus, over a manual one too."""
        return self._calls.run(operations.regenerate_prompt(org_id))

    def delete(self, org_id: str | None = None) -> None:
        """Takes the description back; the org, its keys and memories stay. `NotFoundError` if it has none."""
        self._calls.run(operations.delete(org_id))
