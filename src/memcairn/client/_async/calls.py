"""Sends operations, waits, and sends again: the one place of the client that touches the network."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import httpx2

from memcairn.client._local import AsyncLocalTransport
from memcairn.client._operation import Operation, PageOf
from memcairn.client._protocol import Outcome, Outgoing, Reply, Retries, encode, failure, settle
from memcairn.client.errors import InvalidArgument, MemcairnError, ProtocolError

T = TypeVar("T")


class AsyncCalls:
    """Carries operations out over one connection pool, or `local` in its place."""

    def __init__(
        self,
        http: httpx2.AsyncClient,
        retries: Retries,
        sleep: Callable[[float], Awaitable[object]],
        local: AsyncLocalTransport | None = None,
    ) -> None:
        self._http = http
        self._local = local
        self._retries = retries
        self._sleep = sleep
        self._server = f"{http.base_url.scheme}://{http.base_url.netloc.decode()}"

    async def run(self, operation: Operation[T]) -> T:
        """The answer of `operation`, which is sent again as often as the retries allow and as far as that is safe."""
        outgoing = encode(operation)
        attempt = 0
        lost = False
        while True:
            outcome = await self._attempt(operation, outgoing)
            delay = self._retries.delay(operation, outcome, attempt)
            if delay is None:
                return settle(operation, outcome, repeated=lost)
            lost = lost or isinstance(outcome, MemcairnError)
            attempt += 1
            await self._sleep(delay)

    async def items(self, page: Callable[[str | None], Operation[PageOf[T]]]) -> AsyncIterator[T]:
        """The items of all pages, each fetched when the one before is used up; `page` builds the call of a cursor."""
        cursor: str | None = None
        while True:
            answer = await self.run(page(cursor))
            for item in answer.items:
                yield item
            if answer.next_cursor is None:
                return
            if answer.next_cursor == cursor:
                raise ProtocolError("the list does not advance: a page names itself as the next one")
            cursor = answer.next_cursor

    async def lines(self, operation: Operation[None]) -> AsyncIterator[bytes]:
        """The lines of an answer as they arrive; sent again as by `run` until the first one is there, not after it."""
        outgoing = encode(operation)
        attempt = 0
        while True:
            outcome: Outcome
            begun = False
            try:
                async with self._http.stream(outgoing.method, outgoing.url, headers=outgoing.headers) as response:
                    if response.is_success:
                        async for line in response.aiter_lines():
                            begun = True
                            yield line.encode() + b"\n"
                        return
                    outcome = Reply(response.status_code, response.headers, await response.aread())
            except httpx2.RequestError as error:
                outcome = failure(error, operation, self._server)
            delay = None if begun else self._retries.delay(operation, outcome, attempt)
            if delay is None:
                settle(operation, outcome, repeated=False)
                return
            attempt += 1
            await self._sleep(delay)

    async def _attempt(self, operation: Operation[T], outgoing: Outgoing) -> Outcome:
        try:
            # A closed client is left to say so itself, as it does over the network.
            if self._local is not None and not self._http.is_closed:
                return await self._local.reply(outgoing, self._http.headers, self._http.timeout.read)
            response = await self._http.request(
                outgoing.method, outgoing.url, headers=outgoing.headers, content=outgoing.content
            )
        except httpx2.RequestError as error:
            return failure(error, operation, self._server)
        except httpx2.InvalidURL as error:
            raise InvalidArgument(f"the call does not fit into a URL: {error}") from None
        return Reply(response.status_code, response.headers, response.content)
