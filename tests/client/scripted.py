"""A server that gives the answers it was told to, and both clients to ask it."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Protocol

import httpx2

from memcairn import AsyncMemcairnClient, MemcairnClient

BASE_URL = "http://memory.test"
KEY = "mc_key"
MOMENT = "2026-03-15T14:22:10Z"

Use = Callable[[Any], Any]
"""What to do with a client. Untyped: the same words give a value from one client and an awaitable from the other."""


class Scripted:
    """Gives one answer after the other (an exception is a broken connection) and keeps what it was asked."""

    def __init__(self, *answers: httpx2.Response | Exception) -> None:
        self._answers = list(answers)
        self.requests: list[httpx2.Request] = []
        self.waits: list[float] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def lines(self) -> list[str]:
        return [f"{request.method} {request.url.raw_path.decode()}" for request in self.requests]

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    async def sleep_async(self, seconds: float) -> None:
        self.waits.append(seconds)


class Colour(Protocol):
    def __call__(self, server: Scripted, use: Use, **options: Any) -> Any: ...


def in_sync(server: Scripted, use: Use, **options: Any) -> Any:
    options = {"base_url": BASE_URL, "api_key": KEY, "sleep": server.sleep, **options}
    with MemcairnClient(**{"transport": httpx2.MockTransport(server), **options}) as client:
        answer = use(client)
        return list(answer) if isinstance(answer, Iterator) else answer


def in_async(server: Scripted, use: Use, **options: Any) -> Any:
    options = {"base_url": BASE_URL, "api_key": KEY, "sleep": server.sleep_async, **options}

    async def ask() -> Any:
        async with AsyncMemcairnClient(**{"transport": httpx2.MockTransport(server), **options}) as client:
            answer = use(client)
            if isinstance(answer, AsyncIterator):
                return [item async for item in answer]
            return await answer if inspect.isawaitable(answer) else answer

    return asyncio.run(ask())


def ok(body: object, status: int = 200, **headers: str) -> httpx2.Response:
    return httpx2.Response(status, json=body, headers=headers)


def refused(status: int, code: str = "some_code", **headers: str) -> httpx2.Response:
    problem = {"title": "No", "status": status, "detail": "a sentence", "code": code, "request_id": "r-1"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.Response(status, json=problem, headers={"content-type": "application/problem+json", **named})


def event(event_id: str = "e-1") -> dict[str, object]:
    return {
        "event_id": event_id,
        "session_id": "s-1",
        "position": 1,
        "actor_id": "ann",
        "kind": "user_message",
        "content": "I moved to Lisbon",
        "name": None,
        "role": None,
        "token_count": 4,
        "metadata": {},
        "role_id": None,
        "team_id": None,
        "status": "completed",
        "error": None,
        "occurred_at": MOMENT,
        "created_at": MOMENT,
        "updated_at": MOMENT,
    }


def memory(memory_id: str = "m-1") -> dict[str, object]:
    return {
        "memory_id": memory_id,
        "scope": {"level": "actor", "actor_id": "ann"},
        "session_id": "s-1",
        "kind": "episodic",
        "type": "fact",
        "status": "active",
        "text": "Ann moved to Lisbon",
        "title": None,
        "speaker": "Ann",
        "tags": [],
        "entities": [{"name": "Lisbon", "type": "place"}],
        "confidence": 0.8,
        "strength": 1.0,
        "recall_count": 0,
        "last_recalled_at": None,
        "half_life_days": 30.0,
        "pinned": False,
        "observed_at": MOMENT,
        "valid_from": None,
        "valid_to": None,
        "supersedes": None,
        "metadata": {},
        "created_at": MOMENT,
        "updated_at": MOMENT,
        "source_event_ids": ["e-1"],
    }


def job(job_id: str = "j-1") -> dict[str, object]:
    return {
        "job_id": job_id,
        "task": "process",
        "status": "dead",
        "attempts": 5,
        "max_attempts": 5,
        "payload": {},
        "run_at": MOMENT,
        "error": "the model did not answer",
        "created_at": MOMENT,
        "updated_at": MOMENT,
    }
