"""Who may see a memory."""

import pytest

from memcairn.domain.scopes import EVERYTHING, Level, Scope, actor_scope, visible_scope_keys


@pytest.mark.parametrize(
    ("scope", "key"),
    [
        (actor_scope("alice"), "actor:alice"),
        (Scope(Level.ROLE, role_id="nurse"), "role:nurse"),
        (Scope(Level.TEAM, team_id="night"), "team:night"),
        (Scope(Level.ORG), "org"),
        (Scope(Level.ROLE, actor_id="alice", role_id="nurse", team_id="night"), "role:nurse"),
        (actor_scope("session:s1"), "actor:session:s1"),
    ],
)
def test_a_scope_is_named_by_its_level_and_owner(scope: Scope, key: str) -> None:
    assert scope.key == key


def test_no_actor_can_be_named_so_that_it_is_somebody_else() -> None:
    names = ["org", "*", "role:nurse", "alice", "actor:alice", "team:night"]
    keys = [actor_scope(name).key for name in names]

    others = {Scope(Level.ROLE, role_id="nurse").key, Scope(Level.TEAM, team_id="night").key, "org", EVERYTHING}
    assert len(set(keys)) == len(names)
    assert others.isdisjoint(keys)


@pytest.mark.parametrize(
    ("actor_id", "role_ids", "team_ids", "visible"),
    [
        ("alice", (), (), ("actor:alice", "org")),
        ("alice", ("nurse", "nurse"), ("night",), ("actor:alice", "role:nurse", "team:night", "org")),
        ("alice", ("b", "a"), (), ("actor:alice", "role:b", "role:a", "org")),
        (None, (), (), (EVERYTHING,)),
        (None, ("nurse",), ("night",), (EVERYTHING,)),
    ],
)
def test_an_actor_sees_its_own_its_roles_its_teams_and_the_orgs(
    actor_id: str | None, role_ids: tuple[str, ...], team_ids: tuple[str, ...], visible: tuple[str, ...]
) -> None:
    assert visible_scope_keys(actor_id, role_ids, team_ids) == visible
