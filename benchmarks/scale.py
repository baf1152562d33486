"""A server at size: search in one actor and in the whole org, memory, and how fast events still come in, over HTTP.

    python -m benchmarks.bulk DATA DATABASE_FOLDER --memories 1000000
    python -m benchmarks.scale DATA DATABASE_FOLDER [--searches 200] [--ingest 3000]

DATA is the folder of folders the database was made from. One server process and one client share the machine; every
figure of time stands beside the processor time the server took for it, which a busy machine changes less. The first
search of the whole org, which reads its rows into memory, is measured by itself. Events that are ingested stay in the
database: give a copy to keep it.
"""

import argparse
import http.client
import json
import os
import queue
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx2
from benchmarks import bulk
from benchmarks.processes import cpu_seconds, memory_mib

BATCH = 100
FIRST_SEARCH_SECONDS = 300
ROTATED_ACTORS = 25


@dataclass(frozen=True, slots=True)
class Server:
    client: httpx2.Client
    bare: http.client.HTTPConnection
    """What searches are sent by: a full client takes as long for itself as the server for half a search."""
    pid: int

    def cpu_seconds(self) -> float:
        """Processor time of the server and its worker so far."""
        return cpu_seconds(self.pid)

    def memory_mib(self, name: str) -> float:
        """`VmRSS` (now) or `VmHWM` (at most so far) of both."""
        return memory_mib(self.pid, name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("database", type=Path)
    parser.add_argument("--searches", type=int, default=200)
    parser.add_argument("--ingest", type=int, default=0, help="events to send through the pipeline at the end")
    options = parser.parse_args()
    asked = bulk.questions(options.data)
    asked = (asked * (1 + options.searches // len(asked)))[: options.searches]
    with _server(options.database) as server:
        total = server.client.get("/v1/memories/stats").json()["total"]
        print(f"{total} memories, {os.cpu_count()} cores, {options.searches} searches a row")
        print(f"{'memory after the start, MiB':44} {server.memory_mib('VmRSS'):8.0f}")
        _searches(server, asked, total)
        print(f"{'memory now / at most, MiB':44} {server.memory_mib('VmRSS'):8.0f} {server.memory_mib('VmHWM'):8.0f}")
        if options.ingest:
            _ingest(server, options.data, options.ingest)
            print(f"{'memory at most, with ingest, MiB':44} {server.memory_mib('VmHWM'):8.0f}")


def _searches(server: Server, asked: list[str], total: int) -> None:
    actors = max(1, total // bulk.PER_ACTOR)
    _timed(server, "actor, first search of each", asked[:ROTATED_ACTORS], lambda n: f"actor {n % actors}")
    _timed(server, f"actor, {min(ROTATED_ACTORS, actors)} in turn", asked, lambda n: _of_few(n, actors))
    _timed(server, "actor, one", asked, lambda _: "actor 0")
    started, cpu = time.perf_counter(), server.cpu_seconds()
    _search(server, asked[0], None)
    wall = time.perf_counter() - started
    print(f"{'org-wide, the first, seconds':44} {wall:8.2f} {'':8} processor {server.cpu_seconds() - cpu:8.2f}")
    _timed(server, "org-wide", asked, lambda _: None)
    _timed(server, "actor, one, after that", asked, lambda _: "actor 0")


def _of_few(number: int, actors: int) -> str:
    return f"actor {number % min(ROTATED_ACTORS, actors)}"


def _timed(server: Server, what: str, asked: list[str], actor_of: Callable[[int], str | None]) -> None:
    millis = []
    cpu = server.cpu_seconds()
    for number, query in enumerate(asked):
        started = time.perf_counter()
        _search(server, query, actor_of(number))
        millis.append((time.perf_counter() - started) * 1_000)
    spent = (server.cpu_seconds() - cpu) * 1_000 / len(asked)
    p95 = statistics.quantiles(millis, n=20)[18]
    print(f"{what + ', p50 / p95 ms':44} {statistics.median(millis):8.1f} {p95:8.1f} processor {spent:8.1f}")


def _search(server: Server, query: str, actor_id: str | None) -> None:
    body = {"query": query} | ({} if actor_id is None else {"actor_id": actor_id})
    headers = {"Authorization": f"Bearer {bulk.KEY}", "Content-Type": "application/json"}
    server.bare.request("POST", "/v1/search", json.dumps(body), headers)
    answer = server.bare.getresponse()
    assert answer.status == 200, answer.read()
    answer.read()


def _ingest(server: Server, data: Path, count: int) -> None:
    """New turns of new sessions, until the last of them has become a memory."""
    made = bulk.turns(data, count, per_actor=count // 10 or 1, seed=int(time.time()))
    events = [
        {
            "actor_id": turn.actor_id,
            "session_id": f"ingested {os.getpid()} {turn.session_id}",
            "kind": "user_message",
            "content": turn.text,
            "name": turn.speaker,
        }
        for turn in made
    ]
    started, cpu = time.perf_counter(), server.cpu_seconds()
    for start in range(0, count, BATCH):
        server.client.post("/v1/events", json={"events": events[start : start + BATCH]}, timeout=60).raise_for_status()
    accepted = time.perf_counter() - started
    while server.client.get("/v1/events", params={"status": "pending", "limit": 1}).json()["items"]:
        time.sleep(0.02)
    searchable = time.perf_counter() - started
    spent = (server.cpu_seconds() - cpu) * 1_000 / count
    print(
        f"{'ingest, accepted / searchable a second':44} {count / accepted:8.0f} {count / searchable:8.0f} processor "
        f"{spent:8.2f} ms an event"
    )


@contextmanager
def _server(folder: Path) -> Iterator[Server]:
    command = [sys.executable, "-m", "memcairn", "serve", "--port", "0", "--json", "--data-dir", str(folder)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"MEMCAIRN_API_KEY": bulk.KEY, "MEMCAIRN_LOG_LEVEL": "warning"},
    )
    lines: queue.Queue[str] = queue.Queue()
    assert process.stdout is not None
    threading.Thread(target=_forward, args=(process.stdout, lines), daemon=True).start()
    try:
        url = json.loads(lines.get(timeout=120))["url"]
        address = url.removeprefix("http://")
        with (
            httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {bulk.KEY}"}, timeout=60) as client,
            closing(http.client.HTTPConnection(address, timeout=FIRST_SEARCH_SECONDS)) as bare,
        ):
            yield Server(client, bare, process.pid)
    finally:
        process.terminate()
        process.wait(timeout=30)


def _forward(stream: IO[str], lines: "queue.Queue[str]") -> None:
    for line in stream:
        lines.put(line)


if __name__ == "__main__":
    main()
