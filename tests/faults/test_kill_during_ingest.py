"""The server is killed or paused while clients write: what was acknowledged is there once, and processed in the end."""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.faults.scale import times
from tests.faults.server_process import KEY, ServerProcess

ROUNDS = times(10, 100)
CLIENTS = 3
DRAIN_SECONDS = times(90, 600)


class Ledger:
    """What each client was told: acknowledged ids, and ids whose fate it never learned."""

    def __init__(self) -> None:
        self.acknowledged: list[str] = []
        self.unknown: list[str] = []
        self._lock = threading.Lock()

    def note(self, event_ids: list[str], *, heard: bool) -> None:
        with self._lock:
            (self.acknowledged if heard else self.unknown).extend(event_ids)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path / "data")
    process.start()
    yield process
    process.stop()


@pytest.mark.slow
def test_kills_and_pauses_lose_and_double_nothing_that_was_acknowledged(
    server: ServerProcess, record_property: Any
) -> None:
    ledger = Ledger()
    rng = random.Random(20_260_101)

    for round_number in range(ROUNDS):
        _write_until_killed(server, ledger, round_number, rng=rng)
        server.start()

    assert len(ledger.acknowledged) >= ROUNDS
    statuses = _statuses_when_idle(server, ledger.acknowledged + ledger.unknown)
    stored = list(_all_events(server))
    figure = {
        "kills": ROUNDS,
        "pauses": ROUNDS // 2,
        "acknowledged": len(ledger.acknowledged),
        "lost": len(set(ledger.acknowledged) - set(stored)),
        "doubled": len(stored) - len(set(stored)),
        "stuck": sum(status == "pending" for status in statuses.values()),
    }
    record_property("figure", " | ".join(f"{name}: {value}" for name, value in figure.items()))
    assert {event_id: statuses[event_id] for event_id in ledger.acknowledged} == dict.fromkeys(
        ledger.acknowledged, "completed"
    )
    assert {statuses[event_id] for event_id in ledger.unknown} <= {"completed", "not_found"}
    assert Counter(stored).most_common(1)[0][1] == 1
    assert set(ledger.acknowledged) <= set(stored) <= {*ledger.acknowledged, *ledger.unknown}
    memories = _sources_of_memories(server)
    assert {event_id: memories[event_id] for event_id in stored} == dict.fromkeys(stored, 1)


def _write_until_killed(server: ServerProcess, ledger: Ledger, round_number: int, *, rng: random.Random) -> None:
    clients = [
        threading.Thread(target=_write_events, args=(server.url, ledger, f"round {round_number} client {client}"))
        for client in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    time.sleep(rng.uniform(0.1, 0.8))
    if round_number % 2:
        server.pause()
        time.sleep(rng.uniform(0.05, 0.3))
        if rng.random() < 0.5:
            server.resume()
            time.sleep(rng.uniform(0.05, 0.3))
    server.kill()
    for client in clients:
        client.join(timeout=30)


def _write_events(url: str, ledger: Ledger, writer: str) -> None:
    """Post small batches of unique events until the server is gone."""
    with httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {KEY}"}, timeout=10) as client:
        for number in range(10_000):
            event_ids = [f"{writer} batch {number} event {i}" for i in range(3)]
            events = [
                {
                    "event_id": event_id,
                    "actor_id": writer,
                    "session_id": writer,
                    "kind": "user_message",
                    "content": f"The parcel with the label {event_id} went to the harbour.",
                }
                for event_id in event_ids
            ]
            try:
                response = client.post("/v1/events", json={"events": events})
            except httpx2.HTTPError:
                ledger.note(event_ids, heard=False)
                return
            ledger.note(event_ids, heard=response.status_code == 202)


def _statuses_when_idle(server: ServerProcess, event_ids: list[str]) -> dict[str, str]:
    """The status of every event once none is pending; leases of killed workers run out by themselves."""
    deadline = time.monotonic() + DRAIN_SECONDS
    while True:
        statuses: dict[str, str] = {}
        for start in range(0, len(event_ids), 1_000):
            body = {"event_ids": event_ids[start : start + 1_000]}
            for state in _call(server, "POST", "/v1/events/status", json=body)["events"]:
                statuses[state["event_id"]] = state["status"]
        if "pending" not in statuses.values() or time.monotonic() > deadline:
            return statuses
        time.sleep(0.5)


def _all_events(server: ServerProcess) -> list[str]:
    return [event["event_id"] for event in _pages(server, "/v1/events")]


def _sources_of_memories(server: ServerProcess) -> Counter[str]:
    """How many verbatim memories rest on each event."""
    found = _pages(server, "/v1/memories", type="message", sort="created_at_desc")
    return Counter(event_id for memory in found for event_id in memory["source_event_ids"])


def _pages(server: ServerProcess, path: str, **params: str) -> Iterator[dict[str, Any]]:
    cursor: dict[str, str] = {}
    while True:
        page = _call(server, "GET", path, params={"limit": "200", **params, **cursor})
        yield from page["items"]
        if page["next_cursor"] is None:
            return
        cursor = {"cursor": page["next_cursor"]}


def _call(server: ServerProcess, method: str, path: str, **options: Any) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {KEY}"}
    response = httpx2.request(method, server.url + path, headers=headers, timeout=30, **options)
    response.raise_for_status()
    answer: dict[str, Any] = response.json()
    return answer
