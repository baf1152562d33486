"""Servers, workers and processes of Postgres are killed under load: nothing acknowledged is lost, doubled or stuck."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from memcairn.store.postgres import postgres_engine
from tests.faults.ledger import Ledger, assert_nothing_lost_doubled_or_stuck, write_events
from tests.faults.scale import times
from tests.faults.server_process import ServerProcess
from tests.postgres import durable_postgres_url

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.timeout(times(240, 1_200))]

ROUNDS = times(4, 12)
CLIENTS = 3


class Machines:
    """A server, a worker beside it, and the Postgres under both."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.server = ServerProcess(folder, postgres_url=url, arguments=("--no-worker",))
        self.server.start()
        self._worker = self._started_worker()

    def close(self) -> None:
        self.server.stop()
        self._worker.kill()
        self._worker.wait(timeout=20)

    def kill_server(self) -> None:
        self.server.kill()
        self.server.start()

    def kill_worker(self) -> None:
        self._worker.kill()
        self._worker.wait(timeout=20)
        self._worker = self._started_worker()

    def kill_backend(self) -> None:
        """Postgres ends all its other processes as well then, and recovers."""
        [(number,), *_] = self._ask("SELECT pid FROM pg_stat_activity WHERE application_name = 'memcairn'")
        os.kill(number, signal.SIGKILL)

    def end_connections(self) -> None:
        """As an administrator does, or a load balancer that moves."""
        self._ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'memcairn' AND pid <> pg_backend_pid()"
        )

    def _started_worker(self) -> subprocess.Popen[bytes]:
        """A healthy one, with short leases."""
        command = [sys.executable, "-m", "tests.faults.doomed_worker", self.url, "none", "SIGKILL"]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _ask(self, statement: str) -> list[Any]:
        engine = postgres_engine(f"{self.url}&application_name=tests", begin="", connections=1)
        try:
            with engine.connect() as connection:
                driver: Any = connection.connection.dbapi_connection
                found: list[Any] = driver.execute(statement).fetchall()
                return found
        finally:
            engine.dispose()


@pytest.fixture
def machines(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machines]:
    url = durable_postgres_url(request, "postgres")
    assert url is not None
    started = Machines(url, tmp_path)
    yield started
    started.close()


def test_kills_of_any_process_lose_double_and_hold_up_nothing(machines: Machines, record_property: Any) -> None:
    ledger, rng = Ledger(), random.Random(20_260_107)
    kills: list[Callable[[], None]] = [
        machines.kill_backend,
        machines.kill_server,
        machines.end_connections,
        machines.kill_worker,
    ]
    with _writing(machines, ledger):
        for round_number in range(ROUNDS):
            time.sleep(rng.uniform(0.3, 1.0))
            kills[round_number % len(kills)]()
            before = len(ledger.acknowledged)
            _wait_until(lambda before=before: len(ledger.acknowledged) > before)  # type: ignore[misc]  # a default binds it
    machines.kill_worker()

    assert ledger.refused == []
    assert_nothing_lost_doubled_or_stuck(machines.server, ledger)
    told = f"kills: {ROUNDS} | acknowledged: {len(ledger.acknowledged)} | lost, doubled or stuck: 0"
    record_property("figure", told)


def _writing(machines: Machines, ledger: Ledger) -> ExitStack:
    """Clients that write until the end of the block."""
    done = threading.Event()
    stack = ExitStack()
    for number in range(CLIENTS):
        writing = (lambda: machines.server.url, ledger, f"client {number}")
        client = threading.Thread(target=write_events, args=writing, kwargs={"until": done})
        client.start()
        stack.callback(client.join, timeout=30)
    stack.callback(done.set)
    return stack


def _wait_until(fulfilled: Callable[[], bool]) -> None:
    """The server found its database again, without being told to."""
    deadline = time.monotonic() + 30
    while not fulfilled():
        assert time.monotonic() < deadline
        time.sleep(0.02)
