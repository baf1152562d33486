"""The Memsy door of a whole application, reached without a socket, and a worker that works when told to."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest

from memcairn.app import make_app
from memcairn.core.deps import Deps
from memcairn.core.keys import MadeKey, create_key, create_org
from memcairn.core.services import Services, write_hints
from memcairn.domain.keys import KeyScope
from memcairn.pipeline.worker import Worker
from memcairn.settings import Settings
from tests.build import ORG

KEY = "a-key-of-the-test-process"


class Door:
    """The door as its clients see it: addresses start behind `/memsy`, and an admin's key is sent along."""

    def __init__(self, client: httpx2.AsyncClient, services: Services) -> None:
        self.client = client
        self.services = services

    async def ask(self, method: str, path: str, *, key: str | None = KEY, **options: Any) -> httpx2.Response:
        """One request; without a `key` it carries none."""
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return await self.client.request(method, f"/memsy{path}", headers=headers, **options)

    async def get(self, path: str, **query: Any) -> httpx2.Response:
        return await self.ask("GET", path, params=query or None)

    async def post(self, path: str, body: Any = None) -> httpx2.Response:
        return await self.ask("POST", path, json=body)

    async def json(self, path: str, **query: Any) -> Any:
        """What a GET shows; it must succeed."""
        return _shown(await self.get(path, **query))

    async def ingest(self, *events: Any) -> list[str]:
        """Send events, which must be taken; returns their ids."""
        ids: list[str] = _shown(await self.post("/ingest", {"events": events}))["event_ids"]
        return ids

    async def say(self, *contents: str, **fields: Any) -> list[str]:
        """Send one event per content; `ann` says it in session `s1` unless told otherwise."""
        return await self.ingest(*(event(content, **fields) for content in contents))

    async def search(self, query: str, **fields: Any) -> list[dict[str, Any]]:
        results: list[dict[str, Any]] = _shown(await self.post("/search", {"query": query} | fields))["results"]
        return results

    async def work(self) -> None:
        """Carry out everything that waits for a worker, and write what was gathered meanwhile."""
        worker = Worker(self.services.deps)
        while await worker.run_once():
            pass
        await write_hints(self.services)

    async def key_with(self, *scopes: KeyScope) -> str:
        return (await create_key(self.services.deps, ORG, name="test", scopes=frozenset(scopes))).raw_key

    async def other_org(self, org_id: str = "another") -> MadeKey:
        """Another tenant with its admin key."""
        return await create_org(self.services.deps, org_id)


def event(content: str, **fields: Any) -> dict[str, Any]:
    """An event as clients write it."""
    return {"actor_id": "ann", "session_id": "s1", "kind": "user_message", "content": content} | fields


def contents(results: Sequence[dict[str, Any]]) -> list[str]:
    return [result["content"] for result in results]


def _shown(answer: httpx2.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()


OpenDoor = Callable[..., Any]


@pytest.fixture
async def open_door(deps: Deps, anyio_backend: str) -> AsyncIterator[OpenDoor]:
    """Opens a door with settings and limits of its own."""
    async with AsyncExitStack() as stack:

        async def opened(settings: Settings | None = None, **services: Any) -> Door:
            held = Services(services.pop("deps", deps), local_key=KEY, **services)
            transport = httpx2.ASGITransport(make_app(held, None, settings or Settings()))
            client = httpx2.AsyncClient(transport=transport, base_url="http://test")
            return Door(await stack.enter_async_context(client), held)

        yield opened


@pytest.fixture
async def door(open_door: OpenDoor) -> Door:
    opened: Door = await open_door()
    return opened
