"""The main job over HTTP: how fast events are accepted, how fast they can be searched, how long a search takes.

    python benchmarks/main_job.py DATA/locomo [--rounds 3]

One server process and one client process share the machine. Turns of the given conversations are sent in batches of
100, then searched inside one conversation of about 600 turns. Medians over the rounds; SQLite syncs every commit.
"""

import argparse
import gzip
import json
import os
import queue
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import httpx2

KEY = "the key of a benchmark"
BATCH = 100
SEARCHES = 300
COPIES = 3
"""The conversations are sent this often under other names, so that a round lasts some seconds."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    turns, questions = read_lines(options.data / "docs.jsonl.gz"), read_lines(options.data / "queries.jsonl.gz")
    rounds = [_round(turns, questions) for _ in range(options.rounds)]
    print(
        f"{len(turns) * COPIES} events a round, {options.rounds} rounds, {os.cpu_count()} cores; medians (all rounds)"
    )
    for name in rounds[0]:
        values = [figures[name] for figures in rounds]
        print(f"{name:48} {statistics.median(values):9.1f}   ({', '.join(f'{value:.1f}' for value in values)})")


def _round(turns: list[dict[str, Any]], questions: list[dict[str, Any]]) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder, _server(Path(folder)) as url:
        headers = {"Authorization": f"Bearer {KEY}"}
        with httpx2.Client(base_url=url, headers=headers, timeout=60) as client:
            pieces = list(batches(turns))
            started = time.perf_counter()
            for batch in pieces:
                _send(client, batch)
            accepted = time.perf_counter() - started
            wait_until_processed(client)
            searchable = time.perf_counter() - started
            _wait_until_idle(client)
            millis = _search(client, turns, questions)
        count = sum(len(batch) for batch in pieces)
        return {
            "accepted, events/s": count / accepted,
            "searchable, events/s": count / searchable,
            "search in one conversation, p50 ms": statistics.median(millis),
            "search in one conversation, p95 ms": statistics.quantiles(millis, n=20)[18],
        }


def batches(turns: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for copy in range(COPIES):
        events = [
            {
                "actor_id": f"{turn['tenant']} {copy}",
                "session_id": f"{turn['tenant']} {copy} {turn['session']}",
                "kind": "user_message",
                "content": turn["text"] or ".",
                "name": turn["speaker"],
            }
            for turn in turns
        ]
        for start in range(0, len(events), BATCH):
            yield events[start : start + BATCH]


def _send(client: httpx2.Client, events: list[dict[str, Any]]) -> None:
    client.post("/v1/events", json={"events": events}).raise_for_status()


def wait_until_processed(client: httpx2.Client) -> None:
    """Return when no event is pending; summaries may still be under way."""
    while client.get("/v1/events", params={"status": "pending", "limit": 1}).json()["items"]:
        time.sleep(0.02)


def _wait_until_idle(client: httpx2.Client) -> None:
    """Return when no job is left, summaries included."""
    while client.get("/v1/jobs", params={"limit": 1}).json()["items"]:
        time.sleep(0.05)


def _search(client: httpx2.Client, turns: list[dict[str, Any]], questions: list[dict[str, Any]]) -> list[float]:
    tenant = turns[0]["tenant"]
    asked = [question["query"] for question in questions if question["tenant"] == tenant][:SEARCHES]
    millis = []
    for query in asked:
        started = time.perf_counter()
        client.post("/v1/search", json={"query": query, "actor_id": f"{tenant} 0"}).raise_for_status()
        millis.append((time.perf_counter() - started) * 1000)
    return millis


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "memcairn", "serve", "--port", "0", "--json", "--data-dir", str(folder)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"MEMCAIRN_API_KEY": KEY, "MEMCAIRN_LOG_LEVEL": "warning"},
    )
    lines: queue.Queue[str] = queue.Queue()
    assert process.stdout is not None
    threading.Thread(target=forward, args=(process.stdout, lines), daemon=True).start()
    try:
        yield json.loads(lines.get(timeout=30))["url"]
    finally:
        process.terminate()
        process.wait(timeout=20)


def forward(stream: IO[str], lines: "queue.Queue[str]") -> None:
    for line in stream:
        lines.put(line)


def read_lines(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


if __name__ == "__main__":
    main()
