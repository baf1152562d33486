"""Twenty orgs on one server, each trying every id of every other: no byte of one reaches another."""

import asyncio
import random
import re
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from sqlalchemy import Connection, select

from memcairn.core.deps import Deps
from memcairn.store.database import READER_THREADS, SqliteDatabase
from memcairn.store.schema import jobs
from tests.api.organisation import Server
from tests.architecture.routes import ROUTES
from tests.faults.scale import times
from tests.faults.tenants import (
    ID_TAG,
    KINDS,
    OPERATIONS,
    TEXT_TAG,
    UUID,
    Ask,
    Tenant,
    new_tag,
    owners,
    routes_taking,
)

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SEED = 20_260_101
TENANTS = 20
TENANTS_ON_POSTGRES = times(8, 20)
RANDOM_OPERATIONS = times(20, 500)
_LITERAL = re.compile(r"x?'(?:[^']|'')*'|\b\d+(?:\.\d+)?\b", re.IGNORECASE)
"""What a statement was carried out with, which differs from call to call."""


class Watch:
    """Notes what every tenant was shown, and says who was shown what is another's."""

    def __init__(self, tenants: list[Tenant]) -> None:
        self._key_ids = {tenant.tag: tenant.ids["key"] for tenant in tenants}
        self._seen: list[tuple[str, str, set[str]]] = []
        self._owners: dict[str, str] = {}
        self.leaks: list[str] = []

    def note(self, tenant: Tenant, route: str, response: httpx2.Response, sent: str) -> None:
        shown = response.text + repr(response.headers.multi_items())
        foreign = set(TEXT_TAG.findall(shown)) - set(TEXT_TAG.findall(sent))
        foreign |= set(ID_TAG.findall(shown)) - set(ID_TAG.findall(sent)) - tenant.borrowed
        foreign -= {tenant.tag}
        foreign |= {
            key_id
            for tag, key_ids in self._key_ids.items()
            for key_id in key_ids
            if tag != tenant.tag and key_id in shown and key_id not in sent
        }
        if foreign or response.status_code >= 500:
            self.leaks.append(f"{tenant.tag} {route}: {response.status_code} {foreign} {shown[:200]}")
        self._seen.append((tenant.tag, route, set(UUID.findall(shown)) - set(UUID.findall(sent))))

    @property
    def attempts(self) -> int:
        return len(self._seen)

    async def learn_owners(self, deps: Deps) -> None:
        """Remember whose the ids are, before some of them are gone."""
        self._owners |= await deps.db.read(owners)

    def strangers(self) -> list[str]:
        """Ids that were shown to somebody else than their owner."""
        return [
            f"{tag} {route}: {uuid} of {self._owners[uuid]}"
            for tag, route, uuids in self._seen
            for uuid in uuids
            if self._owners.get(uuid, tag) != tag
        ]


@pytest.fixture
def server(deps: Deps) -> Server:
    return Server(replace(deps, summary_window=4))


@pytest.fixture
async def tenants(server: Server, anyio_backend: str) -> AsyncIterator[list[Tenant]]:
    rng = random.Random(SEED)
    async with AsyncExitStack() as stack:
        made = []
        for number in range(TENANTS if isinstance(server.deps.db, SqliteDatabase) else TENANTS_ON_POSTGRES):
            tag = new_tag(number, rng)
            client = await stack.enter_async_context(server.with_key(await server.add_org(tag)))
            made.append(Tenant(number, client, tag, random.Random(rng.random())))
        for tenant in made:
            await _settle(tenant)
        await server.work()
        for tenant in made:
            await _say(tenant, "later")
            await _collect(server, tenant)
        yield made


async def _settle(tenant: Tenant) -> None:
    """Give an org some of everything; every org sends the same Idempotency-Keys."""
    tag = tenant.tag
    tenant.ids = {kind: [f"{tag}-{kind}/1"] for kind in ("user", "role", "team", "session")}
    tenant.ids |= {"actor": [f"{tag}-user/1"], "collection": [f"{tag}-books"]}
    for route in ("POST /v1/users", "POST /v1/roles", "POST /v1/teams", "POST /v1/collections"):
        await _must(tenant, route, OPERATIONS[route](tenant.pick))
    await _must(
        tenant,
        "POST /v1/sessions",
        Ask(body={"session_id": f"{tag}-session/1", "user_id": f"{tag}-user/1", "metadata": {"note": tag}}),
    )
    await _say(tenant, "first")
    await _must(
        tenant,
        "POST /v1/collections/{name}/documents",
        OPERATIONS["POST /v1/collections/{name}/documents"](tenant.pick),
    )
    await _must(tenant, "POST /v1/keys", OPERATIONS["POST /v1/keys"](tenant.pick))
    await _must(tenant, "PATCH /v1/org", Ask(body={"name": f"{tag} harbour", "focus": tag}))


async def _say(tenant: Tenant, when: str) -> None:
    messages = [{"role": "user", "content": f"{tenant.tag} and the heron number {n}, {when}."} for n in range(6)]
    ask = Ask({"session_id": f"{tenant.tag}-session/1"}, body={"messages": messages})
    await _must(tenant, "POST /v1/sessions/{session_id}/messages", ask, once=when)


async def _must(tenant: Tenant, route: str, ask: Ask, *, once: str = "once") -> None:
    response, _ = await tenant.ask(route, ask, **{"Idempotency-Key": f"the same for everybody: {route}, {once}"})
    assert response.status_code < 300, response.text


async def _collect(server: Server, tenant: Tenant) -> None:
    """Note the ids an org was given; jobs, of which those at work may be missing in a list, are asked of the store."""

    async def ids(path: str, key: str) -> list[str]:
        items = (await tenant.client.get(path, params={"limit": 2})).json()["items"]
        return [item[key] for item in items]

    tenant.ids["message"] = tenant.ids["event"] = await ids("/v1/events", "event_id")
    tenant.ids["memory"] = await ids("/v1/memories", "memory_id")
    tenant.ids["key"] = await ids("/v1/keys", "key_id")
    found = await tenant.client.post(f"/v1/collections/{tenant.tag}-books/search", json={"text": "paper"})
    tenant.ids["document"] = [hit["document"]["document_uuid"] for hit in found.json()["hits"]]
    statement = select(jobs.c.job_id).where(jobs.c.org_id == tenant.tag).limit(2)
    tenant.ids["job"] = await server.deps.db.read(lambda connection: list(connection.execute(statement).scalars()))
    assert all(tenant.ids[kind] for kind in KINDS if kind != "org")


def test_every_route_that_needs_a_key_is_tried() -> None:
    assert set(OPERATIONS) == {route for route, scope in ROUTES.items() if scope is not None}


async def test_nobody_sees_or_changes_what_is_another_s(
    server: Server, tenants: list[Tenant], record_property: Any
) -> None:
    watch = Watch(tenants)
    await watch.learn_owners(server.deps)
    before = {tenant.tag: await tenant.everything() for tenant in tenants}

    found_foreign = await _try_every_foreign_id(tenants, watch)
    after = {tenant.tag: await tenant.everything() for tenant in tenants}
    await _use_foreign_ids_as_ones_own(tenants, watch)
    still = {tenant.tag: await tenant.everything() for tenant in tenants}
    await watch.learn_owners(server.deps)
    await _live(server, tenants, watch)
    await watch.learn_owners(server.deps)

    figure = f"orgs: {len(tenants)} | operations: {watch.attempts} | leaks: {len(watch.leaks) + len(watch.strangers())}"
    record_property("figure", figure)
    assert found_foreign == []
    assert after == before
    assert _changed(before, still) == []
    assert watch.leaks == []
    assert watch.strangers() == []


async def _try_every_foreign_id(tenants: list[Tenant], watch: Watch) -> list[str]:
    """Each tenant asks for each id of each other one, by some route that takes it; returns what was not a 404."""
    wrong: list[str] = []
    routes = {kind: routes_taking(kind) for kind in KINDS}
    for tenant in tenants:
        for victim in tenants:
            if victim is tenant:
                continue
            for kind in KINDS:
                for wanted in [victim.tag] if kind == "org" else victim.ids[kind]:
                    route = tenant.rng.choice(routes[kind])
                    ask = OPERATIONS[route](_foreign(tenant, victim, kind, wanted))
                    response, sent = await tenant.ask(route, ask)
                    watch.note(tenant, route, response, sent)
                    if response.status_code != 404:
                        wrong.append(f"{route} {kind}: {response.status_code} {response.text[:200]}")
    return wrong


async def _use_foreign_ids_as_ones_own(tenants: list[Tenant], watch: Watch) -> None:
    """Each tenant writes, filters and searches with the ids of another one, on every route that allows it."""
    for tenant in tenants:
        victim = tenant.rng.choice([other for other in tenants if other is not tenant])
        tenant.borrowed.add(victim.tag)
        for route, operation in OPERATIONS.items():
            ask = operation(_foreign(tenant, victim, "", ""))
            if not ask.denied and route != "POST /v1/purge":
                response, sent = await tenant.ask(route, ask)
                watch.note(tenant, route, response, sent)


@pytest.mark.sqlite
async def test_what_is_another_s_takes_the_same_road_as_what_is_nowhere(
    deps: Deps, sqlite_database: SqliteDatabase, tenants: list[Tenant], record_property: Any
) -> None:
    tenant, victim = tenants[:2]
    asked: list[str] = []
    await _trace(sqlite_database, asked.append)
    tried, different = 0, []
    for kind in KINDS:
        wanted = victim.tag if kind == "org" else victim.ids[kind][0]
        for route in routes_taking(kind):
            roads = []
            for own in (wanted, _nowhere(wanted)):
                asked.clear()
                response, _ = await tenant.ask(route, OPERATIONS[route](_foreign(tenant, victim, kind, own)))
                # A key is read again after any commit, whatever is asked for.
                statements = [_LITERAL.sub("?", each) for each in asked if "FROM api_keys" not in each]
                roads.append((response.status_code, response.json()["code"], statements))
            tried += 1
            if roads[0] != roads[1]:
                different.append((route, kind, roads))

    record_property("figure", f"routes and ids: {tried} | roads that differ: {len(different)}")
    assert tried > 40
    assert different == []


async def _trace(database: SqliteDatabase, note: Callable[[str], None]) -> None:
    """Have every statement told to `note`, on whichever connection and thread it is carried out."""

    def watch(connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        driver.set_trace_callback(note)

    await database.write(watch)
    await database.peek(watch)
    # Each reader thread has a connection of its own: as many at once as there are threads reach all of them.
    meeting = threading.Barrier(READER_THREADS)

    def watch_together(connection: Connection) -> None:
        meeting.wait(timeout=30)
        watch(connection)

    await asyncio.gather(*(database.read(watch_together) for _ in range(READER_THREADS)))


def _nowhere(wanted: str) -> str:
    """An id of the same length and form that nobody has."""
    return wanted[:-1] + ("0" if wanted[-1] != "0" else "9") if UUID.fullmatch(wanted) else wanted[::-1]


async def _live(server: Server, tenants: list[Tenant], watch: Watch) -> None:
    """Everybody does this and that with ids of their own, while the worker works."""
    rng = random.Random(SEED)
    lives = [tenant for tenant in tenants for _ in range(RANDOM_OPERATIONS)]
    rng.shuffle(lives)
    for number, tenant in enumerate(lives):
        route = rng.choice(list(OPERATIONS))
        if route in ("POST /v1/purge", "DELETE /v1/keys/{key_id}") and number % 10:
            continue
        response, sent = await tenant.ask(route, OPERATIONS[route](tenant.pick))
        watch.note(tenant, route, response, sent)
        if number % 100 == 0:
            await server.work()
            await watch.learn_owners(server.deps)


def _foreign(tenant: Tenant, victim: Tenant, kind: str, wanted: str) -> Any:
    """Picks the ids of a victim, this one among them; texts are the tenant's own."""

    def pick(asked: str) -> str:
        if asked == kind:
            return wanted
        return tenant.pick("text") if asked == "text" else victim.pick(asked)

    return pick


def _changed(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> list[str]:
    """What was there before and is not, or not as it was."""
    return [
        f"{tag} {place}" for tag, its in before.items() for place, item in its.items() if after[tag].get(place) != item
    ]
