"""Conversations over HTTP at growing size: reading one, adding to one, listing all, purging while others work.

    python -m benchmarks.conversations [--messages 100000] [--sessions 2000] [--listed 100000] [--purged 10000]
                                       [--only reads|adding|listing|purging] [--no-worker]

One server process and one client process share the machine; SQLite syncs every commit. Reads are measured at a tenth of
the messages and at all of them: they should not differ. Beside each row stands the CPU time a request took in the
server, its background work included, which a busy machine changes less than the clock. Adds are sent by the SDK and,
since the SDK takes as much CPU as the server, by bare sockets as well. What this machine can do at most stands beside
them: the same bodies sent to the same framework with a handler that does nothing, and commits of one row by the bare
driver. Nothing is downloaded and no model is called.
"""

import argparse
import asyncio
import itertools
import json
import os
import random
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import uvicorn
from benchmarks.processes import cpu_seconds
from fastapi import FastAPI, Response

from memcairn import AsyncMemcairnClient
from memcairn.wire.messages import AddMessagesRequest, AddMessagesResponse

KEY = "the key of a benchmark"
READS = 400
ADDS_ALONE = 600
ADDS_TOGETHER = 4_000
CLIENTS = 32
PURGED_MESSAGES = 50
BATCH = 1_000
WORDS = "river heron chapel ferry harbour window coffee market garden letter winter bridge".split()


@dataclass(frozen=True, slots=True)
class Timed:
    """How long each of some calls took, in seconds."""

    seconds: Sequence[float]

    def __str__(self) -> str:
        millis = sorted(1_000 * each for each in self.seconds)
        p95, p99 = (millis[min(len(millis) - 1, int(len(millis) * part))] for part in (0.95, 0.99))
        return f"p50 {statistics.median(millis):6.2f}  p95 {p95:6.2f}  p99 {p99:6.2f}  max {millis[-1]:7.2f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--sessions", type=int, default=2_000)
    parser.add_argument("--listed", type=int, default=100_000)
    parser.add_argument("--purged", type=int, default=10_000, help="sessions to delete and purge")
    parser.add_argument("--only", choices=("reads", "adding", "listing", "purging"))
    parser.add_argument("--no-worker", action="store_true", help="nothing becomes a memory")
    parser.add_argument("--bare", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bare is not None:
        _serve_bare(options.bare)
        return
    load = os.getloadavg()[0]
    worker = "without" if options.no_worker else "with"
    print(f"{os.cpu_count()} cores, load {load:.1f} before the start, {worker} a worker in the server")
    flags = ["--no-worker"] if options.no_worker else []
    if options.only in (None, "reads", "adding"):
        asyncio.run(_reads_and_adds(options.messages, options.sessions, flags, reads=options.only != "adding"))
    if options.only in (None, "adding"):
        asyncio.run(_bounds(options.sessions))
    if options.only in (None, "listing"):
        asyncio.run(_listing(options.listed))
    if options.only in (None, "purging"):
        asyncio.run(_purging(options.purged, flags))


async def _reads_and_adds(messages: int, sessions: int, flags: Sequence[str], *, reads: bool) -> None:
    with tempfile.TemporaryDirectory() as folder, _server(Path(folder), *flags) as server:
        parts = (messages // 10, messages) if reads else (messages // 10,)
        print(f"{parts[-1]} messages in {sessions} sessions")
        async with _client(server.url) as client:
            done = 0
            for part in parts:
                await _fill(client, sessions, done=done, until=part)
                done = part
                await _until_idle(server.url, flags)
                if reads:
                    await _reads(server, client, f"at {part} messages", sessions)
        await _adds(server, sessions, flags)


async def _reads(server: "Server", client: AsyncMemcairnClient, when: str, sessions: int) -> None:
    ids = [f"s{random.randrange(sessions)}" for _ in range(READS)]
    with server.measuring(f"get session {when}", READS) as row:
        row.timed = await _each(client.sessions.get, ids)
    with server.measuring(f"last 20 messages {when}", READS) as row:
        row.timed = await _each(client.messages.last, ids)


async def _adds(server: "Server", sessions: int, flags: Sequence[str]) -> None:
    url = server.url
    async with _client(url) as client:
        with server.measuring("add one, one SDK client", ADDS_ALONE) as row:
            row.timed = await _timed(lambda n: client.messages.add(f"s{n % sessions}", [_said(n)]), ADDS_ALONE)
    await _until_idle(url, flags)
    with server.measuring("add one, one socket", ADDS_ALONE) as row:
        row.timed = await _bare_adds(url, 0, ADDS_ALONE, sessions)
    await _until_idle(url, flags)
    with server.measuring(f"add one, {CLIENTS} SDK clients", ADDS_TOGETHER) as row:
        row.timed = await _sdk_adds_together(url, sessions)
    await _until_idle(url, flags)
    with server.measuring(f"add one, {CLIENTS} sockets", ADDS_TOGETHER) as row:
        row.timed = await _bare_adds_together(url, sessions)


async def _bounds(sessions: int) -> None:
    """What adding could reach at most here: HTTP without a store, and a store without HTTP."""
    with _bare_server() as server:
        await _bare_adds(server.url, 0, 1, sessions)  # answered when it has started
        with server.measuring("HTTP alone, one socket", ADDS_ALONE) as row:
            row.timed = await _bare_adds(server.url, 0, ADDS_ALONE, sessions)
        with server.measuring(f"HTTP alone, {CLIENTS} sockets", ADDS_TOGETHER) as row:
            row.timed = await _bare_adds_together(server.url, sessions)
    with tempfile.TemporaryDirectory() as folder, closing(sqlite3.connect(Path(folder) / "bare.db")) as connection:
        connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE said (words TEXT)")
        started = time.perf_counter()
        for number in range(ADDS_ALONE):
            connection.execute("INSERT INTO said VALUES (?)", (_said(number)["content"],))
            connection.commit()
        print(f"{'commits alone, one row each':38} {ADDS_ALONE / _since(started):5.0f}/s")


async def _bare_adds_together(url: str, sessions: int) -> Timed:
    each = ADDS_TOGETHER // CLIENTS
    parts = await asyncio.gather(*(_bare_adds(url, number, each, sessions) for number in range(CLIENTS)))
    return Timed([seconds for part in parts for seconds in part.seconds])


async def _bare_adds(url: str, number: int, count: int, sessions: int) -> Timed:
    """Messages sent one after the other on one connection, as bytes."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))

    async def add(n: int) -> None:
        body = json.dumps({"messages": [_said(n)]}).encode()
        head = (
            f"POST /v1/sessions/s{(n * CLIENTS + number) % sessions}/messages HTTP/1.1\r\nHost: {host}\r\n"
            f"Authorization: Bearer {KEY}\r\nIdempotency-Key: {uuid.uuid4()}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).lower()
        assert answer.startswith(b"http/1.1 201"), answer
        await reader.readexactly(int(answer.split(b"content-length:")[1].split(b"\r\n")[0]))

    timed = await _timed(add, count)
    writer.close()
    await writer.wait_closed()
    return timed


async def _sdk_adds_together(url: str, sessions: int) -> Timed:
    seconds: list[float] = []

    async def work(number: int) -> None:
        async with _client(url) as client:
            each = ADDS_TOGETHER // CLIENTS
            done = await _timed(
                lambda n: client.messages.add(f"s{(n * CLIENTS + number) % sessions}", [_said(n)]), each
            )
            seconds.extend(done.seconds)

    await asyncio.gather(*(work(number) for number in range(CLIENTS)))
    return Timed(seconds)


async def _listing(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder, _server(Path(folder), "--no-worker") as server:
        async with _client(server.url) as client:
            for first in range(0, count, BATCH):
                events = [
                    {"actor_id": "a", "session_id": f"s{number}", "kind": "user_message", "content": f"Number {number}"}
                    for number in range(first, min(first + BATCH, count))
                ]
                await client.ingest(events)
            seen: list[str] = []
            marks = []
            started = time.perf_counter()
            async for session in client.sessions.list_all(chunk_size=1_000):
                seen.append(session.session_id)
                if len(seen) % (count // 10) == 0:
                    marks.append(_since(started))
            tenths = [later - earlier for earlier, later in itertools.pairwise([0.0, *marks])]
            print(
                f"list_all of {count} sessions: {len(seen)} listed, {len(set(seen))} of them different, in "
                f"{marks[-1]:.1f} s; first tenth {tenths[0]:.2f} s, last tenth {tenths[-1]:.2f} s"
            )


async def _purging(sessions: int, flags: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory() as folder, _server(Path(folder), *flags) as server:
        url = server.url
        async with _client(url) as client:
            said = [_said(n) for n in range(PURGED_MESSAGES)]
            for number in range(sessions):
                await client.messages.add(f"gone {number}", said)
            for number in range(200):
                await client.messages.add(f"kept {number}", said)
            await _until_idle(url, flags)
            started = time.perf_counter()
            for number in range(sessions):
                await client.sessions.delete(f"gone {number}")
            print(f"delete {sessions} sessions of {PURGED_MESSAGES} messages: {_since(started):.1f} s")
            size = (Path(folder) / "memory.db").stat().st_size / 2**20
            async with _client(url) as reader, _client(url) as writer:
                quiet = asyncio.create_task(asyncio.sleep(10))
                before = await _beside(quiet, reader, writer)
                purging = asyncio.create_task(client.purge())
                started = time.perf_counter()
                during = await _beside(purging, reader, writer)
                report = await purging
            events, took = report.counts.get("events"), _since(started)
            print(f"purge of {events} events, file {size:.0f} MiB: {took:.1f} s, wiped: {report.wiped}")
            for name, pair in (("without", before), ("with", during)):
                print(f"  reads {name:7} the purge   {pair[0]}")
                print(f"  writes {name:7} the purge  {pair[1]}")


async def _beside(
    task: "asyncio.Task[object]", reader: AsyncMemcairnClient, writer: AsyncMemcairnClient
) -> tuple[Timed, Timed]:
    """Reads and writes that go on while `task` does: how long each took."""
    reads: list[float] = []
    writes: list[float] = []

    async def go_on(times: list[float], call: Callable[[int], Awaitable[object]]) -> None:
        number = 0
        while not task.done():
            started = time.perf_counter()
            await call(number)
            times.append(_since(started))
            number += 1
            await asyncio.sleep(0.005)

    await asyncio.gather(
        go_on(reads, lambda n: reader.messages.last(f"kept {n % 200}", 20)),
        go_on(writes, lambda n: writer.messages.add(f"kept {n % 200}", [_said(n)])),
    )
    return Timed(reads), Timed(writes)


async def _timed(call: Callable[[int], Awaitable[object]], count: int) -> Timed:
    seconds = []
    for number in range(count):
        started = time.perf_counter()
        await call(number)
        seconds.append(_since(started))
    return Timed(seconds)


async def _each(call: Callable[[str], Awaitable[object]], ids: Sequence[str]) -> Timed:
    return await _timed(lambda number: call(ids[number]), len(ids))


async def _fill(client: AsyncMemcairnClient, sessions: int, *, done: int, until: int) -> None:
    each = (until - done) // sessions
    for number in range(sessions):
        await client.messages.add(f"s{number}", [_said(number * each + n) for n in range(each)])


async def _until_idle(url: str, flags: Sequence[str]) -> None:
    """Until the worker, if there is one, has done what was queued, which would otherwise be measured too."""
    if flags:
        return
    async with httpx2.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {KEY}"}) as http:
        waiting = True
        while waiting:
            await asyncio.sleep(0.5)
            waiting = bool((await http.get("/v1/jobs", params={"limit": 1})).json()["items"])
    await asyncio.sleep(1)


def _said(number: int) -> dict[str, str]:
    words = " ".join(random.choice(WORDS) for _ in range(12))
    return {"role": "user" if number % 2 == 0 else "assistant", "content": f"Number {number}: the {words}."}


def _since(started: float) -> float:
    return time.perf_counter() - started


@asynccontextmanager
async def _client(url: str) -> AsyncIterator[AsyncMemcairnClient]:
    async with AsyncMemcairnClient(url, KEY, timeout=600) as client:
        yield client


@dataclass(slots=True)
class Row:
    """A line of the table, once its requests are done."""

    timed: Timed


@dataclass(frozen=True, slots=True)
class Server:
    url: str
    pid: int

    @contextmanager
    def measuring(self, name: str, requests: int) -> Iterator[Row]:
        """Prints what the requests of the block took, on the clock and in the CPU time of the server and its worker."""
        row = Row(Timed([]))
        started, before = time.perf_counter(), cpu_seconds(self.pid)
        yield row
        rate, cpu = requests / _since(started), 1_000 * (cpu_seconds(self.pid) - before) / requests
        print(f"{name:38} {row.timed}  {rate:5.0f}/s  CPU {cpu:5.2f} ms", flush=True)


@contextmanager
def _bare_server() -> Iterator[Server]:
    """The framework and the protocol of the server around a handler that stores nothing."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        port = listening.getsockname()[1]
        command = [sys.executable, "-m", "benchmarks.conversations", "--bare", str(listening.fileno())]
        with subprocess.Popen(command, pass_fds=[listening.fileno()]) as server:
            try:
                yield Server(f"http://127.0.0.1:{port}", server.pid)
            finally:
                server.terminate()
                server.wait()


def _serve_bare(descriptor: int) -> None:
    app = FastAPI()
    ids = AddMessagesResponse(message_ids=[str(uuid.uuid4())])

    @app.post("/v1/sessions/{session_id}/messages", status_code=201)
    async def post_messages(session_id: str, body: AddMessagesRequest) -> Response:
        return Response(ids.model_dump_json(), 201, media_type="application/json")

    config = uvicorn.Config(app, http="httptools", loop="uvloop", log_level="error", access_log=False)
    # Handed over as a socket: given its number, uvicorn takes it for one without TCP_NODELAY.
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


@contextmanager
def _server(folder: Path, *options: str) -> Iterator[Server]:
    command = [sys.executable, "-m", "memcairn", "serve", "--port", "0", "--data-dir", str(folder), "--json", *options]
    environment = os.environ | {"MEMCAIRN_API_KEY": KEY, "MEMCAIRN_LOG_LEVEL": "error", "MEMCAIRN_PURGE_INTERVAL": "0"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        line = server.stdout.readline()
        try:
            yield Server(json.loads(line)["url"], server.pid)
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
