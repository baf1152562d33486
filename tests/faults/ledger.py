"""What clients were told while they wrote, and what the server holds in the end."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx2

from tests.faults.scale import times
from tests.faults.server_process import KEY, ServerProcess

DRAIN_SECONDS = times(90, 600)


class Ledger:
    """What each client was told: acknowledged ids, and ids whose fate it never learned."""

    def __init__(self) -> None:
        self.acknowledged: list[str] = []
        self.unknown: list[str] = []
        self.refused: list[str] = []
        """Refusals other than "come back later", in words."""
        self._lock = threading.Lock()

    def note(self, event_ids: list[str], *, heard: bool) -> None:
        with self._lock:
            (self.acknowledged if heard else self.unknown).extend(event_ids)


def write_events(url: Callable[[], str], ledger: Ledger, writer: str, *, until: threading.Event | None = None) -> None:
    """Post small batches of unique events until the server is gone, or, whatever happens to it, `until` is set.

    The address is asked for with every batch: a server that is started again listens elsewhere.
    """
    with httpx2.Client(headers={"Authorization": f"Bearer {KEY}"}, timeout=10) as client:
        for number in range(10_000):
            if until is not None and until.is_set():
                return
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
                response = client.post(f"{url()}/v1/events", json={"events": events})
            except httpx2.HTTPError:
                ledger.note(event_ids, heard=False)
                if until is None:
                    return
                time.sleep(0.05)
                continue
            ledger.note(event_ids, heard=response.status_code == 202)
            if response.status_code != 202 and (response.status_code != 503 or "Retry-After" not in response.headers):
                ledger.refused.append(f"{response.status_code} {response.text}")


def assert_nothing_lost_doubled_or_stuck(server: ServerProcess, ledger: Ledger) -> None:
    """Everything acknowledged is stored once and is one memory; of the rest a batch is there or not."""
    statuses = statuses_when_idle(server, ledger.acknowledged + ledger.unknown)
    assert {event_id: statuses[event_id] for event_id in ledger.acknowledged} == dict.fromkeys(
        ledger.acknowledged, "completed"
    )
    assert {statuses[event_id] for event_id in ledger.unknown} <= {"completed", "not_found"}
    stored = all_events(server)
    assert Counter(stored).most_common(1)[0][1] == 1
    assert set(ledger.acknowledged) <= set(stored) <= {*ledger.acknowledged, *ledger.unknown}
    memories = sources_of_memories(server)
    assert {event_id: memories[event_id] for event_id in stored} == dict.fromkeys(stored, 1)


def statuses_when_idle(server: ServerProcess, event_ids: list[str]) -> dict[str, str]:
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


def all_events(server: ServerProcess) -> list[str]:
    return [event["event_id"] for event in _pages(server, "/v1/events")]


def sources_of_memories(server: ServerProcess) -> Counter[str]:
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
