"""Sessions, messages and users through the client: what is sent, and what a real server makes of it."""

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest

from memcairn import AsyncMemcairnClient, MemcairnClient
from memcairn.client import ConflictError, InvalidArgument, MemcairnError, NotFoundError

from .scripted import MOMENT, Colour, Scripted, Use

SESSION = {
    "session_id": "s1",
    "number": 1,
    "user_id": None,
    "metadata": None,
    "created_at": MOMENT,
    "updated_at": MOMENT,
}
USER = {
    "user_id": "ann",
    "number": 1,
    "email": None,
    "first_name": None,
    "last_name": None,
    "metadata": {},
    "created_at": MOMENT,
    "updated_at": MOMENT,
}
EMPTY: Mapping[str, object] = {"items": [], "next_cursor": None}

CALLS: Mapping[str, tuple[Use, str, object, object]] = {
    "sessions.add": (
        lambda client: client.sessions.add("s1", user_id="ann", metadata={"a": 1}),
        "POST /v1/sessions",
        {"session_id": "s1", "user_id": "ann", "metadata": {"a": 1}},
        SESSION,
    ),
    "sessions.get": (lambda client: client.sessions.get("a/b"), "GET /v1/sessions/a%2Fb", None, SESSION),
    "sessions.update": (
        lambda client: client.sessions.update("..", metadata={"a": None}),
        "PATCH /v1/sessions/%2E%2E",
        {"metadata": {"a": None}},
        SESSION,
    ),
    "sessions.delete": (lambda client: client.sessions.delete("s1"), "DELETE /v1/sessions/s1", None, {"messages": 2}),
    "sessions.list": (
        lambda client: client.sessions.list(user_id="ann", metadata={"jsonpath": "$.a"}, limit=9),
        "GET /v1/sessions?user_id=ann&metadata=%7B%22jsonpath%22%3A%22%24.a%22%7D&limit=9",
        None,
        EMPTY,
    ),
    "sessions.search": (
        lambda client: client.sessions.search("s1", "herons", limit=3),
        "POST /v1/sessions/s1/search",
        {"text": "herons", "scope": "messages", "mmr": False, "limit": 3},
        {"hits": []},
    ),
    "sessions.summary": (
        lambda client: client.sessions.summary("s1"),
        "GET /v1/sessions/s1/summary",
        None,
        {"summary": None},
    ),
    "sessions.summaries": (
        lambda client: client.sessions.summaries("s1", limit=2),
        "GET /v1/sessions/s1/summaries?limit=2",
        None,
        EMPTY,
    ),
    "messages.add": (
        lambda client: client.messages.add("s/1", [{"role": "user", "content": "hi"}]),
        "POST /v1/sessions/s%2F1/messages",
        {"messages": [{"role": "user", "content": "hi"}]},
        {"message_ids": ["m1"]},
    ),
    "messages.list": (
        lambda client: client.messages.list("s1", limit=2, cursor="c"),
        "GET /v1/sessions/s1/messages?limit=2&cursor=c",
        None,
        EMPTY,
    ),
    "messages.hold": (
        lambda client: client.messages.hold("s1", "m/1", held=False),
        "POST /v1/sessions/s1/messages/m%2F1/hold",
        {"held": False},
        {"message_id": "m/1", "held": False, "deleted_at": None},
    ),
    "messages.delete": (
        lambda client: client.messages.delete("s1", "m1"),
        "DELETE /v1/sessions/s1/messages/m1",
        None,
        None,
    ),
    "users.add": (
        lambda client: client.users.add("ann", email="a@x.org"),
        "POST /v1/users",
        {"user_id": "ann", "email": "a@x.org"},
        USER,
    ),
    "users.update": (
        lambda client: client.users.update("ann", first_name="Ann"),
        "PATCH /v1/users/ann",
        {"first_name": "Ann"},
        USER,
    ),
    "users.delete": (
        lambda client: client.users.delete("ann"),
        "DELETE /v1/users/ann",
        None,
        {"counts": {"users": 1}},
    ),
    "users.sessions": (
        lambda client: client.users.sessions("ann", limit=5),
        "GET /v1/users/ann/sessions?limit=5",
        None,
        EMPTY,
    ),
    "purge": (
        lambda client: client.purge(older_than_seconds=60),
        "POST /v1/purge",
        {"older_than_seconds": 60},
        {"counts": {}, "wiped": True},
    ),
}


@pytest.mark.parametrize(("use", "line", "body", "answer"), CALLS.values(), ids=CALLS)
def test_a_call_sends_what_it_says(colour: Colour, use: Use, line: str, body: object, answer: object) -> None:
    server = Scripted(httpx2.Response(200, json=answer))

    colour(server, use)

    [request] = server.requests
    assert server.lines == [line]
    assert (json.loads(request.content) if request.content else None) == body


@pytest.mark.parametrize("call", ["sessions.add", "messages.add", "users.add"])
def test_what_makes_something_carries_a_key_and_is_repeated(colour: Colour, call: str) -> None:
    use, _, _, answer = CALLS[call]
    server = Scripted(httpx2.ConnectError("broken"), httpx2.Response(201, json=answer))

    colour(server, use)

    first, second = (request.headers["Idempotency-Key"] for request in server.requests)
    assert first == second


@pytest.mark.parametrize("call", ["sessions.delete", "messages.delete"])
def test_a_deletion_whose_answer_was_lost_is_done(colour: Colour, call: str) -> None:
    use, _, _, _ = CALLS[call]
    server = Scripted(httpx2.ReadError("lost"), httpx2.Response(404, json={"detail": "gone", "code": "x"}))

    assert colour(server, use) is None


def test_an_erasure_is_never_repeated_by_itself(colour: Colour) -> None:
    server = Scripted(httpx2.ReadError("lost"))

    with pytest.raises(MemcairnError):
        colour(server, CALLS["users.delete"][0])

    assert len(server.requests) == 1


def test_the_whole_list_is_fetched_in_chunks(colour: Colour) -> None:
    pages = [
        {"items": [SESSION | {"session_id": "a"}, SESSION | {"session_id": "b"}], "next_cursor": "c1"},
        {"items": [SESSION | {"session_id": "c"}], "next_cursor": None},
    ]
    server = Scripted(*(httpx2.Response(200, json=page) for page in pages))

    found = colour(server, lambda client: client.sessions.list_all(user_id="ann", chunk_size=2))

    assert [session.session_id for session in found] == ["a", "b", "c"]
    assert server.lines == [
        "GET /v1/sessions?user_id=ann&limit=2",
        "GET /v1/sessions?user_id=ann&limit=2&cursor=c1",
    ]


def test_an_empty_id_is_refused_before_anything_is_sent(colour: Colour) -> None:
    server = Scripted()

    with pytest.raises(InvalidArgument, match="session_id is empty"):
        colour(server, lambda client: client.messages.last(""))


class TestOnARealServer:
    def test_a_conversation_from_its_first_word_to_its_erasure(self, tmp_path: Path) -> None:
        with MemcairnClient.local(tmp_path) as client:
            client.users.add("ann", first_name="Ann")
            client.sessions.add("trip/1", user_id="ann", metadata={"topic": {"place": "Faro"}})
            ids = client.messages.add("trip/1", [said("The heron nests here."), said("The ferry leaves at noon.")])
            client.sessions.update("trip/1", metadata={"topic": {"year": 2026}})

            assert client.sessions.get("trip/1").metadata == {"topic": {"place": "Faro", "year": 2026}}
            assert [message.content for message in client.messages.last("trip/1", 1)] == ["The ferry leaves at noon."]
            assert [message.event_id for message in client.messages.list_all("trip/1", page_size=1)] == ids.message_ids
            assert client.sessions.search("trip/1", "heron", limit=1).hits[0].message is not None
            with pytest.raises(ConflictError):
                client.sessions.add("trip/1")

            client.messages.delete("trip/1", ids.message_ids[0])
            assert [hit.text for hit in client.search("heron").hits if "heron" in hit.text] == []
            assert client.messages.restore("trip/1", ids.message_ids[0]).content == "The heron nests here."
            client.sessions.delete("trip/1")
            assert list(client.sessions.list_all()) == []
            assert client.purge().counts["events"] == 2
            assert client.users.delete("ann").counts == {"idempotency": 1, "users": 1}
            with pytest.raises(NotFoundError):
                client.users.get("ann")

    @pytest.mark.anyio
    async def test_a_list_that_changes_while_it_is_read_shows_each_once(self, tmp_path: Path) -> None:
        async with AsyncMemcairnClient.local(tmp_path) as client:
            for n in range(10):
                await client.messages.add(f"s{n}", [said("hello")])

            seen = []
            async for session in listed(client):
                seen.append(session.session_id)
                if session.session_id == "s3":
                    await client.sessions.delete("s1")
                    await client.sessions.delete("s7")
                    await client.sessions.add("s10")

        assert seen == ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s8", "s9", "s10"]


def said(words: str) -> dict[str, str]:
    return {"role": "user", "content": words}


def listed(client: AsyncMemcairnClient) -> AsyncIterator[Any]:
    return client.sessions.list_all(chunk_size=2)
