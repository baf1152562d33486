"""A whole application without a socket, with several orgs and keys, and a worker that works when told to."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from memcairn.app import make_app
from memcairn.core.deps import Deps
from memcairn.core.keys import create_key, create_org
from memcairn.core.limits import RateLimits
from memcairn.core.services import Services
from memcairn.domain.keys import KeyScope
from memcairn.pipeline.worker import Worker
from memcairn.settings import Settings
from tests.build import ORG

ALL = tuple(KeyScope)


class Server:
    """One application; `client` opens a door with a key of its own."""

    def __init__(self, deps: Deps, *, per_minute: int | None = None) -> None:
        self.deps = deps
        self.services = Services(deps, rate_limits=RateLimits(per_minute))
        self.app = make_app(self.services, None, Settings())

    @asynccontextmanager
    async def client(self, org_id: str = ORG, scopes: Sequence[KeyScope] = ALL) -> AsyncIterator[httpx2.AsyncClient]:
        made = await create_key(self.deps, org_id, name="test", scopes=frozenset(scopes))
        async with self.with_key(made.raw_key) as opened:
            yield opened

    def with_key(self, raw_key: str) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            transport=httpx2.ASGITransport(self.app),
            base_url="http://test",
            headers={"Authorization": f"Bearer {raw_key}"},
        )

    async def add_org(self, org_id: str) -> str:
        """Make an org; returns an admin key of it."""
        return (await create_org(self.deps, org_id)).raw_key

    async def work(self) -> None:
        worker = Worker(self.deps)
        while await worker.run_once():
            pass


async def say(client: httpx2.AsyncClient, *contents: str, **fields: Any) -> None:
    """Hand over what Ann says in the session s1, unless `fields` say otherwise."""
    base = {"actor_id": "ann", "session_id": "s1", "kind": "user_message"}
    events = [base | {"content": content} | fields for content in contents]
    response = await client.post("/v1/events", json={"events": events})
    assert response.status_code == 202, response.text
