"""Turns: one key alone is never held back, of several each lines up behind itself."""

import asyncio
from collections import Counter
from typing import Any

import httpx2
import pytest
from starlette.types import Receive, Scope, Send

from memcairn.api import turns
from memcairn.api.turns import AT_LEAST, AT_ONCE, Turns
from memcairn.observability.metrics import Metrics

pytestmark = pytest.mark.anyio

LINE = 5


class Busy:
    """An application whose answers come when it is told to; it counts what it has begun, by key."""

    def __init__(self) -> None:
        self.begun: Counter[str] = Counter()
        self.now = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.begun[dict(scope["headers"]).get(b"authorization", b"").decode()] += 1
        await self.now.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def app(anyio_backend: str) -> Busy:
    return Busy()


@pytest.fixture
def turned(app: Busy) -> Turns:
    return Turns(app, Metrics(), longest_line=LINE)


async def asked(turned: Turns, key: str, times: int, path: str = "/v1/me") -> list["asyncio.Task[httpx2.Response]"]:
    """So many requests of a key, each as far as it gets."""

    async def ask() -> httpx2.Response:
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(turned), base_url="http://test") as client:
            return await client.get(path, headers={"Authorization": key})

    tasks = [asyncio.create_task(ask()) for _ in range(times)]
    await asyncio.sleep(0.05)
    return tasks


async def answers(tasks: list[Any]) -> Counter[int]:
    return Counter(response.status_code for response in await asyncio.gather(*tasks))


async def test_one_key_alone_is_never_held_back(app: Busy, turned: Turns) -> None:
    await asked(turned, "a", 50)

    assert app.begun == {"a": 50}
    app.now.set()


async def test_beside_another_key_it_lines_up_behind_itself(app: Busy, turned: Turns) -> None:
    others = await asked(turned, "b", 1)
    flood = await asked(turned, "a", AT_ONCE + LINE)
    others += await asked(turned, "b", 1)

    assert app.begun == {"a": AT_ONCE - 1, "b": AT_LEAST}
    app.now.set()
    assert await answers(others) == {200: 2}
    assert await answers(flood) == {200: AT_ONCE - 1 + LINE, 503: 1}


async def test_a_full_line_is_told_when_to_come_back_and_others_are_not(app: Busy, turned: Turns) -> None:
    others = await asked(turned, "b", 1)
    flood = await asked(turned, "a", AT_ONCE + LINE)
    [refused] = [await task for task in flood if task.done()]

    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    others += await asked(turned, "c", AT_LEAST)
    app.now.set()
    assert await answers(others) == {200: 1 + AT_LEAST}
    await asyncio.gather(*flood)


async def test_who_leaves_the_line_takes_nobodys_turn(app: Busy, turned: Turns) -> None:
    others = await asked(turned, "b", 1)
    flood = await asked(turned, "a", AT_ONCE - 1 + LINE)
    waiting = flood[AT_ONCE - 1 :]
    for task in waiting[:2]:
        task.cancel()
    await asyncio.sleep(0.05)

    app.now.set()

    assert await answers([*others, *flood[: AT_ONCE - 1], *waiting[2:]]) == {200: AT_ONCE + LINE - 2}
    assert app.begun == {"b": 1, "a": AT_ONCE - 1 + LINE - 2}


async def test_what_takes_long_holds_up_nobody(app: Busy, turned: Turns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "LONGEST_TURN_SECONDS", 0.01)
    tasks = await asked(turned, "b", 1)
    tasks += await asked(turned, "a", AT_ONCE - 1 + LINE)

    async with asyncio.timeout(10):
        while app.begun["a"] < AT_ONCE - 1 + LINE:  # noqa: ASYNC110 -- nobody tells
            await asyncio.sleep(0.01)
    app.now.set()

    assert await answers(tasks) == {200: AT_ONCE + LINE}


async def test_a_key_that_falls_silent_counts_no_longer(
    app: Busy, turned: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "LATELY_SECONDS", 0.01)
    app.now.set()
    await answers(await asked(turned, "b", 1))
    app.now.clear()
    await asyncio.sleep(0.05)

    await asked(turned, "a", 30)

    assert app.begun["a"] == 30
    app.now.set()


async def test_probes_wait_for_nobody(app: Busy, turned: Turns) -> None:
    await asked(turned, "b", 5)
    await asked(turned, "a", 5)

    await asked(turned, "c", 5, path="/healthz")

    assert app.begun["c"] == 5
    app.now.set()
