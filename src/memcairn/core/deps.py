"""What a use-case may ask for: one bundle, made by the composition root."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from memcairn.core.metering import Meter
from memcairn.domain.clock import Clock
from memcairn.domain.promotion import MIN_ACTORS
from memcairn.domain.summaries import WINDOW
from memcairn.domain.tokens import TokenCounter, estimate_tokens
from memcairn.domain.weights import Weights
from memcairn.observability.metrics import Metrics
from memcairn.providers.base import Embedder, NoThesaurus, Reranking, Summariser, Thesaurus
from memcairn.providers.extractive import ExtractiveSummariser
from memcairn.store.database import Database
from memcairn.store.index.base import Index


class Wakeup:
    """A hint to the worker that work was committed; losing it costs a poll interval, nothing else.

    `to_worker` takes it to a worker beside this process, `to_others` to those of other processes on the database; they
    must neither block nor raise.
    """

    def __init__(self) -> None:
        self.to_worker: Callable[[], None] | None = None
        self.to_others: Callable[[], None] | None = None
        self._event = asyncio.Event()
        self._last_two = (float("-inf"), float("-inf"))

    def set(self) -> None:
        """Work was committed here."""
        self.hear()
        if self.to_others is not None:
            self.to_others()

    def hear(self) -> None:
        """Work was committed, and whoever did it has told the others."""
        self._event.set()
        self._last_two = (self._last_two[1], time.monotonic())
        if self.to_worker is not None:
            self.to_worker()

    def pouring(self, within_seconds: float) -> bool:
        """Whether work was committed twice in the last `within_seconds`: writers are in the middle of something."""
        return time.monotonic() - self._last_two[0] < within_seconds

    async def wait(self, timeout_seconds: float) -> None:
        """Return at the next `set`, or after the timeout."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._event.wait()
        except TimeoutError:
            return
        self._event.clear()


@dataclass(frozen=True, slots=True)
class Deps:
    """Everything the core and the pipeline stand on."""

    db: Database
    index: Index
    embedder: Embedder
    clock: Clock
    metrics: Metrics
    weights: Weights = field(default_factory=Weights.default)
    thesaurus: Thesaurus = field(default_factory=NoThesaurus)
    wakeup: Wakeup = field(default_factory=Wakeup)
    count_tokens: TokenCounter = estimate_tokens
    """Blocking when it is not `estimate_tokens`; `core.counting` asks it from the event loop."""
    summariser: Summariser = field(default_factory=ExtractiveSummariser)
    summary_window: int = WINDOW
    """Unsummarised events of a session at which a summary is made."""
    meter: Meter = field(default_factory=Meter)
    keys_per_org: int = 100
    """Usable keys an org may have made for itself."""
    promotion_min_actors: int = MIN_ACTORS
    """Different people who must hold a statement before it rises to their role or team."""
    reranking: Reranking | None = None
    """None: the first ranking is the last."""
