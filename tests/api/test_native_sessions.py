"""Sessions and their messages over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from memcairn.app import Running, running
from memcairn.settings import Settings

pytestmark = pytest.mark.anyio

HI = {"messages": [{"role": "user", "content": "The heron nests behind the chapel."}]}


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


async def add(client: httpx2.AsyncClient, session: str, *words: str, **fields: Any) -> list[str]:
    messages = [{"role": "user", "content": each, **fields} for each in words]
    response = await client.post(f"/v1/sessions/{session}/messages", json={"messages": messages})
    assert response.status_code == 201, response.text
    ids: list[str] = response.json()["message_ids"]
    return ids


async def told(client: httpx2.AsyncClient, session: str, **params: Any) -> list[str]:
    response = await client.get(f"/v1/sessions/{session}/messages", params=params)
    assert response.status_code == 200, response.text
    return [item["content"] for item in response.json()["items"]]


class TestSessions:
    async def test_made_read_merged_listed_and_deleted(self, client: httpx2.AsyncClient) -> None:
        made = await client.post("/v1/sessions", json={"session_id": "s1", "metadata": {"a": {"x": 1}}})
        assert made.status_code == 201
        assert (await client.get("/v1/sessions/s1")).json() == made.json()

        merged = await client.patch("/v1/sessions/s1", json={"metadata": {"a": {"y": None}}})
        assert merged.json()["metadata"] == {"a": {"x": 1, "y": None}}
        listed = await client.get("/v1/sessions")
        assert [item["session_id"] for item in listed.json()["items"]] == ["s1"]
        await add(client, "s1", "hello")
        assert (await client.delete("/v1/sessions/s1")).json() == {"messages": 1}
        assert (await client.delete("/v1/sessions/s1")).status_code == 404
        assert (await client.get("/v1/sessions/s1")).json()["code"] == "session_not_found"
        assert (await client.get("/v1/sessions")).json() == {"next_cursor": None, "items": []}

    async def test_a_second_one_is_a_conflict(self, client: httpx2.AsyncClient) -> None:
        await client.post("/v1/sessions", json={"session_id": "s1"})

        again = await client.post("/v1/sessions", json={"session_id": "s1"})

        assert (again.status_code, again.json()["code"]) == (409, "session_exists")

    async def test_an_unknown_user_is_not_found(self, client: httpx2.AsyncClient) -> None:
        response = await client.post("/v1/sessions", json={"session_id": "s1", "user_id": "nobody"})

        assert (response.status_code, response.json()["code"]) == (404, "user_not_found")
        assert (await client.get("/v1/sessions/s1")).status_code == 404

    async def test_with_a_key_a_repetition_is_the_first_answer(self, client: httpx2.AsyncClient) -> None:
        headers = {"Idempotency-Key": "k1"}
        first = await client.post("/v1/sessions", json={"session_id": "s1"}, headers=headers)
        again = await client.post("/v1/sessions", json={"session_id": "s1"}, headers=headers)

        assert (again.status_code, again.json()) == (201, first.json())

    async def test_a_filter_chooses_by_metadata(self, client: httpx2.AsyncClient) -> None:
        for topic in ("food", "travel"):
            await client.post("/v1/sessions", json={"session_id": topic, "metadata": {"topic": topic}})

        params = {"metadata": '{"jsonpath": "$ ? (@.topic == \\"travel\\")"}'}
        response = await client.get("/v1/sessions", params=params)

        assert [item["session_id"] for item in response.json()["items"]] == ["travel"]

    @pytest.mark.sqlite
    @pytest.mark.parametrize("filter_", ["", "nonsense", "[]", "3", '{"jsonpath": "$ ?"}', '{"where": 3}', "{" * 9999])
    async def test_a_filter_that_cannot_be_read_is_refused(self, client: httpx2.AsyncClient, filter_: str) -> None:
        response = await client.get("/v1/sessions", params={"metadata": filter_})

        assert (response.status_code, response.json()["code"]) == (422, "invalid_filter")

    @pytest.mark.sqlite
    @pytest.mark.parametrize("session_id", ["", " ", "x" * 257, 3, None])
    async def test_what_cannot_be_an_id_is_refused(self, client: httpx2.AsyncClient, session_id: object) -> None:
        response = await client.post("/v1/sessions", json={"session_id": session_id})

        assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, "/session_id")

    async def test_a_long_list_is_paged_by_cursor(self, client: httpx2.AsyncClient) -> None:
        for n in range(5):
            await add(client, f"s{n}", "hello")

        seen, cursor = [], None
        while True:
            params = {"limit": 2} | ({} if cursor is None else {"cursor": cursor})
            page = (await client.get("/v1/sessions", params=params)).json()
            seen += [item["session_id"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break

        assert seen == ["s0", "s1", "s2", "s3", "s4"]


class TestIds:
    @pytest.mark.parametrize(
        "session_id",
        [
            "a/b",
            "/",
            "//",
            "../x",
            ".",
            "..",
            "a b",
            "ü/ß",
            "a%2Fb",
            "?",
            "#",
            "a/messages",
            "s/\uffff1",
            "\uffff",
            "1/",
        ],
    )
    async def test_any_string_is_an_id(self, client: httpx2.AsyncClient, session_id: str) -> None:
        path = quote(session_id, safe="").replace(".", "%2E")
        assert (await client.post("/v1/sessions", json={"session_id": session_id})).status_code == 201

        ids = await add(client, path, "hello", message_id=f"m/{session_id}")

        assert ids == [f"m/{session_id}"]
        assert (await client.get(f"/v1/sessions/{path}")).json()["session_id"] == session_id
        assert await told(client, path) == ["hello"]
        message = await client.get(f"/v1/sessions/{path}/messages/{quote(ids[0], safe='')}")
        assert message.json()["session_id"] == session_id
        assert (await client.get(f"/v1/sessions/{path}/summaries")).status_code == 200


class TestMessages:
    async def test_a_message_is_an_event_every_search_finds(self, client: httpx2.AsyncClient) -> None:
        [message_id] = await add(client, "s1", "The heron nests behind the chapel.", name="Ann")

        response = await client.post("/v1/search", json={"query": "where does the heron nest?"})

        assert response.json()["hits"][0]["source_event_ids"] == [message_id]
        message = (await client.get(f"/v1/sessions/s1/messages/{message_id}")).json()
        assert (message["event_id"], message["role"], message["kind"]) == (message_id, "user", "user_message")
        assert (message["actor_id"], message["name"], message["position"]) == ("session:s1", "Ann", 1)

    async def test_the_last_ones_and_pages_come_oldest_first(self, client: httpx2.AsyncClient) -> None:
        await add(client, "s1", *(f"m{n}" for n in range(6)))

        assert await told(client, "s1", last=2) == ["m4", "m5"]
        page = (await client.get("/v1/sessions/s1/messages", params={"limit": 4})).json()
        assert [item["content"] for item in page["items"]] == ["m0", "m1", "m2", "m3"]
        assert await told(client, "s1", limit=4, cursor=page["next_cursor"]) == ["m4", "m5"]

    async def test_hidden_restored_and_held(self, client: httpx2.AsyncClient) -> None:
        [message_id] = await add(client, "s1", "hello")
        path = f"/v1/sessions/s1/messages/{message_id}"

        assert (await client.delete(path)).status_code == 204
        assert (await client.delete(path)).status_code == 404
        held = (await client.post(f"{path}/hold", json={"held": True})).json()
        assert (held["held"], held["deleted_at"] is not None) == (True, True)
        purged = (await client.post("/v1/purge", json={})).json()
        assert purged == {"counts": {}, "wiped": True}
        assert (await client.post(f"{path}/restore")).json()["content"] == "hello"
        assert await told(client, "s1") == ["hello"]

    async def test_metadata_is_merged_and_words_stay(self, client: httpx2.AsyncClient) -> None:
        [message_id] = await add(client, "s1", "hello", metadata={"a": {"x": 1}})

        response = await client.patch(f"/v1/sessions/s1/messages/{message_id}", json={"metadata": {"a": {"y": 2}}})

        assert (response.json()["metadata"], response.json()["content"]) == ({"a": {"x": 1, "y": 2}}, "hello")

    async def test_an_id_given_again_rewrites(self, client: httpx2.AsyncClient) -> None:
        await add(client, "s1", "first", message_id="m1")
        await add(client, "s1", "second", message_id="m1")

        assert await told(client, "s1") == ["second"]
        body = {"messages": [{"role": "user", "content": "x", "message_id": "m1"}]}
        response = await client.post("/v1/sessions/s2/messages", json=body)
        assert (response.status_code, response.json()["code"]) == (409, "event_exists")

    async def test_with_a_key_a_repetition_adds_nothing(self, client: httpx2.AsyncClient) -> None:
        headers = {"Idempotency-Key": "k1"}
        first = await client.post("/v1/sessions/s1/messages", json=HI, headers=headers)

        assert (await client.post("/v1/sessions/s1/messages", json=HI, headers=headers)).json() == first.json()
        assert len(await told(client, "s1")) == 1
        elsewhere = await client.post("/v1/sessions/s2/messages", json=HI, headers=headers)
        assert (elsewhere.status_code, elsewhere.json()["code"]) == (422, "idempotency_mismatch")

    @pytest.mark.sqlite
    @pytest.mark.parametrize(
        ("message", "pointer"),
        [
            ({"content": "x"}, "/messages/0/role"),
            ({"role": "", "content": "x"}, "/messages/0/role"),
            ({"role": "user", "content": " "}, "/messages/0/content"),
            ({"role": "user", "content": "x", "token_count": -1}, "/messages/0/token_count"),
            ({"role": "user", "content": "x", "uuid": "1"}, "/messages/0/uuid"),
            ({"role": "user", "content": "x", "occurred_at": "noon"}, "/messages/0/occurred_at"),
        ],
    )
    async def test_what_breaks_a_rule_is_refused_and_makes_no_session(
        self, client: httpx2.AsyncClient, message: dict[str, object], pointer: str
    ) -> None:
        response = await client.post("/v1/sessions/s1/messages", json={"messages": [message]})

        assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, pointer)
        assert (await client.get("/v1/sessions/s1")).status_code == 404

    async def test_messages_of_a_session_nobody_made_are_not_found(self, client: httpx2.AsyncClient) -> None:
        for params in ({}, {"last": 3}):
            response = await client.get("/v1/sessions/s1/messages", params=params)
            assert (response.status_code, response.json()["code"]) == (404, "session_not_found")
        assert (await client.get("/v1/sessions/s1/messages/m1")).json()["code"] == "message_not_found"


class TestPurge:
    async def test_it_answers_when_everything_is_gone(self, client: httpx2.AsyncClient, tmp_path: Path) -> None:
        await add(client, "s1", "The xylophone plays at noon.")
        await client.delete("/v1/sessions/s1")

        report = (await client.post("/v1/purge")).json()

        assert (report["counts"]["events"], report["counts"]["sessions"], report["wiped"]) == (1, 1, True)
        assert files_with(tmp_path, b"xylophone") == []

    async def test_only_what_is_old_enough_goes(self, client: httpx2.AsyncClient) -> None:
        await add(client, "s1", "hello")
        await client.delete("/v1/sessions/s1")

        assert (await client.post("/v1/purge", json={"older_than_seconds": 3600})).json()["counts"] == {}


async def test_a_running_server_purges_by_itself(data_place: dict[str, Any]) -> None:
    async with running(Settings(**data_place, purge_interval=0.001)) as server:
        headers = {"Authorization": f"Bearer {server.first_key}"}
        transport = httpx2.ASGITransport(app=server.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://t", headers=headers) as client:
            await add(client, "s1", "hello")
            await client.delete("/v1/sessions/s1")

            # The id is free only when the row is gone.
            async with asyncio.timeout(10):
                status = 409
                while status == 409:
                    await asyncio.sleep(0.02)
                    status = (await client.post("/v1/sessions", json={"session_id": "s1"})).status_code

            assert status == 201
