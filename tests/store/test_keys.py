"""Keys and orgs at rest."""

from datetime import timedelta

import pytest

from memcairn.domain.errors import Conflict, NotFound
from memcairn.domain.keys import ApiKey, KeyScope
from memcairn.store import keys, orgs
from memcairn.store.database import Database
from tests.build import NOW, ORG, at, make

pytestmark = pytest.mark.anyio


async def test_a_key_comes_back_as_it_went_in(database: Database) -> None:
    key = make(ApiKey, scopes=frozenset({KeyScope.READ, KeyScope.WRITE}), expires_at=at(9))

    await database.write(keys.add, key)

    assert await database.read(keys.find, key.key_id) == key
    assert await database.read(keys.find, "nobody") is None


async def test_a_key_exists_once(database: Database) -> None:
    key = make(ApiKey)
    await database.write(keys.add, key)

    with pytest.raises(Conflict):
        await database.write(keys.add, key)


async def test_revoking_ends_a_key_once_and_in_its_own_org(database: Database) -> None:
    key = make(ApiKey)
    await database.write(keys.add, key)

    with pytest.raises(NotFound):
        await database.write(keys.revoke, "other", key.key_id, at(1))
    await database.write(keys.revoke, ORG, key.key_id, at(2))
    with pytest.raises(NotFound):
        await database.write(keys.revoke, ORG, key.key_id, at(3))

    found = await database.read(keys.find, key.key_id)
    assert found is not None
    assert found.revoked_at == at(2)


async def test_keys_are_listed_by_age_for_their_org(database: Database) -> None:
    await database.write(orgs.add, "other", "Other", NOW)
    for name, org, hour in (("b", ORG, 2), ("a", ORG, 1), ("c", "other", 0)):
        await database.write(keys.add, make(ApiKey, key_id=name, org_id=org, created_at=at(hour)))

    assert [key.key_id for key in await database.read(keys.list_of, ORG)] == ["a", "b"]


async def test_only_keys_that_open_a_door_are_usable(database: Database) -> None:
    await database.write(keys.add, make(ApiKey))
    await database.write(keys.add, make(ApiKey, expires_at=NOW))
    await database.write(keys.add, make(ApiKey, expires_at=NOW + timedelta(seconds=1)))
    await database.write(keys.add, make(ApiKey, revoked_at=NOW))

    assert await database.read(keys.count_usable, NOW) == 2


async def test_last_uses_are_written_together(database: Database) -> None:
    for name in "ab":
        await database.write(keys.add, make(ApiKey, key_id=name))

    await database.write(keys.note_use, {"a": at(1), "gone": at(2)})

    assert [key.last_used_at for key in await database.read(keys.list_of, ORG)] == [at(1), None]


async def test_orgs_are_numbered_as_they_come(database: Database) -> None:
    for name in ("b", "a"):
        await database.write(orgs.add, name, name.upper(), NOW)

    assert [(org.org_id, org.number) for org in await database.read(orgs.every)] == [(ORG, 1), ("b", 2), ("a", 3)]
    with pytest.raises(Conflict, match="'a'"):
        await database.write(orgs.add, "a", "again", NOW)
    with pytest.raises(NotFound, match="'c'"):
        await database.read(orgs.require, "c")
