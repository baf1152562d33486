"""A server takes over from another one on the same data while clients go on asking."""

import threading
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.faults.scale import times
from tests.faults.server_process import KEY, ServerProcess

pytestmark = pytest.mark.slow

CLIENTS = 3
HANDOVERS = times(1, 10)
BOTH_SECONDS = times(1, 5)


class Doors:
    """Where clients find a server; one that does not answer is asked again elsewhere."""

    def __init__(self, url: str) -> None:
        self.urls = [url]


def test_a_server_hands_over_to_a_newer_one_without_losing_an_answer(tmp_path: Path, record_property: Any) -> None:
    data = tmp_path / "data"
    serving = ServerProcess(data)
    serving.start()
    doors, done = Doors(serving.url), threading.Event()
    acknowledged: list[str] = []
    refused: list[int] = []
    clients = [
        threading.Thread(target=_write, args=(doors, done, f"client {number}", acknowledged, refused))
        for number in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    for _ in range(HANDOVERS):
        time.sleep(BOTH_SECONDS / 2)
        newer = ServerProcess(data)
        newer.start()
        doors.urls = [serving.url, newer.url]
        time.sleep(BOTH_SECONDS)
        doors.urls = [newer.url]
        assert serving.stop() == 0
        serving = newer
    time.sleep(BOTH_SECONDS / 2)
    done.set()
    for client in clients:
        client.join(timeout=60)
    try:
        stored, statuses = _stored_when_idle(serving.url)
    finally:
        serving.stop()

    lost, doubled = set(acknowledged) - set(stored), len(stored) - len(set(stored))
    figure = f"handovers: {HANDOVERS} | acknowledged: {len(acknowledged)} | lost: {len(lost)} | doubled: {doubled}"
    record_property("figure", f"{figure} | 5xx but 503: {len(refused)}")
    assert (lost, doubled, refused) == (set(), 0, [])
    assert len(acknowledged) > 10 * HANDOVERS
    assert statuses == {"completed"}


def _write(doors: Doors, done: threading.Event, writer: str, acknowledged: list[str], refused: list[int]) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    number = 0
    with httpx2.Client(headers=headers, timeout=30) as client:
        while not done.is_set():
            event_id = f"{writer} event {number}"
            event = {"event_id": event_id, "actor_id": writer, "session_id": writer, "kind": "user_message"}
            body = {"events": [event | {"content": f"The parcel {event_id} went to the harbour."}]}
            for attempt in range(100):
                url = doors.urls[attempt % len(doors.urls)]
                try:
                    status = client.post(
                        f"{url}/v1/events", json=body, headers={"Idempotency-Key": event_id}
                    ).status_code
                except httpx2.HTTPError:
                    status = 503
                if status == 202:
                    acknowledged.append(event_id)
                    break
                if status >= 500 and status != 503:
                    refused.append(status)
                time.sleep(0.05)
            number += 1


def _stored_when_idle(url: str) -> tuple[list[str], set[str]]:
    deadline = time.monotonic() + 90
    with httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {KEY}"}, timeout=30) as client:
        while True:
            stored: list[dict[str, Any]] = []
            cursor: dict[str, str] = {}
            while True:
                page = client.get("/v1/events", params={"limit": "200", **cursor}).json()
                stored += page["items"]
                if page["next_cursor"] is None:
                    break
                cursor = {"cursor": page["next_cursor"]}
            statuses = {event["status"] for event in stored}
            if "pending" not in statuses or time.monotonic() > deadline:
                return [event["event_id"] for event in stored], statuses
            time.sleep(0.3)
