"""A connection gets to make its request, and no more than that: seen from a socket, against the real server."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import pytest
import uvicorn
from fastapi import FastAPI, Request

from memcairn.api import limits, problems
from memcairn.api.limits import Limits
from memcairn.api.protocol import ConnectionLimits, protocol_class
from memcairn.observability.metrics import Metrics

GET = b"GET /now HTTP/1.1\r\nHost: test\r\n\r\n"
PATIENCE_SECONDS = 10.0
"""Far beyond every limit set here; a socket still open by then would fail the test."""


def small_app() -> FastAPI:
    app = FastAPI()

    @app.get("/now")
    async def now() -> str:
        return "now"

    @app.get("/later")
    async def later() -> str:
        await anyio.sleep(0.5)
        return "later"

    @app.post("/size")
    async def size(request: Request) -> int:
        return len(await request.body())

    @app.post("/unread")
    async def unread() -> str:
        return "unread"

    problems.install(app)
    limits.install(app, Metrics(), Limits(body_bytes=2**20, body_seconds=0.3))
    return app


@contextmanager
def serving(chosen: ConnectionLimits) -> Iterator[int]:
    """A server in a thread, on a free port of the loopback."""
    config = uvicorn.Config(small_app(), http=protocol_class(chosen), ws="none", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving(ConnectionLimits(header_seconds=0.3, header_bytes=8 * 2**10, connections=40)) as number:
        yield number


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as client:
        yield client


def until_closed(client: socket.socket) -> bytes:
    """Everything the server still says; returns when it has closed the connection."""
    said = b""
    try:
        while part := client.recv(65_536):
            said += part
    except ConnectionResetError:
        pass
    return said


def hang_up(client: socket.socket) -> None:
    """Returns when the server has noticed."""
    client.shutdown(socket.SHUT_WR)
    until_closed(client)


def drip(client: socket.socket, piece: bytes) -> bytes:
    """Sends `piece` again and again, well within any limit for idleness, until the server has had enough."""
    client.settimeout(0.05)
    until = time.monotonic() + PATIENCE_SECONDS
    said = b""
    while time.monotonic() < until:
        try:
            client.sendall(piece)
            part = client.recv(65_536)
            if not part:
                return said
            said += part
        except TimeoutError:
            continue
        except (ConnectionResetError, BrokenPipeError):
            return said
    raise AssertionError("the connection is still open")


def answer(client: socket.socket, request: bytes) -> bytes:
    """One answer with a short body, read to the end of that body."""
    client.sendall(request)
    said = b""
    while b"\r\n\r\n" not in said:
        part = client.recv(65_536)
        assert part, "closed without an answer"
        said += part
    head, _, body = said.partition(b"\r\n\r\n")
    [length] = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length")]
    while len(body) < length:
        body += client.recv(65_536)
    return head.split(b"\r\n")[0] + b" " + body


@pytest.mark.parametrize("beginning", [b"G", b"GET /now HTTP/1.1\r\nHost: te"])
def test_half_sent_headers_are_cut(port: int, beginning: bytes) -> None:
    with connected(port) as client:
        client.sendall(beginning)

        assert until_closed(client).startswith(b"HTTP/1.1 408 ")


def test_a_silent_connection_is_closed(port: int) -> None:
    with connected(port) as client:
        assert until_closed(client) == b""


def test_headers_that_drip_are_cut(port: int) -> None:
    with connected(port) as client:
        client.sendall(GET.removesuffix(b"\r\n"))

        assert drip(client, b"X-Drip: 1\r\n").startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("piece", [b"\r\n", b"G"])
def test_a_later_request_has_a_deadline_too(port: int, piece: bytes) -> None:
    with connected(port) as client:
        assert answer(client, GET) == b'HTTP/1.1 200 OK "now"'

        drip(client, piece)


def test_the_rest_of_a_body_nobody_reads_cannot_drip_for_ever(port: int) -> None:
    with connected(port) as client:
        head = b"POST /unread HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\n"
        assert answer(client, head) == b'HTTP/1.1 200 OK "unread"'

        drip(client, b"x")


def test_half_open_connections_do_not_keep_others_out(port: int) -> None:
    held = [socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) for _ in range(30)]
    try:
        for client in held:
            client.sendall(b"GET /now HTT")
        with connected(port) as client:
            assert answer(client, GET) == b'HTTP/1.1 200 OK "now"'

        assert all(until_closed(client).startswith(b"HTTP/1.1 408 ") for client in held)
    finally:
        for client in held:
            client.close()


def test_a_connection_may_make_many_requests(port: int) -> None:
    body = b"x" * 6_000
    post = b"POST /size HTTP/1.1\r\nHost: test\r\nContent-Length: 6000\r\n\r\n" + body

    with connected(port) as client:
        answers = [answer(client, request) for request in [GET, post, post, post, GET]]

    assert answers == [b'HTTP/1.1 200 OK "now"', *[b"HTTP/1.1 200 OK 6000"] * 3, b'HTTP/1.1 200 OK "now"']


def test_an_answer_may_take_longer_than_headers_may(port: int) -> None:
    with connected(port) as client:
        assert answer(client, GET.replace(b"/now", b"/later")) == b'HTTP/1.1 200 OK "later"'
        assert answer(client, GET) == b'HTTP/1.1 200 OK "now"'


def test_headers_in_pieces_are_fine_in_time(port: int) -> None:
    with connected(port) as client:
        for byte in GET[:-1]:
            client.sendall(bytes([byte]))

        assert answer(client, GET[-1:]) == b'HTTP/1.1 200 OK "now"'


def test_requests_sent_at_once_are_answered_in_order(port: int) -> None:
    with connected(port) as client:
        client.sendall(GET.replace(b"/now", b"/later") + GET + GET.replace(b"Host", b"Connection: close\r\nHost"))

        said = until_closed(client)

    assert said.count(b"HTTP/1.1 200 OK") == 3
    assert said.index(b'"later"') < said.index(b'"now"')


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /now HTTP/1.1\r\nHost: test\r\nX-Big: " + b"x" * 9_000 + b"\r\n\r\n",
        b"GET /now HTTP/1.1\r\n" + b"X-Many: 1\r\n" * 900 + b"\r\n",
        b"GET /" + b"x" * 9_000 + b" HTTP/1.1\r\nHost: test\r\n\r\n",
        b"GET /now HTTP/1.1\r\nX-Endless: " + b"x" * 20_000,
    ],
    ids=["one", "many", "address", "endless"],
)
def test_headers_over_the_limit_are_refused(port: int, request_bytes: bytes) -> None:
    with connected(port) as client:
        client.sendall(request_bytes)

        said = until_closed(client)

    assert said.startswith(b"HTTP/1.1 431 ")
    assert b"application/problem+json" in said


def test_trailers_count_as_headers(port: int) -> None:
    head = (
        b"POST /size HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\nx\r\n0\r\n"
    )

    said = []
    for trailers in (b"X-Trailer: 1\r\n", b"X-Trailer: 1\r\n" * 1_000):
        with connected(port) as client:
            client.sendall(head + trailers + b"\r\n")
            said.append(until_closed(client))

    assert b"200 OK" in said[0]
    assert b"200 OK" not in said[1]


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: test\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: test\r\n\r\n",
        b"CONNECT test:1 HTTP/1.1\r\nHost: test\r\n\r\n",
        b"POST /size HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        b"POST /size HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /size HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET /now HTTP/1.1\r\nX-Nul: a\0b\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused_as_a_problem(port: int, request_bytes: bytes) -> None:
    with connected(port) as client:
        client.sendall(request_bytes)

        said = until_closed(client)

    assert said.startswith(b"HTTP/1.1 400 ")
    assert b'"code":"bad_request"' in said


def test_connections_beyond_the_limit_are_told_to_come_back() -> None:
    with serving(ConnectionLimits(connections=2)) as port:
        with connected(port) as first, connected(port) as second:
            assert answer(first, GET).startswith(b"HTTP/1.1 200 ")
            assert answer(second, GET).startswith(b"HTTP/1.1 200 ")
            with connected(port) as third:
                refused = until_closed(third)
            hang_up(first)
            hang_up(second)

        with connected(port) as later:
            accepted = answer(later, GET)

    assert refused.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1" in refused
    assert accepted.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"Content-Length: 20971520", b"x" * 2**20),
        (b"Transfer-Encoding: chunked", b"100000\r\n" + b"x" * 2**20 + b"\r\n"),
    ],
    ids=["declared", "chunked"],
)
def test_a_client_that_sends_too_much_reads_why(port: int, head: bytes, piece: bytes) -> None:
    with connected(port) as client:
        client.sendall(b"POST /size HTTP/1.1\r\nHost: test\r\n" + head + b"\r\n\r\n")
        for _ in range(20):
            client.sendall(piece)

        said = until_closed(client)

    assert said.startswith(b"HTTP/1.1 413 ")
    assert b'"code":"too_large"' in said
    assert b"connection: close" in said


def test_a_half_sent_body_is_cut_and_its_connection_closed(port: int) -> None:
    with connected(port) as client:
        client.sendall(b"POST /size HTTP/1.1\r\nHost: test\r\nContent-Length: 100\r\n\r\nhalf")

        assert until_closed(client).startswith(b"HTTP/1.1 408 ")


def test_a_body_that_drips_is_cut(port: int) -> None:
    with connected(port) as client:
        client.sendall(b"POST /size HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\n")

        assert drip(client, b"x").startswith(b"HTTP/1.1 408 ")
