"""`GET /v1/export`: what `memcairn export` writes, fetched over HTTP."""

import io
from collections.abc import AsyncIterator

import httpx2
import pytest

from memcairn.app import make_app
from memcairn.core.deps import Deps
from memcairn.core.export_file import IMPORTING, Reader
from memcairn.core.importing import import_org
from memcairn.core.keys import create_key
from memcairn.core.services import Services
from memcairn.domain.keys import KeyScope
from memcairn.pipeline.worker import Worker
from memcairn.settings import Settings
from memcairn.store import counters
from tests.build import ORG

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(deps: Deps) -> AsyncIterator[httpx2.AsyncClient]:
    key = (await create_key(deps, ORG, name="test", scopes=frozenset({KeyScope.ADMIN}))).raw_key
    transport = httpx2.ASGITransport(make_app(Services(deps), None, Settings()))
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(transport=transport, base_url="http://test", headers=headers) as opened:
        said = {"actor_id": "ann", "session_id": "s1", "kind": "user_message"}
        for session_id, content in (("s1", "The heron nests behind the chapel."), ("s2", "A parrot sang at noon.")):
            event = said | {"session_id": session_id, "content": content}
            (await opened.post("/v1/events", json={"events": [event]})).raise_for_status()
        (await opened.delete("/v1/sessions/s2")).raise_for_status()
        while await Worker(deps).run_once():
            pass
        yield opened


def rows_of(content: bytes, name: str) -> int:
    reader = Reader(io.BytesIO(content))
    for _ in reader.rows():
        pass
    return reader.counts.get(name, 0)


async def test_it_can_be_imported_as_it_is(deps: Deps, client: httpx2.AsyncClient) -> None:
    response = await client.get("/v1/export")

    assert (response.status_code, response.headers["content-type"]) == (200, "application/x-ndjson")
    await import_org(deps, io.BytesIO(response.content), rename_to="twin")
    again = await client.get("/v1/export")
    assert rows_of(again.content, "events") == rows_of(response.content, "events") == 2


async def test_the_keys_come_only_when_they_are_asked_for(client: httpx2.AsyncClient) -> None:
    without, whole = await client.get("/v1/export"), await client.get("/v1/export", params={"keys": True})

    assert (rows_of(without.content, "api_keys"), rows_of(whole.content, "api_keys")) == (0, 1)


async def test_what_is_deleted_can_be_left_out(client: httpx2.AsyncClient) -> None:
    response = await client.get("/v1/export", params={"deleted": False})

    assert rows_of(response.content, "events") == 1
    assert b"parrot" not in response.content


async def test_half_an_org_is_refused_with_a_problem(deps: Deps, client: httpx2.AsyncClient) -> None:
    await deps.db.write(counters.take, ORG, IMPORTING)

    response = await client.get("/v1/export")

    assert (response.status_code, response.json()["code"]) == (409, "import_unfinished")
