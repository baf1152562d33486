"""Load on a real server: connections that cost little, requests that come when they are due, and what it costs."""

import asyncio
import itertools
import json
import operator
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

IDLE_SECONDS = 3.0
"""A connection that nobody used for longer is opened anew: after 5 s the server would close it, perhaps just now."""


@dataclass
class Tally:
    """How long each request took, in seconds from the moment it was due, and what was answered."""

    seconds: list[float] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    def __add__(self, other: "Tally") -> "Tally":
        return Tally([*self.seconds, *other.seconds], [*self.statuses, *other.statuses])

    def quantile(self, share: float) -> float:
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def errors(self) -> int:
        return sum(status >= 400 for status in self.statuses)


@dataclass(frozen=True)
class Use:
    """What a server and its worker hold at one moment."""

    rss_mib: float
    descriptors: int
    threads: int

    def __add__(self, other: "Use") -> "Use":
        return Use(self.rss_mib + other.rss_mib, self.descriptors + other.descriptors, self.threads + other.threads)


def use_of(pid: int) -> Use:
    """What the process and those it started hold."""
    return reduce(operator.add, map(_use_of_one, [pid, *children_of(pid)]))


def children_of(pid: int) -> list[int]:
    stats = [(stat.parent.name, stat.read_text()) for stat in Path("/proc").glob("[0-9]*/stat")]
    return [int(child) for child, stat in stats if int(stat.rpartition(")")[2].split()[1]) == pid]


def _use_of_one(pid: int) -> Use:
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    rss = int(status["VmRSS"].split()[0]) / 1024
    return Use(rss, len(list(Path(f"/proc/{pid}/fd").iterdir())), int(status["Threads"]))


class Connection:
    """One kept connection to a server; one request at a time."""

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 0
        self._key = key
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._used_at = 0.0

    async def post(self, path: str, body: Any) -> int:
        """The status of the answer, once all of it has come."""
        if time.monotonic() - self._used_at > IDLE_SECONDS:
            await self.close()
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._streams
        content = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {self._key}\r\n"
        writer.write(
            f"{head}Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content
        )
        answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        await reader.readexactly(int(answer.split("content-length:")[1].split("\r\n")[0]))
        self._used_at = time.monotonic()
        if "connection: close" in answer:
            await self.close()
        return int(answer.split(" ", 2)[1])

    async def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


class Clients:
    """Connections that are taken when they are free, and made when none is."""

    def __init__(self, url: str, key: str) -> None:
        self._url, self._key = url, key
        self._free: list[Connection] = []

    async def post(self, path: str, body: Any) -> int:
        connection = self._free.pop() if self._free else Connection(self._url, self._key)
        status = await connection.post(path, body)
        self._free.append(connection)
        return status

    async def close(self) -> None:
        for connection in self._free:
            await connection.close()


Request = tuple[str, Any]


def chatter(name: str) -> Iterator[Request]:
    """Requests of a chat application without end: mostly messages, every fourth a search."""
    for number in itertools.count():
        actor = f"{name} {number % 20}"
        if number % 4 == 3:
            yield "/v1/search", {"query": f"Where is parcel {number - 3}?", "actor_id": actor, "limit": 5}
        else:
            event = {"actor_id": actor, "session_id": actor, "kind": "user_message"}
            yield (
                "/v1/events",
                {"events": [event | {"content": f"Parcel {number} of {name} went to pier {number % 7}."}]},
            )


async def as_fast_as_it_goes(clients: Clients, requests: Iterator[Request], *, at_once: int, seconds: float) -> Tally:
    """Closed loop: each of `at_once` asks again when it was answered."""
    tally = Tally()
    until = time.perf_counter() + seconds

    async def ask() -> None:
        while time.perf_counter() < until:
            await _timed(clients, next(requests), tally, time.perf_counter())

    await asyncio.gather(*(ask() for _ in range(at_once)))
    return tally


async def at_a_rate(
    clients: Clients,
    requests: Iterator[Request],
    *,
    per_second: float,
    seconds: float,
    now_and_then: Callable[[], None] = lambda: None,
) -> Tally:
    """Open loop: requests come when they are due, whether or not those before were answered."""
    tally = Tally()
    started = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for number in range(int(per_second * seconds)):
            due = started + number / per_second
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.create_task(_timed(clients, next(requests), tally, due))
            if number % max(1, int(per_second)) == 0:
                now_and_then()
    return tally


async def _timed(clients: Clients, request: Request, tally: Tally, due: float) -> None:
    status = await clients.post(*request)
    tally.seconds.append(time.perf_counter() - due)
    tally.statuses.append(status)
