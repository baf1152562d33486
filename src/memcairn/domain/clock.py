"""Where the time comes from, so that tests can set it."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

JUMP = timedelta(minutes=1)
"""A clock that runs ahead by more than this between two looks was set, not corrected."""


class Clock(Protocol):
    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class FrozenClock:
    """A clock that moves only when told to."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._now = start

    def now(self) -> datetime:
        return self._now

    def advance(self, delta: timedelta) -> None:
        self._now += delta


def steady_seconds() -> float:
    """Seconds that pass evenly whatever the clock is set to, and while the machine sleeps where it can tell."""
    counts_sleep = getattr(time, "CLOCK_BOOTTIME", None)  # Linux alone has it
    return time.monotonic() if counts_sleep is None else time.clock_gettime(counts_sleep)


class Retention:
    """Whether what a clock calls old has really been kept so long: a clock that is set forward ages everything at once.

    After such a jump nothing counts as old until the whole span has passed anew.
    """

    def __init__(self, clock: Clock, *, steady: Callable[[], float] = steady_seconds) -> None:
        self._clock = clock
        self._steady = steady
        self._last = (clock.now(), steady())
        self._doubtful_until = float("-inf")

    def can_tell(self, span: timedelta) -> bool:
        """Whether things that look older than `span` are; jumps are noticed between one call and the next."""
        now, at = self._clock.now(), self._steady()
        passed = timedelta(seconds=at - self._last[1])
        if now - self._last[0] - passed > JUMP:
            self._doubtful_until = at + span.total_seconds()
        self._last = (now, at)
        return at >= self._doubtful_until
