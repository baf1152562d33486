"""Who is asking: every way of being refused, and revocation from the next request on."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from memcairn.core.access import Keyring, authenticate
from memcairn.core.deps import Deps
from memcairn.core.keys import (
    MadeKey,
    create_key,
    create_org,
    ensure_default_org,
    ensure_first_key,
    list_keys,
    revoke_key,
)
from memcairn.core.services import Services, write_hints
from memcairn.domain.clock import FrozenClock
from memcairn.domain.errors import Conflict, Invalid, NotFound, Unauthenticated
from memcairn.domain.keys import ALL_SCOPES, KeyScope, Principal, _checksum, new_key
from memcairn.store.database import SqliteDatabase
from tests.build import NOW, ORG

pytestmark = pytest.mark.anyio

READ = frozenset({KeyScope.READ})


async def enter(deps: Deps, raw_key: str | None) -> Principal:
    return await authenticate(deps, Keyring(), raw_key)


async def refusal(deps: Deps, raw_key: str | None) -> str:
    with pytest.raises(Unauthenticated) as refused:
        await enter(deps, raw_key)
    return refused.value.code


def _trace(connection: Connection, note: Callable[[str], None]) -> None:
    """Some statements pass SQLAlchemy by, so the driver itself tells what it was asked."""
    driver: Any = connection.connection.driver_connection
    driver.set_trace_callback(note)


@pytest.fixture
async def made(deps: Deps) -> MadeKey:
    return await create_key(deps, ORG, name="app", scopes=READ)


class TestEntering:
    async def test_a_key_opens_its_org_with_its_scopes(self, deps: Deps, made: MadeKey) -> None:
        assert await enter(deps, made.raw_key) == Principal(ORG, made.key.key_id, READ)

    @pytest.mark.parametrize("missing", [None, ""])
    async def test_no_key_is_refused(self, deps: Deps, missing: str | None) -> None:
        assert await refusal(deps, missing) == "unauthenticated"

    @pytest.mark.parametrize("raw_key", ["nonsense", "mc_", "\ud800", "' OR 1=1 --"])
    async def test_an_unknown_key_is_refused(self, deps: Deps, raw_key: str) -> None:
        assert await refusal(deps, raw_key) == "unknown_key"

    async def test_a_key_nobody_stored_is_refused(self, deps: Deps) -> None:
        assert await refusal(deps, new_key()) == "unknown_key"

    async def test_a_mistyped_key_is_refused_without_asking_the_database(
        self, deps: Deps, sqlite_database: SqliteDatabase, made: MadeKey
    ) -> None:
        asked: list[str] = []
        await sqlite_database.peek(lambda connection: _trace(connection, asked.append))
        mistyped = made.raw_key[:-1] + ("a" if made.raw_key[-1] != "a" else "b")

        assert await refusal(deps, mistyped) == "malformed_key"
        assert await refusal(deps, "x" * 10_000) == "malformed_key"
        assert asked == []

        await enter(deps, made.raw_key)
        assert asked != []

    async def test_the_id_of_a_key_is_not_enough(self, deps: Deps, made: MadeKey) -> None:
        body = f"mc_{made.key.key_id}_" + "a" * 43
        imitation = body + _checksum(body)

        assert await refusal(deps, imitation) == "unknown_key"
        assert await refusal(deps, made.key.prefix) == "unknown_key"
        assert await refusal(deps, made.key.key_id) == "unknown_key"

    async def test_a_revoked_key_is_refused_from_the_next_request_on(self, deps: Deps, made: MadeKey) -> None:
        await enter(deps, made.raw_key)

        await revoke_key(deps, ORG, made.key.key_id)

        assert await refusal(deps, made.raw_key) == "revoked_key"

    async def test_a_key_that_was_let_in_is_refused_once_another_process_has_revoked_it(
        self, deps: Deps, sqlite_database: SqliteDatabase, made: MadeKey
    ) -> None:
        keyring = Keyring()
        for _ in range(3):
            await authenticate(deps, keyring, made.raw_key)

        another = SqliteDatabase(sqlite_database._path)
        await revoke_key(replace(deps, db=another), ORG, made.key.key_id)
        await another.close()

        with pytest.raises(Unauthenticated) as refused:
            await authenticate(deps, keyring, made.raw_key)
        assert refused.value.code == "revoked_key"

    async def test_a_key_is_read_again_only_after_a_commit(
        self, deps: Deps, sqlite_database: SqliteDatabase, made: MadeKey
    ) -> None:
        asked: list[str] = []
        keyring = Keyring()
        await authenticate(deps, keyring, made.raw_key)
        await sqlite_database.peek(lambda connection: _trace(connection, asked.append))

        await authenticate(deps, keyring, made.raw_key)
        assert asked == []

        await create_key(deps, ORG, name="another", scopes=READ)
        await authenticate(deps, keyring, made.raw_key)
        assert len(asked) == 1

    async def test_what_one_key_opens_another_one_does_not(self, deps: Deps, made: MadeKey) -> None:
        keyring = Keyring()
        other = await create_org(deps, "globex", name="Globex")

        entered = [(await authenticate(deps, keyring, each.raw_key)).org_id for each in (made, other, made, other)]

        assert entered == [ORG, "globex", ORG, "globex"]

    async def test_a_key_expires_to_the_second(self, deps: Deps, clock: FrozenClock) -> None:
        made = await create_key(deps, ORG, name="app", scopes=READ, expires_at=NOW + timedelta(seconds=2))

        clock.advance(timedelta(seconds=1))
        await enter(deps, made.raw_key)
        clock.advance(timedelta(seconds=1))

        assert await refusal(deps, made.raw_key) == "expired_key"

    async def test_a_server_inside_its_client_knows_one_key_that_is_stored_nowhere(self, deps: Deps) -> None:
        entered = await authenticate(deps, Keyring(), "secret", local_key="secret")

        assert entered == Principal(ORG, "local", ALL_SCOPES)
        assert await list_keys(deps, ORG) == []
        with pytest.raises(Unauthenticated):
            await authenticate(deps, Keyring(), "another", local_key="secret")

    async def test_uses_are_written_in_a_batch(self, deps: Deps, clock: FrozenClock, made: MadeKey) -> None:
        services = Services(deps)
        for _ in range(3):
            clock.advance(timedelta(seconds=1))
            await authenticate(deps, services.keyring, made.raw_key)
        with pytest.raises(Unauthenticated):
            await authenticate(deps, services.keyring, "nonsense")
        assert [key.last_used_at for key in await list_keys(deps, ORG)] == [None]

        await write_hints(services)

        assert [key.last_used_at for key in await list_keys(deps, ORG)] == [NOW + timedelta(seconds=3)]
        assert services.keyring.take() == {}


class TestMakingKeys:
    async def test_a_new_org_comes_with_an_admin_key(self, deps: Deps) -> None:
        made = await create_org(deps, "acme", name="Acme Inc.")

        assert await enter(deps, made.raw_key) == Principal("acme", made.key.key_id, ALL_SCOPES)
        assert [key.name for key in await list_keys(deps, "acme")] == ["first admin key"]

    async def test_an_org_exists_once(self, deps: Deps) -> None:
        with pytest.raises(Conflict) as refused:
            await create_org(deps, ORG)

        assert refused.value.code == "org_exists"
        assert await list_keys(deps, ORG) == []

    @pytest.mark.parametrize("org_id", ["", "  ", "x" * 257, "a\x00b"])
    async def test_an_unusable_org_id_is_refused(self, deps: Deps, org_id: str) -> None:
        with pytest.raises(Invalid) as refused:
            await create_org(deps, org_id)

        assert refused.value.code == "invalid_org_id"

    async def test_a_key_needs_an_org_a_scope_and_a_future(self, deps: Deps) -> None:
        with pytest.raises(NotFound):
            await create_key(deps, "nowhere", name="app", scopes=READ)
        with pytest.raises(Invalid):
            await create_key(deps, ORG, name="app", scopes=frozenset())
        with pytest.raises(Invalid):
            await create_key(deps, ORG, name="app", scopes=READ, expires_at=NOW)

    async def test_another_orgs_keys_are_neither_listed_nor_revoked(self, deps: Deps, made: MadeKey) -> None:
        await create_org(deps, "acme")

        assert made.key.key_id not in [key.key_id for key in await list_keys(deps, "acme")]
        with pytest.raises(NotFound):
            await revoke_key(deps, "acme", made.key.key_id)
        assert await enter(deps, made.raw_key)

    async def test_the_secret_is_nowhere_in_the_file(
        self, deps: Deps, sqlite_database: SqliteDatabase, made: MadeKey
    ) -> None:
        secret = made.raw_key.split("_")[2].encode()

        path = await sqlite_database.read(
            lambda connection: connection.exec_driver_sql("PRAGMA database_list").one()[2]
        )
        with open(path, "rb") as file, open(f"{path}-wal", "rb") as log:  # noqa: ASYNC230 -- a small file of the test
            written = file.read() + log.read()

        assert made.key.key_id.encode() in written
        assert secret not in written


class TestTheFirstKey:
    async def test_one_is_made_while_nobody_could_get_in(self, deps: Deps) -> None:
        raw_key = await ensure_first_key(deps, None)

        assert raw_key is not None
        assert (await enter(deps, raw_key)).scopes == ALL_SCOPES
        assert await ensure_first_key(deps, None) is None

    async def test_when_all_keys_have_ended_a_new_one_is_made(self, deps: Deps, made: MadeKey) -> None:
        assert await ensure_first_key(deps, None) is None

        await revoke_key(deps, ORG, made.key.key_id)

        assert await ensure_first_key(deps, None) is not None

    @pytest.mark.parametrize("chosen", ["s", "any shape at all!", "mc_not_generated", "пароль"])
    async def test_a_given_key_opens_whatever_its_shape(self, deps: Deps, chosen: str) -> None:
        for _ in range(2):
            assert await ensure_first_key(deps, chosen) is None

        assert (await enter(deps, chosen)).org_id == ORG
        assert len(await list_keys(deps, ORG)) == 1

    async def test_a_given_key_that_was_mistyped_is_refused(self, deps: Deps) -> None:
        raw_key = new_key()

        for wrong in (raw_key[:-1] + ("a" if raw_key[-1] != "a" else "b"), "", "   ", "x" * 600):
            with pytest.raises(Invalid) as refused:
                await ensure_first_key(deps, wrong)
            assert refused.value.code == "malformed_key"

    async def test_a_revoked_given_key_stays_revoked(self, deps: Deps) -> None:
        await ensure_first_key(deps, "chosen")
        [key] = await list_keys(deps, ORG)
        await revoke_key(deps, ORG, key.key_id)

        await ensure_first_key(deps, "chosen")

        assert await refusal(deps, "chosen") == "revoked_key"

    async def test_the_default_org_is_made_once(self, deps: Deps) -> None:
        await ensure_default_org(deps)
        await ensure_default_org(deps)

        assert await list_keys(deps, ORG) == []
