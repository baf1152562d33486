"""One client in one colour, so that every scenario is written once and carried out twice."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from zep_python import ZepClient  # type: ignore[import-not-found]  # lives in the client's own environment
from zep_python.exceptions import ZepClientError  # type: ignore[import-not-found]  # as above

PATIENCE_SECONDS = 30.0

T = TypeVar("T")


class Caller:
    """Calls methods of the client: `get` itself in the plain colour, `aget` awaited in the other one."""

    def __init__(self, client: ZepClient, *, url: str, key: str, awaited: bool) -> None:
        self.client = client
        self.url = url
        self.key = key
        self.awaited = awaited
        self.called: set[str] = set()

    def id(self, name: str) -> str:
        """An id of this colour's own, since both talk to one server."""
        return f"{'a' if self.awaited else 's'}-{name}"

    async def __call__(self, thing: Any, name: str, /, *args: Any, **options: Any) -> Any:
        """The answer of `thing.name(...)`."""
        method = self._method(thing, name)
        return await method(*args, **options) if self.awaited else method(*args, **options)

    async def pages(self, thing: Any, name: str, /, **options: Any) -> list[list[Any]]:
        """Everything a generator method yields."""
        method = self._method(thing, name)
        if self.awaited:
            return [page async for page in method(**options)]
        return list(method(**options))

    async def refusal(self, thing: Any, name: str, /, *args: Any, **options: Any) -> dict[str, Any] | None:
        """The error the client makes of the server's answer; None when there is none."""
        try:
            await self(thing, name, *args, **options)
        except ZepClientError as error:
            status = (error.response_data or {}).get("status_code")
            return {"error": type(error).__name__} | ({} if status is None else {"status": status})
        return None

    def _method(self, thing: Any, name: str) -> Any:
        spelled = f"a{name}" if self.awaited else name
        self.called.add(f"{type(thing).__name__}.{spelled}")
        return getattr(thing, spelled)


async def until(look: Callable[[], Awaitable[T]], arrived: Callable[[T], bool]) -> T:
    """The first look that satisfies `arrived`, or the last one before patience ran out."""
    ends = time.monotonic() + PATIENCE_SECONDS
    seen = await look()
    while not arrived(seen) and time.monotonic() < ends:
        await asyncio.sleep(0.05)
        seen = await look()
    return seen
