# Written by tools/unasync.py from ../_async/teams.py: change that, and run it.
"""`client.teams`: what admins say of the org's teams."""

from collections.abc import Iterator

from memcairn.client._operations import teams as operations
from memcairn.client._sync.calls import Calls
from memcairn.wire.teams import Team, TeamPage


class Teams:
    """Describes teams. Every key may read descriptions, an admin key may change them; memories are not touched."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def list(self, *, limit: int = 50, cursor: str | None = None) -> TeamPage:
        """One page of at most `limit` (1 to 200) teams, in the order they were described."""
        return self._calls.run(operations.page(limit=limit, cursor=cursor))

    def list_all(self, *, page_size: int = 200) -> Iterator[Team]:
        """Every described team, fetched page by page while it is iterated over."""
        return self._calls.items(lambda cursor: operations.page(limit=page_size, cursor=cursor))

    def create(
        self,
        name: str,
        *,
        focus: str | None = None,
        team_id: str | None = None,
        promotion_prompt: str | None = None,
        idempotency_key: str | None = None,
    ) -> Team:
        """Describes a team; without `team_id` the server gives it one, without a prompt it writes one.

        `ConflictError` if that id is described already. Repeating is safe, by a key of the call's own or
        `idempotency_key`.
        """
        return self._calls.run(
            operations.create(
                name,
                focus=focus,
                team_id=team_id,
                promotion_prompt=promotion_prompt,
                idempotency_key=idempotency_key,
            )
        )

    def get(self, team_id: str) -> Team:
        """The description; `NotFoundError` if there is none, whatever memories carry the id."""
        return self._calls.run(operations.get(team_id))

    def update(
        self,
        team_id: str,
        *,
        name: str | None = None,
        focus: str | None = None,
        promotion_prompt: str | None = None,
    ) -> Team:
        """Sets what is given and leaves what is None. A prompt given here stays until it is regenerated."""
        return self._calls.run(operations.update(team_id, name=name, focus=focus, promotion_prompt=promotion_prompt))

    def regenerate_prompt(self, team_id: str) -> Team:
        """Has the server write the prompt anew from name and focus, over a manual one too."""
        return self._calls.run(operations.regenerate_prompt(team_id))

    def delete(self, team_id: str) -> None:
        """Removes the description; memories of the team stay. `NotFoundError` if there is none."""
        self._calls.run(operations.delete(team_id))
