"""A backup is taken while clients write: restored elsewhere it shows one moment, whole, and a server goes on there."""

import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from memcairn.store.backup import Copied, back_up, restore
from tests.faults.server_process import KEY, ServerProcess

WRITERS = 3
BACKUPS = 3
IN_A_BATCH = 3
NUMBERED = re.compile(r"writer (\d+) batch (\d+) event (\d+)")


class Writer:
    """Sends numbered batches one after the other; `acknowledged` of them were answered with 202."""

    def __init__(self, url: str, number: int) -> None:
        self.number = number
        self.acknowledged = 0
        self.sent = 0
        self._url = url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=30)

    def _write(self) -> None:
        with httpx2.Client(base_url=self._url, headers={"Authorization": f"Bearer {KEY}"}, timeout=30) as client:
            while not self._stop.is_set():
                events = [self._event(position) for position in range(IN_A_BATCH)]
                self.sent += 1
                assert client.post("/v1/events", json={"events": events}).status_code == 202
                self.acknowledged += 1

    def _event(self, position: int) -> dict[str, str]:
        said = f"The parcel of writer {self.number} batch {self.sent} event {position} went to the harbour."
        return {"actor_id": f"w{self.number}", "session_id": "s", "kind": "user_message", "content": said}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path / "data")
    process.start()
    yield process
    process.stop()


@pytest.mark.slow
def test_a_backup_under_load_holds_a_committed_prefix_and_serves_elsewhere(
    server: ServerProcess, tmp_path: Path
) -> None:
    writers = [Writer(server.url, number) for number in range(WRITERS)]
    promised: list[list[int]] = []
    possible: list[list[int]] = []
    copies: list[Copied] = []
    try:
        for number in range(BACKUPS):
            time.sleep(0.4)
            promised.append([writer.acknowledged for writer in writers])
            copies.append(back_up(tmp_path / "data" / "memory.db", tmp_path / f"{number}.db", lambda _done, _all: None))
            possible.append([writer.sent for writer in writers])
    finally:
        for writer in writers:
            writer.stop()

    for copy, least, most in zip(copies, promised, possible, strict=True):
        held = _batches(restore(copy.path, copy.path.with_suffix(".restored")).path)
        assert [low <= len(batches) <= high for batches, low, high in zip(held, least, most, strict=True)] == [
            True
        ] * WRITERS
        assert held == [{batch: IN_A_BATCH for batch in range(len(batches))} for batches in held]
    assert all(copy.rows.keys() == _tables(tmp_path / "data" / "memory.db") for copy in copies)
    assert promised[-1] > [0] * WRITERS
    _serve_from(copies[-1].path, tmp_path / "elsewhere", wanted=copies[-1].rows["events"])


def _batches(path: Path) -> list[dict[int, int]]:
    """For each writer, how many events of each batch are there, in the order of the batches."""
    held: list[dict[int, int]] = [{} for _ in range(WRITERS)]
    with closing(sqlite3.connect(path)) as connection:
        for (content,) in connection.execute("SELECT content FROM events"):
            found = NUMBERED.search(content)
            assert found is not None
            batches = held[int(found[1])]
            batches[int(found[2])] = batches.get(int(found[2]), 0) + 1
    return [dict(sorted(batches.items())) for batches in held]


def _tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return {name for (name,) in names if not name.startswith(("memory_words", "alembic_", "sqlite_"))}


def _serve_from(backup: Path, data_dir: Path, *, wanted: int) -> None:
    """A server on the restored data processes what was waiting and finds it."""
    data_dir.mkdir()
    restore(backup, data_dir / "memory.db")
    server = ServerProcess(data_dir)
    server.start()
    try:
        with httpx2.Client(base_url=server.url, headers={"Authorization": f"Bearer {KEY}"}, timeout=30) as client:
            deadline = time.monotonic() + 60
            while client.get("/v1/events", params={"status": "pending", "limit": 1}).json()["items"]:
                assert time.monotonic() < deadline, "events of the backup are still pending"
                time.sleep(0.3)
            found = client.post("/v1/search", json={"query": "the parcel of writer 0 batch 1", "actor_id": "w0"}).json()
            assert "writer 0 batch 1" in found["hits"][0]["text"]
            stats = client.get("/v1/memories/stats").json()
            assert stats["total"] >= wanted
    finally:
        server.stop()
