"""The Zep door of a whole application, reached without a socket, and a worker that works when told to."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from memcairn.app import make_app
from memcairn.core.deps import Deps
from memcairn.core.services import Services
from memcairn.pipeline.worker import Worker
from memcairn.settings import Settings

KEY = "a-key-of-the-test-process"


class Door:
    """The door as its clients see it: addresses start behind `/zep/api/v1`, and the key is sent along."""

    def __init__(self, client: httpx2.AsyncClient, stranger: httpx2.AsyncClient, deps: Deps) -> None:
        self.client = client
        self.stranger = stranger
        """Without a key."""
        self._deps = deps

    async def get(self, path: str, **query: Any) -> httpx2.Response:
        return await self.client.get(f"/zep/api/v1{path}", params=query)

    async def post(self, path: str, body: Any = None, **query: Any) -> httpx2.Response:
        return await self.client.post(f"/zep/api/v1{path}", json=body, params=query)

    async def patch(self, path: str, body: Any) -> httpx2.Response:
        return await self.client.patch(f"/zep/api/v1{path}", json=body)

    async def delete(self, path: str) -> httpx2.Response:
        return await self.client.delete(f"/zep/api/v1{path}")

    async def json(self, path: str, **query: Any) -> Any:
        """What a GET shows; it must succeed."""
        answer = await self.get(path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def say(self, session_id: str, *contents: str, **fields: Any) -> None:
        """Add messages of a person to a session."""
        messages = [{"role": "human", "content": content} | fields for content in contents]
        answer = await self.post(f"/sessions/{session_id}/memory", {"messages": messages})
        assert (answer.status_code, answer.text) == (200, "OK")

    async def messages(self, session_id: str) -> list[dict[str, Any]]:
        """Every message of a session, oldest first."""
        found: list[dict[str, Any]] = (await self.json(f"/sessions/{session_id}/messages"))["messages"]
        return found

    async def work(self) -> None:
        """Carry out everything that waits for a worker."""
        worker = Worker(self._deps)
        while await worker.run_once():
            pass


@pytest.fixture
async def door(deps: Deps, anyio_backend: str) -> AsyncIterator[Door]:
    app = make_app(Services(deps, local_key=KEY), None, Settings())
    async with (
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as stranger,
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as client,
    ):
        client.headers["Authorization"] = f"Bearer {KEY}"
        yield Door(client, stranger, deps)
