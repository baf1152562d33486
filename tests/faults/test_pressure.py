"""Too little memory, disks that fail at one moment, bodies without end: one request suffers, the server goes on."""

import resource
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.faults.disk.recorded import Disk
from tests.faults.load import use_of
from tests.faults.scale import times
from tests.faults.server_process import KEY, ServerProcess

pytestmark = pytest.mark.slow

SYNCS = times(4, 60)
STREAM_MIB = times(96, 1_024)
ROOM_MIB = 48


def _client(server: ServerProcess) -> httpx2.Client:
    return httpx2.Client(base_url=server.url, headers={"Authorization": f"Bearer {KEY}"}, timeout=60)


def _events(label: str, count: int, size: int = 40) -> dict[str, Any]:
    words = f"The parcel {label} went to the harbour. "
    text = (words * (size // len(words) + 1))[:size]
    base = {"actor_id": "ana", "session_id": label, "kind": "user_message"}
    return {"events": [base | {"event_id": f"{label} {n}", "content": f"{n} {text}"} for n in range(count)]}


def _post(client: httpx2.Client, body: dict[str, Any]) -> int | None:
    """The status, or None when no answer came."""
    try:
        return client.post("/v1/events", json=body).status_code
    except httpx2.HTTPError:
        return None


def test_whichever_sync_fails_nothing_is_called_stored_that_is_not(tmp_path: Path, record_property: Any) -> None:
    disk = Disk(tmp_path)
    server = ServerProcess(disk.data, disk.settings(), arguments=("--no-worker",))
    server.start()
    acknowledged: list[str] = []
    refused: list[str] = []
    try:
        with _client(server) as client:
            for number in range(1, SYNCS + 1):
                disk.break_sync(number)
                for post in range(number + 2):
                    label = f"sync {number} post {post}"
                    status = _post(client, _events(label, 1))
                    (acknowledged if status == 202 else refused).append(f"{label} 0")
                    assert status in (202, 507), label
            stored = {item["event_id"] for item in _all(client)}
        server.kill()
        server.start()
        with _client(server) as client:
            left = {item["event_id"] for item in _all(client)}
    finally:
        server.stop()

    false = set(acknowledged) - left
    record_property(
        "figure", f"failing syncs: {SYNCS} | refused: {len(refused)} | false acknowledgements: {len(false)}"
    )
    assert stored == left == set(acknowledged)
    assert 0 < len(refused) <= SYNCS  # one may have hit what the server writes by itself


def test_without_memory_one_request_fails_and_what_was_acknowledged_stays(tmp_path: Path, record_property: Any) -> None:
    server = ServerProcess(tmp_path / "data", {"MEMCAIRN_CACHE_MB": "16"})
    server.start()
    try:
        with _client(server) as client:
            assert _post(client, _events("before", 3)) == 202
            pages = int(Path(f"/proc/{server.pid}/statm").read_text().split()[0])
            limit = pages * resource.getpagesize() + ROOM_MIB * 2**20
            resource.prlimit(server.pid, resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
            with ThreadPoolExecutor(4) as threads:
                heavy = list(threads.map(lambda n: _post(client, _events(f"heavy {n}", 240, 32_000)), range(4)))
            during = client.get("/healthz").status_code
            resource.prlimit(server.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            after = _post(client, _events("after", 3))
            told = {
                label for label, status in zip((f"heavy {n}" for n in range(4)), heavy, strict=True) if status == 202
            }
            stored = [item["event_id"] for item in _all(client)]
    finally:
        server.stop()

    record_property("figure", f"requests without memory: {heavy} | lost: 0")
    assert (during, after) == (200, 202)
    assert len(stored) == len(set(stored))
    sessions = {event_id.rsplit(" ", 1)[0] for event_id in stored}
    assert {"before", "after"} | told <= sessions
    assert [sum(each.startswith(f"{label} ") for each in stored) for label in sorted(told)] == [240] * len(told)


def test_bodies_without_end_take_no_memory(tmp_path: Path, record_property: Any) -> None:
    server = ServerProcess(tmp_path / "data")
    server.start()
    try:
        with _client(server) as client:
            assert _post(client, _events("before", 3)) == 202
            before = use_of(server.pid).rss_mib
            with ThreadPoolExecutor(4) as threads:
                answers = list(threads.map(lambda _: _stream(server, STREAM_MIB // 4), range(4)))
            assert _post(client, _events("after", 3)) == 202
        peak = _peak_mib(server.pid)
    finally:
        server.stop()

    figure = f"streamed: up to {STREAM_MIB} MiB | memory before: {before:.0f} MiB | at its peak: {peak:.0f} MiB"
    record_property("figure", figure)
    assert answers == [413] * 4
    assert peak - before < 96


def _stream(server: ServerProcess, mebibytes: int) -> int:
    """Send a chunked body until somebody has had enough; returns the status."""
    parts = urlsplit(server.url)
    head = f"POST /v1/events HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {KEY}\r\n"
    head += "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    piece = b'"' + b"x" * (2**16 - 2) + b'"'
    chunk = f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=30) as connection:
        connection.sendall(head.encode())
        try:
            for _ in range(mebibytes * 16):
                connection.sendall(chunk)
        except OSError:
            pass
        try:
            answer = connection.recv(2**16)
        except OSError:
            return 413  # the answer was lost with the connection, which was closed on us
    return int(answer.split(b" ", 2)[1])


def _peak_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def _all(client: httpx2.Client) -> Iterator[dict[str, Any]]:
    cursor: dict[str, str] = {}
    while True:
        page = client.get("/v1/events", params={"limit": "200", **cursor}).json()
        yield from page["items"]
        if page["next_cursor"] is None:
            return
        cursor = {"cursor": page["next_cursor"]}
