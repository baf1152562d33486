"""What every neural embedder has in common: batches, checks of what comes back, and known questions.

A model is believed row by row. A row that is missing, has another width, is not finite or is zero stands for nothing;
it is asked for once more, alone, and otherwise left to be tried again later. Rows that cannot be told apart (another
number of them than of texts) are all asked for again, one by one: no text ever gets the vector of another.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from memcairn.domain.errors import Unavailable
from memcairn.providers.rows import unit_rows
from memcairn.providers.texts import as_input

MAX_CHARS = 8_000
"""Behind this, a text is cut: what most models read at most, about 2,000 tokens. Memories come in shorter segments."""

KNOWN_QUERIES = 1_000
"""Query vectors kept, the most recently asked ones: at 1,536 numbers each, 6 MB."""

PAUSE_SECONDS = 5.0
"""How long questions do without vectors after the source failed one, or batches after a batch, if that took no longer
itself: each would else wait for its own timeout, and everything behind it as well."""

log = logging.getLogger(__name__)

Row = NDArray[np.floating] | None
OnCall = Callable[[float, bool], None]
"""Told of each call of the source: its seconds, and whether it failed."""


class VectorSource(Protocol):
    """A model somewhere, believed in nothing."""

    def vectors(self, texts: Sequence[str], *, query: bool) -> Sequence[Row]:
        """One row per text, in order; None where the model gave none.

        An answer whose rows cannot be matched to the texts comes back with another length. Raises Unavailable.
        """
        ...


class CheckedEmbedder:
    """An embedder on a source; safe to share between threads."""

    covers_all = True
    at_hand = False

    def __init__(
        self,
        source: VectorSource,
        *,
        model: str,
        dimensions: int,
        batch_size: int = 64,
        on_call: OnCall = lambda _seconds, _failed: None,
    ) -> None:
        self.model = model
        self.dimensions = dimensions
        self._source = source
        self._batch_size = batch_size
        self._on_call = on_call
        self._queries: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._lock = threading.Lock()
        self._paused_until = {True: float("-inf"), False: float("-inf")}

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        # Texts of like length together: a batch is padded to its longest.
        rows = sorted((row for row, text in enumerate(texts) if text.strip()), key=lambda row: len(texts[row]))
        for start in range(0, len(rows), self._batch_size):
            batch = rows[start : start + self._batch_size]
            vectors[batch] = self._believed([as_input(texts[row], MAX_CHARS) for row in batch])
        return vectors

    def embed_query(self, text: str) -> NDArray[np.float32]:
        asked = as_input(text, MAX_CHARS)
        known = self._known(asked)
        if known is not None:
            return known
        if not asked.strip():
            return np.zeros(self.dimensions, dtype=np.float32)
        vector: NDArray[np.float32] = self._usable(self._asked([asked], query=True), 1)[0]
        if vector.any():
            self._keep(asked, vector)
        return vector

    def _believed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = self._usable(self._asked(texts, query=False), len(texts))
        doubtful: list[int] = np.flatnonzero(~vectors.any(axis=1)).tolist()
        for row in doubtful if len(texts) > 1 else ():
            vectors[row] = self._usable(self._asked([texts[row]], query=False), 1)[0]
        rejected = int(np.count_nonzero(~vectors.any(axis=1)))
        if rejected:
            log.warning(
                "vectors were rejected; their texts are found by words until another try succeeds",
                extra={"model": self.model, "rejected": rejected, "texts": len(texts)},
            )
        return vectors

    def _asked(self, texts: Sequence[str], *, query: bool) -> Sequence[Row]:
        if time.monotonic() < self._paused_until[query]:
            raise Unavailable(
                "The embedder failed a moment ago and is given a rest.",
                code="embedder_unavailable",
                retry_after_seconds=PAUSE_SECONDS,
            )
        started = time.perf_counter()
        try:
            rows = self._source.vectors(texts, query=query)
        except Unavailable:
            waited = time.perf_counter() - started
            self._paused_until[query] = time.monotonic() + max(PAUSE_SECONDS, waited)
            self._on_call(waited, True)
            raise
        self._on_call(time.perf_counter() - started, len(rows) != len(texts))
        return rows

    def _usable(self, rows: Sequence[Row], wanted: int) -> NDArray[np.float32]:
        """The rows at length 1; zeros for each that is not to be believed, for all if their number is wrong."""
        vectors = np.zeros((wanted, self.dimensions), dtype=np.float32)
        if len(rows) != wanted:
            return vectors
        good = [number for number, row in enumerate(rows) if row is not None and row.shape == (self.dimensions,)]
        if good:
            vectors[good] = unit_rows(np.stack([np.asarray(rows[number], dtype=np.float64) for number in good]))
        return vectors

    def _known(self, text: str) -> NDArray[np.float32] | None:
        with self._lock:
            vector = self._queries.get(text)
            if vector is not None:
                self._queries.move_to_end(text)
            return vector

    def _keep(self, text: str, vector: NDArray[np.float32]) -> None:
        vector.flags.writeable = False  # one array for everybody who asks the same
        with self._lock:
            self._queries[text] = vector
            while len(self._queries) > KNOWN_QUERIES:
                self._queries.popitem(last=False)


def width_of(source: VectorSource) -> int:
    """How many numbers a vector of this source has, found out by asking for one; Unavailable if none is usable."""
    rows = source.vectors(["width"], query=False)
    row = rows[0] if len(rows) == 1 else None
    if row is None or row.ndim != 1 or not len(row) or not unit_rows(row[None]).any():
        raise Unavailable(
            "The embedder answered a first text without a usable vector. Check that MEMCAIRN_EMBEDDER names a model "
            "for embeddings.",
            code="embedder_unusable",
        )
    return len(row)
