"""One client in one colour, so that every scenario is written once and carried out twice."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any, TypeVar

import memsy  # type: ignore[import-not-found]  # lives in the client's own environment

PATIENCE_SECONDS = 30.0
VERSION = version("memsy")
SPOKEN = (
    *("feature", "current_tier", "upgrade_url", "limit", "current", "interest_path", "required_scope"),
    *("purchased_seats", "assigned_seats", "pending_invites", "dimension", "retry_after"),
)
"""What errors of the client may carry besides status and code."""

T = TypeVar("T")


class Caller:
    """Calls methods of both clients: those of the plain colour themselves, those of the other one awaited."""

    def __init__(self, places: dict[str, str], *, awaited: bool) -> None:
        self.places = places
        """Addresses and keys by name, see `tests/vendor/test_memsy.py`."""
        self.awaited = awaited
        self.called: set[str] = set()
        self._opened: list[Any] = []
        self.data = self.data_client(places["url"] + "/v1", places["key"])
        self.control = self.control_client(places["url"] + "/api", places["key"])

    def data_client(self, base_url: str, key: str, **options: Any) -> Any:
        kind = memsy.AsyncMemsyClient if self.awaited else memsy.MemsyClient
        return self._keep(kind(base_url=base_url, api_key=key, **options))

    def control_client(self, base_url: str, key: str, **options: Any) -> Any:
        kind = memsy.AsyncMemsyControlClient if self.awaited else memsy.MemsyControlClient
        return self._keep(kind(base_url=base_url, api_key=key, **options))

    def id(self, name: str) -> str:
        """An id of this version's and colour's own, since all talk to one server."""
        return f"{VERSION}{'a' if self.awaited else 's'}-{name}"

    def event(self, content: str, **fields: Any) -> Any:
        """An event of ann's in a session, both this colour's own unless given."""
        given = {"actor_id": self.id("ann"), "session_id": self.id("talk"), "kind": "user_message"} | fields
        return memsy.EventPayload(content=content, **given)

    async def __call__(self, thing: Any, name: str, /, *args: Any, **options: Any) -> Any:
        """The answer of `thing.name(...)`."""
        self.called.add(f"{type(thing).__name__}.{name}")
        answer = getattr(thing, name)(*args, **options)
        return await answer if self.awaited else answer

    async def refusal(self, thing: Any, name: str, /, *args: Any, **options: Any) -> dict[str, Any] | None:
        """The error the client makes of the server's answer, with everything it carries; None when there is none."""
        try:
            await self(thing, name, *args, **options)
        except memsy.MemsyAPIError as error:
            carried = {name: getattr(error, name) for name in SPOKEN if getattr(error, name, None) is not None}
            return {"error": type(error).__name__, "status": error.status_code, "code": error.error_code} | carried
        except memsy.MemsyError as error:
            return {"error": type(error).__name__}
        return None

    async def processed(self, event_ids: list[str]) -> Any:
        """The status of events, once none is pending."""
        return await until(lambda: self(self.data, "status", event_ids), lambda status: not status.pending_ids)

    async def say(self, *contents: str, **fields: Any) -> list[str]:
        """Send one event per content and wait until they are memories; returns their ids."""
        events = [self.event(content, **fields) for content in contents]
        ids: list[str] = (await self(self.data, "ingest", events)).event_ids
        await self.processed(ids)
        return ids

    async def close(self) -> None:
        for client in self._opened:
            closed = client.close()
            if self.awaited:
                await closed

    def _keep(self, client: Any) -> Any:
        self._opened.append(client)
        return client


async def until(look: Callable[[], Awaitable[T]], arrived: Callable[[T], bool]) -> T:
    """The first look that satisfies `arrived`, or the last one before patience ran out."""
    ends = time.monotonic() + PATIENCE_SECONDS
    seen = await look()
    while not arrived(seen) and time.monotonic() < ends:
        await asyncio.sleep(0.05)
        seen = await look()
    return seen
