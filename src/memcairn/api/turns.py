"""Turns: while several keys ask at once, none of them fills the server, and none waits behind another one's flood."""

import asyncio
import time
from collections import OrderedDict, deque
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from memcairn.api import health, problems
from memcairn.observability.metrics import Metrics

AT_ONCE = 3
"""Requests carried out at once while several keys ask: a few, so that who comes next is soon served."""
AT_LEAST = 2
"""Of one key, however many others ask: one can be computed while the other waits for the disk."""
LATELY_SECONDS = 2.0
"""After its last request a key counts for this long: what it asks next finds no queue before it."""
LONGEST_TURN_SECONDS = 1.0
"""A request under way for longer waits for something else than the processor, and holds up nobody of its key."""


@dataclass(slots=True, eq=False)
class _Asker:
    """One key, or all requests without one."""

    running: int = 0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)
    asked_at: float = 0.0


class Turns:
    """ASGI middleware. One key alone is never held back; of several, each lines up behind itself when there is no room.

    A key whose line is full is answered 503 with `Retry-After`, and the others are not. Keys are told apart by the
    header as it came: whether it opens anything is asked when its turn has come.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, longest_line: int, retry_after_seconds: int = 1) -> None:
        self.app = app
        self.metrics = metrics
        self.longest_line = longest_line
        self.retry_after_seconds = retry_after_seconds
        self._askers: OrderedDict[int, _Asker] = OrderedDict()
        self._lines: deque[_Asker] = deque()
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in health.PATHS:
            await self.app(scope, receive, send)
            return
        asker = self._asker(Headers(scope=scope))
        if self._may_run(asker) and not asker.waiting:
            self._begin(asker)
        elif len(asker.waiting) >= self.longest_line:
            await self._refuse(scope, receive, send)
            return
        else:
            await self._wait(asker)
        turn = _Turn(self, asker)
        try:
            await self.app(scope, receive, send)
        finally:
            turn.end()

    def _asker(self, headers: Headers) -> _Asker:
        """Whoever asks, noted as having asked just now; who has not done so lately is forgotten."""
        name = hash((headers.get("authorization"), headers.get("x-api-key")))
        asker = self._askers.setdefault(name, _Asker())
        asker.asked_at = time.monotonic()
        self._askers.move_to_end(name)
        self._forget_silent(asker.asked_at)
        return asker

    def _forget_silent(self, now: float) -> None:
        while True:
            name, oldest = next(iter(self._askers.items()))
            if now - oldest.asked_at <= LATELY_SECONDS:
                return
            if oldest.running or oldest.waiting:
                oldest.asked_at = now
                self._askers.move_to_end(name)
            else:
                del self._askers[name]

    def _may_run(self, asker: _Asker) -> bool:
        """What others leave free may be used; AT_LEAST is never denied."""
        return len(self._askers) == 1 or asker.running < AT_LEAST or self._running < AT_ONCE

    def _begin(self, asker: _Asker) -> None:
        asker.running += 1
        self._running += 1

    async def _wait(self, asker: _Asker) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not asker.waiting:
            self._lines.append(asker)
        asker.waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn not in asker.waiting:
                self.give_back(asker)
            else:
                asker.waiting.remove(turn)
                if not asker.waiting:
                    self._lines.remove(asker)
            raise

    def give_back(self, asker: _Asker) -> None:
        """End a turn, and hand out as many of the next ones as there is room for, to one line after the other."""
        asker.running -= 1
        self._running -= 1
        passed_over = 0
        while passed_over < len(self._lines):
            first = self._lines.popleft()
            passed_over += 1
            if self._may_run(first):
                self._begin(first)  # before it goes on, so that nobody slips in between
                first.waiting.popleft().set_result(None)
                passed_over = 0
            if first.waiting:
                self._lines.append(first)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.metrics.request_refused("busy")
        detail = (
            f"{self.longest_line} requests of this key wait for their turn, while others ask too; try again shortly."
        )
        headers = {"Retry-After": str(self.retry_after_seconds)}
        await problems.problem(503, detail, headers=headers)(scope, receive, send)


class _Turn:
    """The right to be carried out, given back once: at the end, or when it took too long to count."""

    def __init__(self, turns: Turns, asker: _Asker) -> None:
        self._turns, self._asker = turns, asker
        self._ended = False
        self._timer = asyncio.get_running_loop().call_later(LONGEST_TURN_SECONDS, self._give_back)

    def end(self) -> None:
        self._timer.cancel()
        self._give_back()

    def _give_back(self) -> None:
        if not self._ended:
            self._ended = True
            self._turns.give_back(self._asker)
