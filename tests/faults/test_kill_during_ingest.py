"""The server is killed while clients write: what was acknowledged is there once, and is processed in the end."""

import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.build import ON_BOTH
from tests.faults.ledger import Ledger, assert_nothing_lost_doubled_or_stuck, write_events
from tests.faults.scale import NIGHTLY, times
from tests.faults.server_process import ServerProcess
from tests.postgres import durable_postgres_url

ROUNDS = times(6, 100)
CLIENTS = 3


@pytest.fixture(params=ON_BOTH if NIGHTLY else ["sqlite"])  # by day, test_postgres_restarts.py does it on Postgres
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path / "data", postgres_url=durable_postgres_url(request, request.param))
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
    assert_nothing_lost_doubled_or_stuck(server, ledger)
    told = f"kills: {ROUNDS} | pauses: {ROUNDS // 2} | acknowledged: {len(ledger.acknowledged)}"
    record_property("figure", f"{told} | lost: 0 | doubled: 0 | stuck: 0")


def _write_until_killed(server: ServerProcess, ledger: Ledger, round_number: int, *, rng: random.Random) -> None:
    url, before = server.url, len(ledger.acknowledged)
    clients = [
        threading.Thread(target=write_events, args=(lambda: url, ledger, f"round {round_number} client {client}"))
        for client in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    deadline = time.monotonic() + 30
    while len(ledger.acknowledged) == before and time.monotonic() < deadline:
        time.sleep(0.01)
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
