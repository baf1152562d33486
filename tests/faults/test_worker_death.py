"""A worker dies or is paused at every step of its work: what it left is finished by another, once."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.build import ON_BOTH
from tests.faults.doomed_worker import LEASE_SECONDS, STEPS
from tests.faults.scale import NIGHTLY, times
from tests.faults.server_process import KEY, ServerProcess
from tests.postgres import durable_postgres_url

ROUNDS = times(1, 10)
DRAIN_SECONDS = 60.0

SENTENCES = (
    "My sister moved to Lisbon in May and works at the harbour office now.",
    "I prefer tea to coffee, and never with sugar.",
    "We decided to ship the release on Thursday.",
    "I prefer tea to coffee, and never with sugar.",
    "I live in Porto.",
    "The parcel number is {number}, it waits at the desk.",
    "I live in Braga.",
)

Derived = set[tuple[Any, ...]]


@pytest.fixture(params=ON_BOTH)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> Iterator[ServerProcess]:
    url = durable_postgres_url(request, kind)
    process = ServerProcess(tmp_path / "data", postgres_url=url, arguments=("--no-worker",))
    process.start()
    yield process
    process.stop()


@pytest.fixture
def untroubled(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> Iterator[ServerProcess]:
    url = durable_postgres_url(request, kind)
    process = ServerProcess(tmp_path / "untroubled", postgres_url=url, arguments=("--no-worker",))
    process.start()
    yield process
    process.stop()


@pytest.mark.slow
def test_a_worker_killed_at_every_step_leaves_what_a_run_without_kills_leaves(
    server: ServerProcess, untroubled: ServerProcess, record_property: Any, kind: str
) -> None:
    rng = random.Random(20_260_103)
    for round_number in range(ROUNDS):
        for each in (server, untroubled):
            _say(each, round_number)
        # Each kill costs an attempt, of which a job has five; after the last of the steps its work is done.
        for step in (*rng.sample(STEPS[:-1], len(STEPS) - 1), STEPS[-1]):
            worker = _worker(server, step, "SIGKILL")
            assert worker.wait(timeout=30) == -signal.SIGKILL
        for each in (server, untroubled):
            _finish(each)

    left, wanted = _derived(server), _derived(untroubled)
    kills = f"{ROUNDS * len(STEPS)} on {kind}"
    figure = f"kills of workers: {kills} | memories: {len(wanted)} | differing: {len(left ^ wanted)}"
    record_property("figure", figure)
    assert left == wanted
    assert len(wanted) > len(SENTENCES)


@pytest.mark.slow
@pytest.mark.parametrize("step", ["understood", "before the commit"])
@pytest.mark.parametrize("kind", ON_BOTH if NIGHTLY else ["sqlite"], indirect=True)
def test_a_worker_paused_beyond_its_lease_has_no_second_effect_when_it_wakes(
    server: ServerProcess, untroubled: ServerProcess, step: str
) -> None:
    for each in (server, untroubled):
        _say(each, 0)
    paused = _paused_worker(server, step)
    if step == "before the commit":
        # It sleeps inside a transaction, so that nobody else can write: its own commit comes first, and counts.
        paused.send_signal(signal.SIGCONT)
        _finish(server)
    else:
        _finish(server)
        paused.send_signal(signal.SIGCONT)
        time.sleep(LEASE_SECONDS)
    paused.terminate()
    paused.wait(timeout=20)
    _finish(untroubled)

    assert _derived(server) == _derived(untroubled)


def _worker(server: ServerProcess, step: str, how: str) -> subprocess.Popen[bytes]:
    """A worker on the server's data."""
    command = [sys.executable, "-m", "tests.faults.doomed_worker", server.database_url, step, how]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _paused_worker(server: ServerProcess, step: str) -> subprocess.Popen[bytes]:
    """A worker that has stopped at `step` and stays so for longer than its lease."""
    worker = _worker(server, step, "SIGSTOP")
    assert os.waitid(os.P_PID, worker.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT).si_code == os.CLD_STOPPED  # type: ignore[union-attr]  # it waits, so there is an answer
    time.sleep(2 * LEASE_SECONDS)
    return worker


def _finish(server: ServerProcess) -> None:
    """A healthy worker until nothing is left to do."""
    worker = _worker(server, "none", "SIGKILL")
    try:
        deadline = time.monotonic() + DRAIN_SECONDS
        while _ask(server, "GET", "/v1/jobs")["items"] and time.monotonic() < deadline:
            time.sleep(0.2)
        assert _ask(server, "GET", "/v1/jobs")["items"] == []
    finally:
        worker.terminate()
        worker.wait(timeout=20)


def _say(server: ServerProcess, round_number: int) -> None:
    for actor in ("ana", "ben", "cem"):
        events = [
            {
                "event_id": f"{round_number} {actor} {number}",
                "actor_id": actor,
                "session_id": f"{actor} {round_number}",
                "kind": "user_message",
                "content": sentence.format(number=1_000 * round_number + number),
                "occurred_at": f"2026-03-{round_number + 1:02}T10:0{number}:00Z",
            }
            for number, sentence in enumerate(SENTENCES)
        ]
        _ask(server, "POST", "/v1/events", json={"events": events})


def _derived(server: ServerProcess) -> Derived:
    """What was made of the events, without ids and times of making."""
    derived: list[tuple[Any, ...]] = []
    for status in ("active", "superseded"):
        cursor: dict[str, str] = {}
        while True:
            page = _ask(server, "GET", "/v1/memories", params={"limit": "200", "status": status, **cursor})
            derived += [
                (status, m["scope"]["actor_id"], m["type"], m["text"], *sorted(m["source_event_ids"]))
                for m in page["items"]
            ]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
    assert len(set(derived)) == len(derived)
    return set(derived)


def _ask(server: ServerProcess, method: str, path: str, **options: Any) -> Any:
    headers = {"Authorization": f"Bearer {KEY}"}
    response = httpx2.request(method, server.url + path, headers=headers, timeout=30, **options)
    response.raise_for_status()
    return response.json()
