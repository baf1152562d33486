"""The disk under the server loses power, fills up or fails: nothing that was acknowledged is lost."""

import random
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.faults.disk.recorded import Disk, PowerCut
from tests.faults.scale import times
from tests.faults.server_process import KEY, ServerProcess

CLIENTS = 3
WRITE_SECONDS = 2.0
IMAGES = times(60, 2_000)


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path / "disk")


@pytest.fixture
def server(disk: Disk) -> Iterator[ServerProcess]:
    process = ServerProcess(disk.data, disk.settings())
    process.start()
    yield process
    process.stop()


def test_a_power_cut_at_any_moment_loses_nothing_acknowledged(disk: Disk, tmp_path: Path, record_property: Any) -> None:
    acknowledged = _write_while_recording(disk)
    rng = random.Random(20_260_102)
    operations = disk.operations()
    first_ack = min(at for at, _ in acknowledged)
    first = next(number for number, operation in enumerate(operations) if operation.at > first_ack)
    cut = PowerCut(operations)

    lost: list[str] = []
    for image, number in enumerate(sorted(rng.randrange(first, len(operations)) + 1 for _ in range(IMAGES))):
        moment = cut.go_to(number)
        folder = tmp_path / f"image{image}"
        cut.write_image(folder, rng)
        stored = _stored_after_recovery(folder / "memory.db")
        promised = {event_id for at, event_id in acknowledged if at < moment}
        lost.extend(promised - stored)

    record_property("figure", f"crash images: {IMAGES} | acknowledged: {len(acknowledged)} | lost: {len(lost)}")
    assert len(acknowledged) > CLIENTS
    assert lost == []


def test_a_server_starts_on_what_a_power_cut_left_and_finishes_the_work(disk: Disk, tmp_path: Path) -> None:
    acknowledged = {event_id for _, event_id in _write_while_recording(disk)}
    operations = disk.operations()
    cut = PowerCut(operations)
    cut.go_to(len(operations))
    cut.write_image(tmp_path / "image", random.Random(7))

    restarted = ServerProcess(tmp_path / "image")
    restarted.start()
    try:
        statuses = _statuses_when_idle(restarted.url, sorted(acknowledged))
    finally:
        restarted.stop()

    assert statuses == dict.fromkeys(acknowledged, "completed")


def test_a_full_disk_refuses_writes_goes_on_reading_and_recovers_by_itself(disk: Disk, server: ServerProcess) -> None:
    with _client(server.url) as client:
        _post(client, "before").raise_for_status()

        disk.fill()
        refused = _post(client, "while full")
        read = client.get("/v1/events")
        disk.free()
        again = _post(client, "after")

        stored = {event["event_id"] for event in client.get("/v1/events").json()["items"]}
    assert (refused.status_code, refused.json()["code"]) == (507, "storage_full")
    assert int(refused.headers["retry-after"]) > 0
    assert [event["event_id"] for event in read.json()["items"]] == ["before"]
    assert again.status_code == 202
    assert stored == {"before", "after"}


def test_a_failing_sync_is_never_answered_as_stored(disk: Disk, server: ServerProcess) -> None:
    with _client(server.url) as client:
        _post(client, "before").raise_for_status()

        disk.break_syncs()
        refused = [_post(client, f"unsynced {number}") for number in range(5)]
        disk.mend_syncs()
        again = _post(client, "after")

        stored = {event["event_id"] for event in client.get("/v1/events").json()["items"]}
    assert {answer.status_code for answer in refused} == {507}
    assert again.status_code == 202
    assert stored == {"before", "after"}


def _write_while_recording(disk: Disk) -> list[tuple[int, str]]:
    """What clients were told is stored, and when they heard it; the server is killed in the end."""
    process = ServerProcess(disk.data, disk.settings(recording=True))
    process.start()
    acknowledged: list[tuple[int, str]] = []
    done = threading.Event()
    clients = [
        threading.Thread(target=_write_events, args=(process.url, f"client {number}", acknowledged, done))
        for number in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    time.sleep(WRITE_SECONDS)
    done.set()
    for client in clients:
        client.join(timeout=30)
    process.kill()
    return acknowledged


def _write_events(url: str, writer: str, acknowledged: list[tuple[int, str]], done: threading.Event) -> None:
    with _client(url) as client:
        for number in range(10_000):
            if done.is_set():
                return
            event_id = f"{writer} event {number}"
            _post(client, event_id).raise_for_status()
            acknowledged.append((time.monotonic_ns(), event_id))


def _post(client: httpx2.Client, event_id: str) -> httpx2.Response:
    event = {
        "event_id": event_id,
        "actor_id": "ana",
        "session_id": event_id.split(" event")[0],
        "kind": "user_message",
        "content": f"The parcel with the label {event_id} went to the harbour.",
    }
    return client.post("/v1/events", json={"events": [event]})


def _client(url: str) -> httpx2.Client:
    return httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {KEY}"}, timeout=30)


def _stored_after_recovery(path: Path) -> set[str]:
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return {event_id for (event_id,) in connection.execute("SELECT event_id FROM events")}
    finally:
        connection.close()


def _statuses_when_idle(url: str, event_ids: list[str]) -> dict[str, str]:
    deadline = time.monotonic() + 60
    with _client(url) as client:
        while True:
            statuses: dict[str, str] = {}
            for start in range(0, len(event_ids), 1_000):
                asked = client.post("/v1/events/status", json={"event_ids": event_ids[start : start + 1_000]})
                statuses |= {state["event_id"]: state["status"] for state in asked.json()["events"]}
            if "pending" not in statuses.values() or time.monotonic() > deadline:
                return statuses
            time.sleep(0.3)
