"""Clients that retry, race, leave in the middle or lose their key: one effect each, and none that was not meant."""

import json
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.faults.server_process import KEY, ServerProcess

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("races") / "data")
    process.start()
    yield process
    process.stop()


def test_a_retry_after_a_lost_answer_has_one_effect(server: ServerProcess) -> None:
    body = {"events": [_event("lost answer", f"The {number}. crate is green.") for number in range(3)]}
    request = _raw(server, "/v1/events", body, {"Idempotency-Key": "lost answer"})
    with _connected(server) as connection:
        connection.sendall(request)
        _until(lambda: len(_events(server, "lost answer")) == 3)

    again = _post(server, "/v1/events", body, {"Idempotency-Key": "lost answer"})

    assert again.status_code == 202
    assert [event["event_id"] for event in _events(server, "lost answer")] == again.json()["event_ids"]


def test_of_fifty_bodies_under_one_key_at_once_one_wins(server: ServerProcess) -> None:
    def send(number: int) -> int:
        body = {"events": [_event("one key", f"Crate {number} is green.")]}
        return _post(server, "/v1/events", body, {"Idempotency-Key": "fifty"}).status_code

    with ThreadPoolExecutor(50) as threads:
        statuses = Counter(threads.map(send, range(50)))

    assert statuses[202] == 1
    assert set(statuses) <= {202, 409, 422}
    assert len(_events(server, "one key")) == 1


def test_a_hundred_equal_facts_at_once_become_one_memory_with_all_their_sources(server: ServerProcess) -> None:
    def say(number: int) -> str:
        event = _event("same fact", "I live in Ravensburg.", session_id=f"same fact {number}")
        event_id: str = _post(server, "/v1/events", {"events": [event]}).json()["event_ids"][0]
        return event_id

    with ThreadPoolExecutor(20) as threads:
        said = set(threads.map(say, range(100)))

    _until(lambda: _pending(server, said) == 0, seconds=60)
    facts = _get(server, "/v1/memories", actor_id="same fact", type="fact")["items"]
    assert len(facts) == 1
    assert set(facts[0]["source_event_ids"]) == said


def test_clients_that_leave_while_asking_store_all_of_a_batch_or_nothing(server: ServerProcess) -> None:
    rng = random.Random(20_260_104)

    def leave(number: int) -> None:
        body = {
            "events": [_event("leaving", f"Box {number}, shelf {shelf}.", f"leaving {number}") for shelf in range(5)]
        }
        request = _raw(server, "/v1/events", body, {})
        with _connected(server) as connection:
            connection.sendall(request[: rng.randrange(len(request) - 200, len(request) + 1)])
            time.sleep(rng.uniform(0, 0.01))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(leave, range(80)))

    assert _post(server, "/v1/events", {"events": [_event("after", "Still here.")]}).status_code == 202
    stored = Counter(event["session_id"] for event in _events(server, "leaving"))
    assert set(stored.values()) <= {5}


def test_a_revoked_key_opens_nothing_from_the_answer_on(server: ServerProcess) -> None:
    made = _post(server, "/v1/keys", {"name": "to revoke", "scopes": ["read"]}).json()
    headers = {"Authorization": f"Bearer {made['api_key']}"}
    revoked_at = threading.Event()
    late: list[int] = []

    def use() -> None:
        with httpx2.Client(base_url=server.url, headers=headers, timeout=30) as client:
            for _ in range(2_000):
                after = revoked_at.is_set()
                status = client.get("/v1/me").status_code
                if after:
                    late.append(status)
                    return

    users = [threading.Thread(target=use) for _ in range(4)]
    for user in users:
        user.start()
    time.sleep(0.3)
    gone = httpx2.delete(f"{server.url}/v1/keys/{made['key_id']}", headers={"Authorization": f"Bearer {KEY}"})
    revoked_at.set()
    for user in users:
        user.join(timeout=30)

    assert gone.status_code in (200, 204)
    assert late == [401] * 4


def _event(actor_id: str, content: str, session_id: str | None = None) -> dict[str, Any]:
    return {"actor_id": actor_id, "session_id": session_id or actor_id, "kind": "user_message", "content": content}


def _post(server: ServerProcess, path: str, body: Any, headers: dict[str, str] | None = None) -> httpx2.Response:
    authorised = {"Authorization": f"Bearer {KEY}"} | (headers or {})
    return httpx2.post(server.url + path, json=body, headers=authorised, timeout=60)


def _get(server: ServerProcess, path: str, **params: str) -> Any:
    answer = httpx2.get(server.url + path, params=params, headers={"Authorization": f"Bearer {KEY}"}, timeout=30)
    answer.raise_for_status()
    return answer.json()


def _events(server: ServerProcess, actor_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = _get(server, "/v1/events", actor_id=actor_id, limit="200", **cursor)
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}


def _pending(server: ServerProcess, event_ids: set[str]) -> int:
    states = _post(server, "/v1/events/status", {"event_ids": sorted(event_ids)}).json()["events"]
    return sum(state["status"] == "pending" for state in states)


def _connected(server: ServerProcess) -> socket.socket:
    address = urlsplit(server.url)
    return socket.create_connection((address.hostname or "", address.port or 0), timeout=30)


def _raw(server: ServerProcess, path: str, body: Any, headers: dict[str, str]) -> bytes:
    content = json.dumps(body).encode()
    lines = {
        "Host": urlsplit(server.url).netloc,
        "Authorization": f"Bearer {KEY}",
        "Content-Type": "application/json",
        "Content-Length": str(len(content)),
    } | headers
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + content


def _until(true: Callable[[], bool], *, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)
