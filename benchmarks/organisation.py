"""Actors and statistics over many memories, asked over HTTP.

    python benchmarks/organisation.py [--memories 100000] [--actors 2000] [--requests 100]

The memories are written through the store, as the pipeline writes them, then a server process is asked by one client
on the same machine.
"""

import argparse
import asyncio
import json
import os
import queue
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO
from urllib.parse import quote

import httpx2
from sqlalchemy import Connection

from memcairn.assembly import opened
from memcairn.core.keys import ensure_first_key
from memcairn.domain.ids import new_id
from memcairn.domain.keys import DEFAULT_ORG
from memcairn.domain.memories import HALF_LIFE_DAYS, Entity, Memory, MemoryKind, MemoryStatus
from memcairn.domain.scopes import actor_scope
from memcairn.settings import Settings
from memcairn.store import memories
from memcairn.store.memories import MemoryRow

KEY = "the key of a benchmark"
SEED = 20_260_101
BATCH = 200
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
TYPES = ("message", "fact", "preference", "decision", "event", "norm", "procedure")
NAMES = 5_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memories", type=int, default=100_000)
    parser.add_argument("--actors", type=int, default=2_000)
    parser.add_argument("--requests", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        seconds = asyncio.run(_fill(Path(folder), options.memories, options.actors))
        print(f"{options.memories} memories of {options.actors} actors, {os.cpu_count()} cores")
        print(f"{'written, memories/s':48} {options.memories / seconds:9.0f}")
        with (
            _server(Path(folder)) as url,
            httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {KEY}"}) as client,
        ):
            for path in _questions(options.actors):
                millis = sorted(_ask(client, path) for _ in range(options.requests))
                p95 = millis[int(len(millis) * 0.95)]
                print(f"{path:48} {statistics.median(millis):9.2f} ms p50 {p95:9.2f} ms p95")


def _questions(actors: int) -> list[str]:
    return [
        "/v1/actors",
        "/v1/actors?sort=last_memory_desc&limit=200",
        "/v1/actors?sort=actor_id_asc&q=b7",
        f"/v1/actors/{quote(_actor(actors // 2), safe='')}",
        "/v1/memories/stats",
        f"/v1/memories/stats?actor_id={quote(_actor(actors // 2), safe='')}",
        "/v1/me",
    ]


def _ask(client: httpx2.Client, path: str) -> float:
    started = time.perf_counter()
    client.get(path).raise_for_status()
    return (time.perf_counter() - started) * 1_000


async def _fill(folder: Path, count: int, actors: int) -> float:
    rng = random.Random(SEED)
    async with opened(Settings(data_dir=folder, database_url=None)) as deps:
        await ensure_first_key(deps, KEY)
        rows = [_row(rng, number, actors) for number in range(count)]
        started = time.perf_counter()
        for start in range(0, count, BATCH):
            await deps.db.write(_add, rows[start : start + BATCH])
        return time.perf_counter() - started


def _add(connection: Connection, rows: list[MemoryRow]) -> None:
    memories.add(connection, rows)


def _row(rng: random.Random, number: int, actors: int) -> MemoryRow:
    created_at = BEGIN + timedelta(seconds=number * 30)
    entities = {f"Name{int(rng.paretovariate(0.6)) % NAMES}" for _ in range(rng.randrange(4))}
    memory = Memory(
        org_id=DEFAULT_ORG,
        memory_id=new_id(),
        scope=actor_scope(_actor(rng.randrange(actors))),
        session_id=f"s{number // 20}",
        position=number % 20,
        kind=rng.choice(list(MemoryKind)),
        type=rng.choice(TYPES),
        status=MemoryStatus.SUPERSEDED if rng.random() < 0.05 else MemoryStatus.ACTIVE,
        text=f"Lamp {number} on the north pier burns from dusk to dawn, and somebody looks after it.",
        title=None,
        speaker=None,
        slot=None,
        tags=(),
        entities=tuple(Entity(name, "PERSON") for name in sorted(entities)),
        confidence=rng.random(),
        strength=1.0,
        recall_count=0,
        last_recalled_at=None,
        half_life_days=HALF_LIFE_DAYS,
        pinned=False,
        observed_at=created_at,
        valid_from=None,
        valid_to=None,
        supersedes=None,
        metadata={},
        created_at=created_at,
        updated_at=created_at,
    )
    return MemoryRow(memory, digest=str(number))


def _actor(number: int) -> str:
    return f"slack:T{number % 3}/B{number} x"


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
    threading.Thread(target=_forward, args=(process.stdout, lines), daemon=True).start()
    try:
        yield json.loads(lines.get(timeout=60))["url"]
    finally:
        process.terminate()
        process.wait(timeout=20)


def _forward(stream: IO[str], lines: "queue.Queue[str]") -> None:
    for line in stream:
        lines.put(line)


if __name__ == "__main__":
    main()
