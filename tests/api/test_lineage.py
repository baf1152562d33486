"""Why a memory stands where it does, asked over HTTP and by the client."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from memcairn import AsyncMemcairnClient
from memcairn.app import Running, running
from memcairn.core.keys import create_key, create_org
from memcairn.domain.keys import KeyScope
from memcairn.settings import Settings

pytestmark = pytest.mark.anyio

SAID = ("Deploys are frozen on Fridays.", "We never deploy on a Friday.", "No deploys on Fridays, please.")


@pytest.fixture
async def server(data_place: dict[str, Any], anyio_backend: str) -> AsyncIterator[Running]:
    async with running(Settings(**data_place)) as started:
        yield started


@pytest.fixture
async def client(server: Running) -> AsyncIterator[httpx2.AsyncClient]:
    async with _client(server, server.first_key) as opened:
        await _all_say(opened, "eng")
        yield opened


def _client(server: Running, key: str | None) -> httpx2.AsyncClient:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    transport = httpx2.ASGITransport(app=server.app)
    return httpx2.AsyncClient(transport=transport, base_url="http://memcairn.test", headers=headers)


async def _all_say(client: httpx2.AsyncClient, role_id: str) -> None:
    """Three people of the role say the same; returns when no job is left."""
    events = [
        {
            "actor_id": f"{role_id}-{n}",
            "session_id": f"{role_id}-{n}",
            "kind": "user_message",
            "content": text,
            "role_id": role_id,
        }
        for n, text in enumerate(SAID)
    ]
    response = await client.post("/v1/events", params={"wait": True}, json={"events": events})
    assert response.status_code == 202, response.text
    while (await client.get("/v1/jobs")).json()["items"]:
        pass


async def _listed(client: httpx2.AsyncClient, **where: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await client.get("/v1/memories", params=where)).json()["items"]
    return items


async def _lineage(client: httpx2.AsyncClient, memory_id: str) -> dict[str, Any]:
    response = await client.get(f"/v1/memories/{memory_id}/lineage")
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def test_a_role_memory_says_how_many_people_hold_it_and_why(client: httpx2.AsyncClient) -> None:
    [memory] = await _listed(client, level="role")

    found = await _lineage(client, memory["memory_id"])

    assert found["scope"] == {"level": "role", "actor_id": None, "role_id": "eng", "team_id": None}
    assert (found["actors"], found["memories"], found["needed"]) == (3, 3, 3)
    assert found["since"] == memory["created_at"]
    assert "3 different people in the role 'eng'" in found["why"]
    assert [step["change"] for step in found["steps"]] == ["promoted"]


async def test_nobody_is_named(client: httpx2.AsyncClient) -> None:
    [memory] = await _listed(client, level="role")

    shown = (await client.get(f"/v1/memories/{memory['memory_id']}/lineage")).text

    assert [actor for actor in ("eng-0", "eng-1", "eng-2") if actor in shown or actor in str(memory)] == []


async def test_an_admin_sees_which_memories_were_counted_and_others_do_not(
    server: Running, client: httpx2.AsyncClient
) -> None:
    [memory] = await _listed(client, level="role")
    reader = await create_key(server.services.deps, "default", name="reader", scopes=frozenset({KeyScope.READ}))

    async with _client(server, reader.raw_key) as other:
        seen_by_reader = await _lineage(other, memory["memory_id"])

    ids = (await _lineage(client, memory["memory_id"]))["supporting_memory_ids"]
    told = {each["memory_id"] for each in await _listed(client, level="actor", type="message")}
    assert set(ids) == told
    assert seen_by_reader["supporting_memory_ids"] is None


async def test_a_persons_memory_says_what_has_risen_from_it(client: httpx2.AsyncClient) -> None:
    [risen] = await _listed(client, level="role")
    [own] = await _listed(client, actor_id="eng-1", type="message")

    found = await _lineage(client, own["memory_id"])

    assert (found["actors"], found["supporting_memory_ids"]) == (1, [])
    assert [each["memory_id"] for each in found["promoted_to"]] == [risen["memory_id"]]


async def test_an_org_memory_names_the_roles_and_not_the_people(client: httpx2.AsyncClient) -> None:
    await _all_say(client, "qa")
    [memory] = await _listed(client, level="org")

    found = await _lineage(client, memory["memory_id"])

    assert sorted((group["scope"]["role_id"], group["actors"]) for group in found["groups"]) == [("eng", 3), ("qa", 3)]
    assert (found["actors"], found["memories"]) == (6, 6)


async def test_a_withdrawn_memory_has_no_lineage_any_more(client: httpx2.AsyncClient) -> None:
    [memory] = await _listed(client, level="role")
    [own] = await _listed(client, actor_id="eng-1", type="message")

    await client.delete(f"/v1/memories/{own['memory_id']}")

    assert await _listed(client, level="role") == []
    assert (await client.get(f"/v1/memories/{memory['memory_id']}/lineage")).status_code == 404


async def test_another_orgs_lineage_is_not_found(server: Running, client: httpx2.AsyncClient) -> None:
    [memory] = await _listed(client, level="role")
    await create_org(server.services.deps, "other", name="Other")
    key = await create_key(server.services.deps, "other", name="k", scopes=frozenset({KeyScope.ADMIN}))

    async with _client(server, key.raw_key) as stranger:
        response = await stranger.get(f"/v1/memories/{memory['memory_id']}/lineage")

    assert (response.status_code, response.json()["code"]) == (404, "memory_not_found")


async def test_the_client_asks_for_it(server: Running, client: httpx2.AsyncClient) -> None:
    [memory] = await _listed(client, level="role")
    transport = httpx2.ASGITransport(app=server.app)

    async with AsyncMemcairnClient("http://memcairn.test", server.first_key, transport=transport) as sdk:
        found = await sdk.memories.lineage(memory["memory_id"])

    assert (found.scope.role_id, found.actors, found.promoted_to) == ("eng", 3, [])
