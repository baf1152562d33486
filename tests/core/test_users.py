"""Users: profiles that are made, merged and listed."""

import asyncio

import pytest

from memcairn.core.deps import Deps
from memcairn.core.idempotency import repeatable_request
from memcairn.core.sessions import create_session, sessions_after
from memcairn.core.users import create_user, erase_user, get_user, list_users, update_user, users_after
from memcairn.domain.conversations import User
from memcairn.domain.errors import Conflict, Forbidden, NotFound
from memcairn.domain.keys import KeyScope, Principal
from tests.build import NOW, ORG

pytestmark = pytest.mark.anyio

STRANGER = Principal("other", "k", frozenset({KeyScope.ADMIN}))


async def test_a_user_carries_what_it_was_made_with(deps: Deps, principal: Principal) -> None:
    made = await create_user(
        deps, principal, "ann", email="a@x.org", first_name="Ann", last_name="Bo", metadata={"plan": "free"}
    )

    assert made == await get_user(deps, principal, "ann")
    assert made == User(
        ORG, "ann", made.user_uuid, 1, "a@x.org", "Ann", "Bo", {"plan": "free"}, created_at=NOW, updated_at=NOW
    )


async def test_a_second_one_is_refused_and_burns_no_number(deps: Deps, principal: Principal) -> None:
    await create_user(deps, principal, "ann")

    with pytest.raises(Conflict, match="'ann' exists already"):
        await create_user(deps, principal, "ann", email="other@x.org")

    assert (await get_user(deps, principal, "ann")).email is None
    assert (await create_user(deps, principal, "bob")).number == 2


async def test_repeating_a_request_gives_the_first_answer(deps: Deps, principal: Principal) -> None:
    repeatable = repeatable_request("k", "POST", {})
    first = await create_user(deps, principal, "ann", repeatable=repeatable)

    assert await create_user(deps, principal, "ann", repeatable=repeatable) == first


async def test_an_update_sets_what_is_given_and_merges_metadata(deps: Deps, principal: Principal) -> None:
    await create_user(deps, principal, "ann", email="a@x.org", first_name="Ann", metadata={"a": {"x": 1}})

    changed = await update_user(deps, principal, "ann", first_name="Anna", metadata={"a": {"y": None}})

    assert (changed.email, changed.first_name) == ("a@x.org", "Anna")
    assert changed.metadata == {"a": {"x": 1, "y": None}}


async def test_concurrent_updates_of_different_keys_all_survive(deps: Deps, principal: Principal) -> None:
    await create_user(deps, principal, "ann")

    await asyncio.gather(*(update_user(deps, principal, "ann", metadata={str(n): n}) for n in range(20)))

    assert (await get_user(deps, principal, "ann")).metadata == {str(n): n for n in range(20)}


async def test_pages_hold_each_user_once_while_others_come_and_go(deps: Deps, principal: Principal) -> None:
    for n in range(5):
        await create_user(deps, principal, f"u{n}")

    first = await list_users(deps, principal, limit=2)
    await erase_user(deps, principal, "u1")
    await erase_user(deps, principal, "u3")
    await create_user(deps, principal, "u5")
    second = await list_users(deps, principal, limit=2, cursor=first.next_cursor)
    third = await list_users(deps, principal, limit=2, cursor=second.next_cursor)

    assert [user.user_id for page in (first, second, third) for user in page.items] == ["u0", "u1", "u2", "u4", "u5"]
    assert [user.user_id for user in await users_after(deps, principal, after_number=3, limit=None)] == ["u4", "u5"]


async def test_one_user_has_many_sessions(deps: Deps, principal: Principal) -> None:
    await create_user(deps, principal, "ann")
    for n in range(3):
        await create_session(deps, principal, f"s{n}", user_id="ann" if n else None)

    mine = await sessions_after(deps, principal, user_id="ann", limit=None)

    assert [session.session_id for session in mine] == ["s1", "s2"]


async def test_another_org_sees_nothing_of_it(deps: Deps, principal: Principal) -> None:
    await create_user(deps, principal, "ann")

    with pytest.raises(NotFound):
        await get_user(deps, STRANGER, "ann")
    with pytest.raises(NotFound):
        await update_user(deps, STRANGER, "ann", first_name="Mallory")
    with pytest.raises(NotFound):
        await erase_user(deps, STRANGER, "ann")
    assert await users_after(deps, STRANGER, limit=None) == []


async def test_reading_and_writing_need_their_rights(deps: Deps) -> None:
    reader = Principal(ORG, "k", frozenset({KeyScope.READ}))

    with pytest.raises(Forbidden):
        await create_user(deps, reader, "ann")
    with pytest.raises(Forbidden):
        await erase_user(deps, reader, "ann")
