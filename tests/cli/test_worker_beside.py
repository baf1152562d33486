"""The worker that `memcairn serve` runs in a process of its own: it works, is replaced, and never stays behind."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from tests.faults.load import children_of
from tests.faults.server_process import KEY, ServerProcess

pytestmark = pytest.mark.slow  # each test starts processes

PATIENCE_SECONDS = 20.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path / "data", {"MEMCAIRN_WORKER_PROCESS": "true"}, log=tmp_path / "log")
    process.start()
    yield process
    process.kill()


@pytest.fixture
def http(server: ServerProcess) -> Iterator[httpx2.Client]:
    with client(server) as opened:
        yield opened


def client(server: ServerProcess) -> httpx2.Client:
    return httpx2.Client(base_url=server.url, headers={"Authorization": f"Bearer {KEY}"}, timeout=60)


def said(http: httpx2.Client, content: str) -> str:
    """The status of an event once it was waited for."""
    event = {"actor_id": "ada", "session_id": "s", "kind": "user_message", "content": content}
    (event_id,) = http.post("/v1/events?wait=true", json={"events": [event]}).json()["event_ids"]
    answer = http.post("/v1/events/status", json={"event_ids": [event_id]})
    status: str = answer.json()["events"][0]["status"]
    return status


def until(holds: Callable[[], bool]) -> bool:
    ends = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < ends:
        if holds():
            return True
        time.sleep(0.05)
    return False


def is_running(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_it_makes_memories_and_its_measurements_are_shown_by_the_server(
    server: ServerProcess, http: httpx2.Client
) -> None:
    workers = children_of(server.pid)

    status = said(http, "I moved to Ghent last week.")

    assert len(workers) == 1
    assert status == "completed"
    assert until(lambda: 'memcairn_job_seconds_count{outcome="done"} 1.0' in http.get("/metrics").text)
    assert "memcairn_event_lag_seconds_count 1.0" in http.get("/metrics").text
    assert server.stop() == 0
    assert [pid for pid in workers if is_running(pid)] == []


def test_one_that_dies_is_followed_by_another_that_goes_on(
    server: ServerProcess, http: httpx2.Client, tmp_path: Path
) -> None:
    (first,) = children_of(server.pid)

    os.kill(first, signal.SIGKILL)
    status = said(http, "I keep two cats.")

    assert status == "completed"
    assert first not in children_of(server.pid)
    assert "the worker process ended" in (tmp_path / "log").read_text()
    assert server.stop() == 0


def test_it_ends_when_the_server_is_killed_before_it(server: ServerProcess) -> None:
    (worker,) = children_of(server.pid)

    os.kill(server.pid, signal.SIGKILL)

    assert until(lambda: not is_running(worker))


def test_it_outlives_the_signal_that_stops_both_until_its_batch_is_done(
    server: ServerProcess, http: httpx2.Client, tmp_path: Path
) -> None:
    batch = [
        {"actor_id": "ada", "session_id": "s", "kind": "user_message", "content": f"On day {day} I walked to the mill."}
        for day in range(1_000)
    ]
    accepted = http.post("/v1/events", json={"events": batch})

    os.killpg(server.pid, signal.SIGINT)

    assert accepted.status_code == 202
    assert until(lambda: not is_running(server.pid))
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_a_server_may_keep_the_worker_in_its_own_process(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data", {"MEMCAIRN_WORKER_PROCESS": "false"})
    server.start()
    try:
        with client(server) as http:
            assert said(http, "I keep two cats.") == "completed"
        assert children_of(server.pid) == []
    finally:
        server.kill()
