"""One request, and all of them together, take only so much; and every answer carries its id."""

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import pytest
from fastapi import APIRouter, FastAPI, Request
from starlette.types import Message, Receive, Scope, Send

from memcairn.api import health, limits, problems
from memcairn.api.envelope import Envelope
from memcairn.api.limits import Limits
from memcairn.api.routing import StrictRoute
from memcairn.observability import logs
from memcairn.observability.metrics import Metrics

pytestmark = pytest.mark.anyio


class Stage:
    """A small app behind every layer; `open` lets `/v1/wait` go on, `reached` says somebody waits there."""

    def __init__(self, chosen: Limits | None = None) -> None:
        self.metrics = Metrics()
        self.open = anyio.Event()
        self.reached = anyio.Event()
        self.problems: dict[str, str | None] = {"database": None}
        self.read = 0
        self.app = FastAPI()
        self.app.include_router(self._routes(), prefix="/v1")
        self.app.include_router(health.router(self._check, metrics=self.metrics, version="1.2.3"))
        self.app.mount("/other", self._another_app())
        problems.install(self.app)
        limits.install(self.app, self.metrics, chosen)

    def _routes(self) -> APIRouter:
        routes = APIRouter(route_class=StrictRoute)

        @routes.post("/echo")
        async def echo(body: dict[str, Any]) -> dict[str, Any]:
            return body

        @routes.post("/raw")
        async def raw(request: Request) -> int:
            async for chunk in request.stream():
                self.read += len(chunk)
            return self.read

        @routes.post("/together")
        async def together(request: Request) -> None:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(request.body)

        @routes.get("/wait")
        async def wait() -> str | None:
            self.reached.set()
            await self.open.wait()
            return logs.request_id()

        @routes.get("/items/{item_id}")
        async def item(item_id: str, q: str = "") -> list[str]:
            return [item_id, q]

        return routes

    def _another_app(self) -> FastAPI:
        other = FastAPI()

        @other.get("/items/{item_id}")
        async def item(item_id: str) -> str:
            return item_id

        return other

    async def _check(self) -> Mapping[str, str | None]:
        return self.problems

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx2.AsyncClient]:
        transport = httpx2.ASGITransport(self.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            yield client

    def count(self, sample: str) -> float:
        """The value of one line of `/metrics`, zero if it is not there."""
        lines = (line.rsplit(" ", 1) for line in self.metrics.render().decode().splitlines())
        return next((float(value) for name, value in lines if name == sample), 0.0)


async def chunks(size: int, number: int) -> AsyncIterator[bytes]:
    for _ in range(number):
        yield b"x" * size


async def stuck_after(beginning: bytes) -> AsyncIterator[bytes]:
    yield beginning
    await anyio.sleep_forever()


async def test_a_body_declared_too_large_is_refused_unread() -> None:
    stage = Stage(Limits(body_bytes=1_000))
    headers = {"Content-Length": "1001"}

    async with stage.client() as client:
        answer = await client.post("/v1/raw", content=chunks(100, 1), headers=headers)

    assert answer.status_code == 413
    assert answer.json()["code"] == "too_large"
    assert answer.headers["connection"] == "close"
    assert stage.read == 0
    assert stage.count('memcairn_http_refused_total{reason="body_too_large"}') == 1


async def test_a_body_that_grows_too_large_is_cut_where_it_does() -> None:
    stage = Stage(Limits(body_bytes=1_000))

    async with stage.client() as client:
        answer = await client.post("/v1/raw", content=chunks(100, 50))

    assert answer.status_code == 413
    assert stage.read == 1_000


@pytest.mark.parametrize("path", ["/v1/echo", "/v1/raw", "/v1/together"])
async def test_the_limit_holds_however_a_route_reads(path: str) -> None:
    async with Stage(Limits(body_bytes=1_000)).client() as client:
        answer = await client.post(path, content=chunks(100, 50))

    assert answer.status_code == 413
    assert answer.headers["content-type"] == problems.MEDIA_TYPE


async def test_a_body_of_the_largest_size_is_taken() -> None:
    body = b'{"a": "' + b"x" * 91 + b'"}'

    async with Stage(Limits(body_bytes=len(body))).client() as client:
        answer = await client.post("/v1/echo", content=body)

    assert answer.json() == {"a": "x" * 91}


@pytest.mark.parametrize("length", ["1" * 30, "9" * 6_000])
async def test_a_length_beyond_all_numbers_is_too_large(length: str) -> None:
    async with Stage().client() as client:
        answer = await client.post("/v1/echo", content=chunks(1, 1), headers={"Content-Length": length})

    assert answer.status_code == 413


async def test_a_half_sent_body_is_cut() -> None:
    stage = Stage(Limits(body_seconds=0.05))

    async with stage.client() as client:
        answer = await client.post("/v1/echo", content=stuck_after(b'{"a": '))

    assert answer.status_code == 408
    assert answer.json()["code"] == "too_slow"
    assert answer.headers["connection"] == "close"
    assert stage.count('memcairn_http_refused_total{reason="body_too_slow"}') == 1


async def test_the_time_for_a_body_is_not_the_time_for_its_answer() -> None:
    stage = Stage(Limits(body_seconds=0.05))

    async with stage.client() as client, anyio.create_task_group() as tasks:

        async def open_later() -> None:
            await stage.reached.wait()
            await anyio.sleep(0.1)
            stage.open.set()

        tasks.start_soon(open_later)
        answer = await client.get("/v1/wait")

    assert answer.status_code == 200


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, identity"])
async def test_compressed_bodies_are_refused(encoding: str) -> None:
    async with Stage().client() as client:
        answer = await client.post("/v1/echo", content=b"\x1f\x8b", headers={"Content-Encoding": encoding})

    assert answer.status_code == 415
    assert "Content-Encoding" in answer.json()["detail"]


async def test_bodies_held_together_stay_under_their_limit() -> None:
    stage = Stage(Limits(held_body_bytes=1_000))

    async with stage.client() as client:
        answers = [await client.post("/v1/echo", content=chunks(size, 1)) for size in (1_001, 900, 900)]

    assert [answer.status_code for answer in answers] == [503, 422, 422]
    assert answers[0].headers["retry-after"] == "1"


async def test_requests_beyond_the_limit_are_told_to_come_back() -> None:
    stage = Stage(Limits(concurrent_requests=1, retry_after_seconds=7))

    async with stage.client() as client, anyio.create_task_group() as tasks:
        tasks.start_soon(client.get, "/v1/wait")
        await stage.reached.wait()
        refused = await client.get("/v1/items/1")
        probes = [await client.get(path) for path in ("/healthz", "/readyz", "/metrics")]
        stage.open.set()

    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "7"
    assert refused.json()["code"] == "unavailable"
    assert [probe.status_code for probe in probes] == [200, 200, 200]
    assert stage.count('memcairn_http_refused_total{reason="busy"}') == 1


async def test_a_request_that_ended_makes_room_for_the_next() -> None:
    stage = Stage(Limits(concurrent_requests=1))

    async with stage.client() as client:
        answers = [await client.get("/v1/items/1") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 200]


async def test_a_request_that_is_cancelled_leaves_nothing_behind() -> None:
    stage = Stage(Limits(concurrent_requests=1))

    async with stage.client() as client:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.get, "/v1/wait")
            await stage.reached.wait()
            tasks.cancel_scope.cancel()
        answer = await client.get("/v1/items/1")

    assert answer.status_code == 200
    assert stage.count("memcairn_http_requests_in_flight") == 0
    assert stage.count('memcairn_http_requests_total{method="GET",route="/v1/wait",status="499"}') == 1
    assert logs.request_id() is None


@pytest.mark.parametrize("started", [False, True])
async def test_a_crash_is_answered_unless_the_answer_has_begun(started: bool) -> None:
    async def crash(scope: Scope, receive: Receive, send: Send) -> None:
        if started:
            await send({"type": "http.response.start", "status": 200})
        raise ValueError("no")

    outbox: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        outbox.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
    await Envelope(problems.Crashes(crash), Metrics())(scope, receive, send)

    statuses = [message["status"] for message in outbox if message["type"] == "http.response.start"]
    assert statuses == [200 if started else 500]
    assert (b"x-content-type-options", b"nosniff") in outbox[0]["headers"]


async def test_a_client_that_leaves_while_sending_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage()
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "path": "/v1/echo",
        "query_string": b"",
        "headers": [],
    }
    inbox: list[Message] = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    outbox: list[Message] = []

    async def receive() -> Message:
        return inbox.pop(0)

    async def send(message: Message) -> None:
        outbox.append(message)

    await stage.app(scope, receive, send)

    assert outbox[0]["status"] == problems.CLIENT_GONE
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("given", ["abc", "a.b_c-1", "x" * 128])
async def test_a_sane_request_id_is_kept(given: str) -> None:
    stage = Stage()
    stage.open.set()

    async with stage.client() as client:
        answer = await client.get("/v1/wait", headers={"X-Request-ID": given})

    assert answer.headers["x-request-id"] == given
    assert answer.json() == given


@pytest.mark.parametrize("given", [b"", b"a b", b"x" * 129, b"a\tb", b"{}", "é".encode()])
async def test_any_other_request_id_is_replaced(given: bytes) -> None:
    async with Stage().client() as client:
        first, second = [await client.get("/v1/nothing", headers=[(b"X-Request-ID", given)]) for _ in range(2)]

    assert first.headers["x-request-id"] == first.json()["request_id"] != second.headers["x-request-id"]
    assert len(first.headers["x-request-id"]) == 32


async def test_answers_ask_browsers_and_caches_for_care() -> None:
    async with Stage().client() as client:
        answer = await client.get("/v1/items/1")

    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"


async def test_nul_in_an_address_becomes_the_replacement_character() -> None:
    async with Stage().client() as client:
        answer = await client.get("/v1/items/a%00b?q=%%0000c%00")

    assert answer.json() == ["a\ufffdb", "%\ufffd00c\ufffd"]


@pytest.mark.parametrize(
    ("path", "route", "status"),
    [
        ("/v1/items/42", "/v1/items/{item_id}", 200),
        ("/other/items/42", "/other/items/{item_id}", 200),
        ("/other/nothing/42", "/other/*", 404),
        ("/v1/echo", "/v1/echo", 405),
        ("/nothing/42", "unmatched", 404),
        ("/docs", "/docs", 200),
    ],
)
async def test_requests_are_counted_by_the_pattern_of_their_route(path: str, route: str, status: int) -> None:
    stage = Stage()

    async with stage.client() as client:
        await client.get(path)

    assert stage.count(f'memcairn_http_requests_total{{method="GET",route="{route}",status="{status}"}}') == 1


async def test_every_request_has_one_access_line_without_its_query(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async with Stage().client() as client:
        await client.get("/v1/items/alice?q=private")

    [record] = [record for record in caplog.records if record.name == "memcairn.access"]
    fields = vars(record)
    assert (record.getMessage(), fields["method"], fields["route"], fields["status"]) == (
        "request",
        "GET",
        "/v1/items/{item_id}",
        200,
    )
    assert not any("private" in str(value) or "alice" in str(value) for value in fields.values())


async def test_health_is_about_the_process_and_readiness_about_its_parts() -> None:
    stage = Stage()
    stage.problems = {"database": None, "worker": "has not reported for 60 s"}

    async with stage.client() as client:
        alive, ready = await client.get("/healthz"), await client.get("/readyz")

    assert (alive.status_code, alive.json()) == (200, {"status": "ok", "version": "1.2.3"})
    assert (ready.status_code, ready.json()["components"]) == (503, stage.problems)


async def test_a_server_whose_parts_all_work_is_ready() -> None:
    async with Stage().client() as client:
        ready = await client.get("/readyz")

    assert (ready.status_code, ready.json()) == (
        200,
        {"status": "ready", "components": {"database": None}, "reembedding": None},
    )


async def test_a_check_that_hangs_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_SECONDS", 0.02)
    app = FastAPI()

    async def hang() -> Mapping[str, str | None]:
        await anyio.sleep_forever()
        raise AssertionError

    app.include_router(health.router(hang, metrics=Metrics(), version="1"))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as client:
        ready = await client.get("/readyz")

    assert ready.status_code == 503
    assert ready.json()["components"] == {"check": "no answer within 0.02 s"}


async def test_metrics_are_served_as_prometheus_reads_them() -> None:
    async with Stage().client() as client:
        answer = await client.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert b"memcairn_http_requests_total" in answer.content
