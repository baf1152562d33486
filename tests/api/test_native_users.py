"""Users over HTTP."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from memcairn.app import Running, running
from memcairn.settings import Settings

pytestmark = pytest.mark.anyio

ANN = {"user_id": "ann/1", "email": "ann@example.org", "first_name": "Ann", "metadata": {"a": {"x": 1}}}
PATH = "/v1/users/ann%2F1"


@pytest.fixture
async def server(data_place: dict[str, Any], anyio_backend: str) -> AsyncIterator[Running]:
    async with running(Settings(**data_place)) as started:
        yield started


@pytest.fixture
async def client(server: Running) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=server.app)
    headers = {"Authorization": f"Bearer {server.first_key}"}
    async with httpx2.AsyncClient(transport=transport, base_url="http://memcairn.test", headers=headers) as opened:
        yield opened


def files_with(folder: Path, word: bytes) -> list[Path]:
    return [file for file in folder.iterdir() if word in file.read_bytes()]


async def test_made_read_updated_and_listed(client: httpx2.AsyncClient) -> None:
    made = await client.post("/v1/users", json=ANN)
    assert made.status_code == 201
    assert (await client.get(PATH)).json() == made.json()

    changed = (await client.patch(PATH, json={"last_name": "Bo", "metadata": {"a": {"y": None}}})).json()

    assert (changed["first_name"], changed["last_name"], changed["email"]) == ("Ann", "Bo", "ann@example.org")
    assert changed["metadata"] == {"a": {"x": 1, "y": None}}
    assert (await client.get("/v1/users")).json() == {"next_cursor": None, "items": [changed]}


async def test_a_second_one_is_a_conflict(client: httpx2.AsyncClient) -> None:
    await client.post("/v1/users", json=ANN)

    again = await client.post("/v1/users", json=ANN)

    assert (again.status_code, again.json()["code"]) == (409, "user_exists")


async def test_with_a_key_a_repetition_is_the_first_answer(client: httpx2.AsyncClient) -> None:
    headers = {"Idempotency-Key": "k1"}
    first = await client.post("/v1/users", json=ANN, headers=headers)

    assert (await client.post("/v1/users", json=ANN, headers=headers)).json() == first.json()


async def test_a_user_has_the_sessions_linked_to_it(client: httpx2.AsyncClient) -> None:
    await client.post("/v1/users", json=ANN)
    for session_id in ("s1", "s2"):
        await client.post("/v1/sessions", json={"session_id": session_id, "user_id": "ann/1"})
    await client.post("/v1/sessions", json={"session_id": "s3"})

    mine = (await client.get(f"{PATH}/sessions")).json()["items"]

    assert [session["session_id"] for session in mine] == ["s1", "s2"]
    listed = (await client.get("/v1/sessions", params={"user_id": "ann/1"})).json()["items"]
    assert listed == mine


async def test_erasing_gives_a_receipt_and_frees_the_ids(client: httpx2.AsyncClient, tmp_path: Path) -> None:
    await client.post("/v1/users", json=ANN)
    await client.post("/v1/sessions", json={"session_id": "s1", "user_id": "ann/1"})
    said = {"messages": [{"role": "user", "content": "The xylophone plays at noon."}]}
    await client.post("/v1/sessions/s1/messages", json=said)

    receipt = (await client.delete(PATH)).json()["counts"]

    assert (receipt["users"], receipt["sessions"], receipt["events"]) == (1, 1, 1)
    assert (await client.delete(PATH)).json()["code"] == "user_not_found"
    assert files_with(tmp_path, b"xylophone") == []
    assert (await client.post("/v1/users", json=ANN)).status_code == 201
    assert (await client.get(f"{PATH}/sessions")).json()["items"] == []


async def test_somebody_nobody_made_is_not_found(client: httpx2.AsyncClient) -> None:
    for response in (
        await client.get("/v1/users/nobody"),
        await client.patch("/v1/users/nobody", json={"email": "x"}),
        await client.delete("/v1/users/nobody"),
        await client.get("/v1/users/nobody/sessions"),
    ):
        assert (response.status_code, response.json()["code"]) == (404, "user_not_found")
