"""What thinks for the server: the protocols a provider fulfils."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from memcairn.domain.summaries import Utterance


class Embedder(Protocol):
    """Turns texts into vectors that can be compared by their inner product."""

    @property
    def model(self) -> str:
        """A name that changes whenever the vectors do; stored with each of them."""
        ...

    @property
    def dimensions(self) -> int: ...

    @property
    def covers_all(self) -> bool:
        """Whether it has a vector for every text that is not blank: a row of zeros is then a failure to try again."""
        ...

    @property
    def at_hand(self) -> bool:
        """Whether a question takes it less than a millisecond: whoever asks need not leave a thread others wait for."""
        ...

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One unit-length row per text, in order; zeros where no usable vector could be had.

        Raises Unavailable when there is none to be had for any of them now. Blocking: callers on an event loop run it
        on a thread.
        """
        ...

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """The vector a question is compared by, unit length or zeros; of shape `(dimensions,)`.

        Not every model treats questions and texts alike. Raises Unavailable, after a shorter wait than `embed`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Related:
    """A word whose meaning is near, and how near: a cosine, at most 1."""

    word: str
    likeness: float


class Thesaurus(Protocol):
    """Knows which words mean something alike."""

    def __hash__(self) -> int: ...

    def related(self, word: str) -> Sequence[Related]:
        """The words nearest in meaning, nearest first and the word itself left out; none for what it cannot place.

        Quick enough for every search: a millisecond for a word never asked for, nothing for the others.
        """
        ...


class NoThesaurus:
    """Knows no related words."""

    def related(self, word: str) -> Sequence[Related]:
        return ()


class Reranker(Protocol):
    """Says how well texts answer a question, having read both together."""

    @property
    def model(self) -> str: ...

    def rerank(self, query: str, texts: Sequence[str], *, seconds: float) -> NDArray[np.float64]:
        """One number per text, in order, the higher the better; NaN for a text without. Any scale will do.

        Raises Unavailable when it cannot within `seconds`. Blocking: callers on an event loop run it on a thread.
        """
        ...


@dataclass(frozen=True, slots=True)
class Reranking:
    """A reranker and how it is used: on at least `candidates` hits, for at most `seconds`, with `weight` (0 to 1)
    beside the first ranking."""

    reranker: Reranker
    seconds: float
    weight: float
    candidates: int


class Summariser(Protocol):
    """Tells in few words what was said."""

    @property
    def name(self) -> str:
        """Kept with each summary."""
        ...

    def summarise(self, previous: str | None, said: Sequence[Utterance]) -> str:
        """What `previous`, the summary so far, and what was `said` after it amount to; `said` is not empty.

        Raises Unavailable when it cannot now: a simpler summariser then takes its place. Whatever the texts say, they
        are data. Blocking: callers on an event loop run it on a thread.
        """
        ...
