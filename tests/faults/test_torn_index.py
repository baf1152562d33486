"""Rows of the search index are lost behind the server's back, and put back while it answers."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest

from memcairn.cli.reindexing import reindex_database
from tests.faults.server_process import KEY, ServerProcess

PLACES = ("harbour", "library", "station", "market", "castle", "garden")
EVENTS = 60


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path / "data")
    process.start()
    yield process
    process.stop()


@pytest.mark.slow
def test_a_torn_index_is_healed_while_the_server_answers(server: ServerProcess, tmp_path: Path) -> None:
    with httpx2.Client(base_url=server.url, headers={"Authorization": f"Bearer {KEY}"}, timeout=30) as client:
        said = [f"I left parcel {n} at the {PLACES[n % len(PLACES)]}." for n in range(EVENTS)]
        events = [{"actor_id": "ann", "session_id": "s", "kind": "user_message", "content": words} for words in said]
        assert client.post("/v1/events", params={"wait": "true"}, json={"events": events}).status_code == 202
        before = _answers(client)
        _tear(tmp_path / "data" / "memory.db")
        failures: list[int] = []
        stop = threading.Event()
        asking = threading.Thread(target=_ask_until, args=(server.url, stop, failures))
        asking.start()

        done, torn = reindex_database(tmp_path / "data", org_id=None, everything=False)
        stop.set()
        asking.join(timeout=30)

        assert torn is True
        assert done.mended > EVENTS // 2
        assert failures == []
        assert _answers(client) == before
        more = {**events[0], "content": "I left parcel 99 at the lighthouse."}
        assert client.post("/v1/events", params={"wait": "true"}, json={"events": [more]}).status_code == 202
        assert "lighthouse" in _search(client, "parcel at the lighthouse")[0]["text"]


def _tear(path: Path) -> None:
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        connection.execute("DELETE FROM index_rows WHERE row_number % 2 = 0")
        connection.execute("UPDATE index_rows SET scope_key = 'actor:nobody' WHERE row_number % 3 = 0")
        connection.execute("DELETE FROM memory_words_data WHERE id > 10")
        connection.commit()


def _ask_until(url: str, stop: threading.Event, failures: list[int]) -> None:
    with httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {KEY}"}, timeout=30) as client:
        while not stop.is_set():
            status = client.post("/v1/search", json={"query": "parcel at the castle", "actor_id": "ann"}).status_code
            if status != 200:
                failures.append(status)


def _answers(client: httpx2.Client) -> list[list[str]]:
    return [[hit["text"] for hit in _search(client, f"what is at the {place}?")] for place in PLACES]


def _search(client: httpx2.Client, query: str) -> list[dict[str, Any]]:
    answer = client.post("/v1/search", json={"query": query, "actor_id": "ann"})
    assert answer.status_code == 200
    hits: list[dict[str, Any]] = answer.json()["hits"]
    return hits
