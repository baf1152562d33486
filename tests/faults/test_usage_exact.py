"""Many clients at once, a server that writes in between and is stopped: every call, event and search counts once."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from tests.faults.server_process import KEY, ServerProcess

CLIENTS = 32
ROUNDS = 8
EVENTS_A_ROUND = 3


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path / "data")
    process.start()
    yield process
    process.stop()


@pytest.mark.slow
def test_thirty_two_clients_and_a_restart_leave_exact_counts(server: ServerProcess) -> None:
    done: Counter[str] = Counter()
    lock = threading.Lock()

    def use(number: int) -> None:
        mine: Counter[str] = Counter()
        with _client(server) as client:
            for round_number in range(ROUNDS):
                mine += _one_round(client, number, round_number)
        with lock:
            done.update(mine)

    _at_once(use)
    with _client(server) as client:
        before = _used(client)
        [key] = client.get("/v1/keys").json()["items"]
        account = client.get(f"/v1/keys/{key['key_id']}/usage").json()["items"]
    assert server.stop() == 0
    server.start()
    with _client(server) as client:
        after = _used(client)

    assert done["events_ingested"] == CLIENTS * ROUNDS * EVENTS_A_ROUND
    # every question about usage is a call as well
    assert before == done + Counter(api_calls=1)
    assert sum(point["quantity"] for point in account if point["dimension"] == "api_calls") == done["api_calls"] + 3
    assert after == done + Counter(api_calls=4)


def _one_round(client: httpx2.Client, number: int, round_number: int) -> Counter[str]:
    events = [
        {
            "actor_id": f"a{number}",
            "session_id": f"s{number}",
            "kind": "user_message",
            "content": f"Lamp {round_number}-{each} of {number} burns.",
        }
        for each in range(EVENTS_A_ROUND)
    ]
    assert client.post("/v1/events", json={"events": events}).status_code == 202
    assert client.post("/v1/search", json={"query": "lamp", "actor_id": f"a{number}"}).status_code == 200
    assert client.get("/v1/memories/nothing").status_code == 404
    return Counter(api_calls=3, events_ingested=EVENTS_A_ROUND, search_queries=1)


def _used(client: httpx2.Client) -> Counter[str]:
    dimensions = client.get("/v1/usage/summary").json()["dimensions"]
    return +Counter({each["dimension"]: each["used"] for each in dimensions if each["dimension"] != "memories_stored"})


def _client(server: ServerProcess) -> httpx2.Client:
    return httpx2.Client(base_url=server.url, headers={"Authorization": f"Bearer {KEY}"}, timeout=60)


def _at_once(use: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=use, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
