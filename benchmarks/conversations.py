"""Conversations over HTTP at growing size: reading one, adding to one, listing all, purging while others work.

    python benchmarks/conversations.py [--messages 100000] [--sessions 2000] [--listed 100000] [--purged 10000]

One server process and one client process share the machine; SQLite syncs every commit. Reads are measured at a tenth of
the messages and at all of them: they should not differ. Nothing is downloaded and no model is called.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from memcairn import AsyncMemcairnClient

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
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores; {options.messages} messages in {options.sessions} sessions")
    asyncio.run(_reads_and_adds(options.messages, options.sessions))
    asyncio.run(_listing(options.listed))
    asyncio.run(_purging(options.purged))


async def _reads_and_adds(messages: int, sessions: int) -> None:
    with tempfile.TemporaryDirectory() as folder, _server(Path(folder)) as url:
        async with _client(url) as client:
            for part in (messages // 10, messages):
                await _fill(client, sessions, done=0 if part == messages // 10 else messages // 10, until=part)
                await _until_idle(url)
                ids = [f"s{random.randrange(sessions)}" for _ in range(READS)]
                got = await _each(client.sessions.get, ids)
                last = await _each(client.messages.last, ids)
                print(f"get session at {part:>7} messages          {got}")
                print(f"last 20 messages at {part:>7} messages     {last}")
            started = time.perf_counter()
            alone = await _timed(lambda n: client.messages.add(f"s{n % sessions}", [_said(n)]), ADDS_ALONE)
            print(f"add one, one client                        {alone}  {ADDS_ALONE / _since(started):7.0f}/s")
        await _until_idle(url)
        await _adds_together(url, sessions)


async def _adds_together(url: str, sessions: int) -> None:
    seconds: list[float] = []

    async def work(number: int) -> None:
        async with _client(url) as client:
            each = ADDS_TOGETHER // CLIENTS
            done = await _timed(
                lambda n: client.messages.add(f"s{(n * CLIENTS + number) % sessions}", [_said(n)]), each
            )
            seconds.extend(done.seconds)

    started = time.perf_counter()
    await asyncio.gather(*(work(number) for number in range(CLIENTS)))
    rate = ADDS_TOGETHER / _since(started)
    print(f"add one, {CLIENTS} clients                        {Timed(seconds)}  {rate:7.0f}/s")


async def _listing(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder, _server(Path(folder), "--no-worker") as url:
        async with _client(url) as client, _client(url) as other:
            ids = iter(range(count))

            async def make(using: AsyncMemcairnClient) -> None:
                for number in ids:
                    await using.sessions.add(f"s{number}", idempotency_key=None)

            await asyncio.gather(*(make(using) for using in [client, other] * (CLIENTS // 2)))
            seen: set[str] = set()
            marks = []
            started = time.perf_counter()
            async for session in client.sessions.list_all(chunk_size=1_000):
                seen.add(session.session_id)
                if len(seen) % (count // 10) == 0:
                    marks.append(_since(started))
            tenths = [later - earlier for earlier, later in zip([0.0, *marks], marks, strict=False)]
            print(
                f"list_all of {count} sessions: {len(seen)} seen in {marks[-1]:.1f} s, "
                f"first tenth {tenths[0]:.2f} s, last tenth {tenths[-1]:.2f} s"
            )


async def _purging(sessions: int) -> None:
    with tempfile.TemporaryDirectory() as folder, _server(Path(folder)) as url:
        async with _client(url) as client:
            said = [_said(n) for n in range(PURGED_MESSAGES)]
            for number in range(sessions):
                await client.messages.add(f"gone {number}", said)
            for number in range(200):
                await client.messages.add(f"kept {number}", said)
            await _until_idle(url)
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


async def _until_idle(url: str) -> None:
    """Until the worker has done what was queued, which would otherwise be measured too."""
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


@contextmanager
def _server(folder: Path, *options: str) -> Iterator[str]:
    command = [sys.executable, "-m", "memcairn", "serve", "--port", "0", "--data-dir", str(folder), "--json", *options]
    environment = os.environ | {"MEMCAIRN_API_KEY": KEY, "MEMCAIRN_LOG_LEVEL": "error", "MEMCAIRN_PURGE_INTERVAL": "0"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        line = server.stdout.readline()
        try:
            yield json.loads(line)["url"]
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
