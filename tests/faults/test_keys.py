"""Keys that are damaged, unknown, over or doubled: refused, and what has no right shape without asking the store."""

import random
import string
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from memcairn.core.deps import Deps
from memcairn.core.keys import MadeKey, create_key, revoke_key
from memcairn.domain.clock import FrozenClock
from memcairn.domain.keys import ALL_SCOPES
from tests.api.organisation import Server
from tests.build import ORG
from tests.faults.scale import times

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

DAMAGED = times(150, 5_000)
ROUTES = ("GET /v1/me", "POST /v1/events", "GET /memsy/v1/orgs", "POST /memsy/v1/ingest", "GET /zep/api/v1/sessions")


class CountingDatabase:
    """Counts what is asked of it."""

    def __init__(self, db: Any) -> None:
        self._db = db
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        if name in ("read", "peek", "write"):
            self.asked += 1
        return getattr(self._db, name)


@pytest.fixture
def counting(deps: Deps) -> CountingDatabase:
    return CountingDatabase(deps.db)


@pytest.fixture
async def client(deps: Deps, counting: CountingDatabase) -> AsyncIterator[httpx2.AsyncClient]:
    app = Server(replace(deps, db=counting)).app
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as opened:
        yield opened


@pytest.fixture
async def made(deps: Deps) -> MadeKey:
    return await create_key(deps, ORG, name="app", scopes=ALL_SCOPES)


async def status(client: httpx2.AsyncClient, route: str, headers: Any) -> int:
    method, path = route.split(" ")
    content = b"{" if method == "POST" else None  # a body that cannot be read: who may not send one is told so first
    return (await client.request(method, path, headers=headers, content=content)).status_code


async def test_a_damaged_key_is_refused_before_the_store_is_asked(
    client: httpx2.AsyncClient, counting: CountingDatabase, made: MadeKey, record_property: Any
) -> None:
    rng = random.Random(20_260_106)
    tried = 0
    for number, damaged in enumerate(_damaged(made.raw_key, rng)):
        header = {"X-API-Key": damaged} if number % 3 == 0 else {"Authorization": f"Bearer {damaged}"}
        assert await status(client, ROUTES[number % len(ROUTES)], header) == 401, damaged
        tried += 1

    record_property("figure", f"damaged keys: {tried} | accesses to the store: {counting.asked}")
    assert counting.asked == 0


@pytest.mark.parametrize("route", ROUTES)
async def test_several_keys_at_once_no_key_and_other_schemes_are_refused_before_the_store_is_asked(
    client: httpx2.AsyncClient, counting: CountingDatabase, made: MadeKey, route: str
) -> None:
    key = made.raw_key
    refused: list[list[tuple[str, str]]] = [
        [],
        [("Authorization", f"Bearer {key}"), ("Authorization", f"Bearer {key}")],
        [("Authorization", f"Basic {key}")],
        [("Authorization", "Bearer")],
        [("Authorization", "Bearer ")],
        [("Authorization", "")],
        [("X-API-Key", "")],
        [("X-API-Key", key), ("X-API-Key", key)],
        [("X-API-Key", key), ("Authorization", f"Bearer {key}")],
        [("Cookie", f"api_key={key}")],
    ]

    for headers in refused:
        assert await status(client, route, headers) == 401, [name for name, _ in headers]
    assert (await client.get("/v1/me", params={"api_key": key, "access_token": key})).status_code == 401
    assert counting.asked == 0


@pytest.mark.parametrize("route", ROUTES)
async def test_what_is_revoked_or_over_opens_nothing_from_then_on(
    deps: Deps,
    client: httpx2.AsyncClient,
    clock: FrozenClock,
    made: MadeKey,
    route: str,
) -> None:
    soon = clock.now() + timedelta(seconds=5)
    ending = await create_key(deps, ORG, name="ends", scopes=ALL_SCOPES, expires_at=soon)
    headers = [{"Authorization": f"Bearer {key.raw_key}"} for key in (made, ending)]
    assert [await status(client, route, each) == 401 for each in headers] == [False, False]

    await revoke_key(deps, ORG, made.key.key_id)
    clock.advance(timedelta(seconds=5))

    assert [await status(client, route, each) for each in headers] == [401, 401]


def _damaged(key: str, rng: random.Random) -> Iterator[str]:
    """Keys that look like ours and are not, with other characters, and some beyond every size.

    One cut so short that it does not look like ours may be a key that an operator chose, which only the store can tell.
    """
    for _ in range(DAMAGED):
        place = rng.randrange(len("mc_"), len(key))
        if key[place] != "_":
            other = rng.choice([each for each in string.ascii_letters + string.digits if each != key[place]])
            yield key[:place] + other + key[place + 1 :]
    for _ in range(DAMAGED // 5):
        first, second = sorted(rng.sample(range(16, len(key)), 2))
        if key[first] != key[second]:
            yield key[:first] + key[second] + key[first + 1 : second] + key[first] + key[second + 1 :]
    yield key * 10
    yield key + "x" * 2**20
    yield "x" * 513
