"""Twenty orgs again, at the doors made for other clients: each tries every id of every other."""

import random

import pytest

from memcairn.api.memsy import door as memsy
from memcairn.api.zep import door as zep
from tests.api.organisation import Server
from tests.faults.doors import MEMSY, MEMSY_CONTROL, MEMSY_OPERATIONS, OPERATIONS, ZEP, ZEP_OPERATIONS
from tests.faults.tenants import Pick, Tenant
from tests.faults.test_tenants import RANDOM_OPERATIONS, SEED, Watch
from tests.faults.test_tenants import server as server  # a fixture, which a test file has to hold itself
from tests.faults.test_tenants import tenants as tenants  # as above

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


def test_every_route_of_the_memsy_door_is_tried() -> None:
    data = {f"{method} {MEMSY}{path}" for path, by_method in memsy.DATA.items() for method in by_method}
    control = {f"{method} {MEMSY_CONTROL}{path}" for path, by_method in memsy.CONTROL.items() for method in by_method}

    assert set(MEMSY_OPERATIONS) == {route.replace(":path}", "}") for route in data | control}


def test_every_route_of_the_zep_door_is_tried() -> None:
    assert set(ZEP_OPERATIONS) == {
        f"{method} {ZEP}{path}" for path, by_method in zep.ROUTES.items() for method in by_method
    }


async def test_nobody_sees_or_changes_what_is_another_s_by_a_vendor_s_door(
    server: Server, tenants: list[Tenant]
) -> None:
    watch = Watch(tenants)
    await watch.learn_owners(server.deps)
    before = {tenant.tag: await tenant.everything() for tenant in tenants}

    found_foreign = await _try_every_foreign_id(tenants, watch)
    after = {tenant.tag: await tenant.everything() for tenant in tenants}
    await _live(server, tenants, watch)
    await watch.learn_owners(server.deps)

    assert found_foreign == []
    assert after == before
    assert watch.leaks == []
    assert watch.strangers() == []


async def _try_every_foreign_id(tenants: list[Tenant], watch: Watch) -> list[str]:
    """Each tenant asks for what each other one has, by some routes of each kind; returns what was not refused."""
    wrong: list[str] = []
    routes = {route for route, operation in OPERATIONS.items() if operation(lambda kind: kind).denied}
    for tenant in tenants:
        for victim in tenants:
            if victim is tenant:
                continue
            for route in tenant.rng.sample(sorted(routes), 12):
                response, sent = await tenant.ask(route, OPERATIONS[route](_foreign(tenant, victim)))
                watch.note(tenant, route, response, sent)
                if response.status_code != 404:
                    wrong.append(f"{route}: {response.status_code} {response.text[:200]}")
    return wrong


async def _live(server: Server, tenants: list[Tenant], watch: Watch) -> None:
    """Everybody does this and that, with ids of their own and, where no id has to be theirs, with those of others."""
    rng = random.Random(SEED)
    lives = [tenant for tenant in tenants for _ in range(RANDOM_OPERATIONS)]
    rng.shuffle(lives)
    for number, tenant in enumerate(lives):
        route = rng.choice(list(OPERATIONS))
        pick: Pick = tenant.pick
        victim = rng.choice([other for other in tenants if other is not tenant])
        if number % 2 and not OPERATIONS[route](pick).denied:
            tenant.borrowed.add(victim.tag)
            pick = _foreign(tenant, victim)
        response, sent = await tenant.ask(route, OPERATIONS[route](pick))
        watch.note(tenant, route, response, sent)
        if number % 100 == 0:
            await server.work()
            await watch.learn_owners(server.deps)


def _foreign(tenant: Tenant, victim: Tenant) -> Pick:
    """Picks the ids of a victim; texts are the tenant's own."""

    def pick(kind: str) -> str:
        return tenant.pick(kind) if kind == "text" else victim.pick(kind)

    return pick
