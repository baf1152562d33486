"""Words of like meaning, from the word vectors that are in the package: "doctor" is near "medicine" and "hospital"."""

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from memcairn.domain.products import along_all
from memcairn.providers.base import Related
from memcairn.providers.rows import unit_row, unit_rows
from memcairn.providers.static import StaticEmbedder

LEAST_LIKENESS = 0.4
MOST_RELATED = 15
"""Fitted with the weights of the signals that rest on them: nearer ones alone, or twice as many, find less."""

MIN_CHARS = 4
"""Shorter entries of the vocabulary are pieces of words more often than words."""

TABLE = Path(__file__).parent / "related_words.npz"
"""Made by `python -m tools.related_words`."""

NONE = np.uint16(65_535)
"""In a table: nothing follows in this row."""

_REMEMBERED_WORDS = 20_000


@dataclass(frozen=True, slots=True)
class RelatedWords:
    """What would be found for common words, looked up before: to find it anew takes about 0.4 ms a word.

    Words go by their numbers in the vocabulary. `rows` has MOST_RELATED of them for each of the `asked` words, nearest
    first, filled up with NONE. `vectors_digest` says which vectors they were found by.
    """

    asked: NDArray[np.uint16]
    rows: NDArray[np.uint16]
    vectors_digest: str

    @classmethod
    def load(cls, path: Path = TABLE) -> Self:
        with np.load(path) as held:
            return cls(held["asked"], held["rows"], str(held["vectors_digest"]))

    def save(self, path: Path = TABLE) -> None:
        np.savez_compressed(path, asked=self.asked, rows=self.rows, vectors_digest=self.vectors_digest)


class StaticThesaurus:
    """Some 10,000 words of several languages; one asked for need not be among them. Safe to share between threads.

    A `table` found by other vectors than the embedder's is not used.
    """

    def __init__(self, embedder: StaticEmbedder, table: RelatedWords | None = None) -> None:
        self._words, vectors = embedder.vocabulary(min_chars=MIN_CHARS)
        # What all words share tells none apart (Mu and Viswanath 2018).
        self._shared = vectors.mean(axis=0)
        self._vectors = unit_rows(vectors - self._shared)
        self._embedder = embedder
        self._digest = _digest_of(self._words, vectors)
        self._table: dict[str, tuple[int, NDArray[np.uint16]]] = {}
        if table is not None and table.vectors_digest == self._digest:
            asked = table.asked.tolist()
            self._table = {self._words[at]: (at, row) for at, row in zip(asked, table.rows, strict=True)}
        self.related = functools.lru_cache(_REMEMBERED_WORDS)(self._related)

    def _related(self, word: str) -> Sequence[Related]:
        if not word.isalpha():
            return ()
        if word in self._table:
            at, row = self._table[word]
            vector, nearest = self._vectors[at], row[row != NONE]
        else:
            vector = self._vector_of(word)
            nearest = self._nearest(word, vector)
        likeness = along_all(self._vectors[nearest], vector).tolist()
        return tuple(Related(self._words[at], like) for at, like in zip(nearest.tolist(), likeness, strict=True))

    def _vector_of(self, word: str) -> NDArray[np.float32]:
        return unit_row(self._embedder.raw([word])[0] - self._shared)

    def _nearest(self, word: str, vector: NDArray[np.float32]) -> NDArray[np.uint16]:
        """The numbers of the words nearest to it, nearest first, without itself."""
        likeness = along_all(self._vectors, vector)
        # Sorting all words took longer than everything else: only the few near ones are put in order.
        alike = np.flatnonzero(likeness >= LEAST_LIKENESS)
        nearest = alike[np.argsort(-likeness[alike], kind="stable")][: MOST_RELATED + 1]
        others = [at for at in nearest.tolist() if self._words[at] != word]
        return np.array(others[:MOST_RELATED], dtype=np.uint16)

    def table(self) -> RelatedWords:
        """What a table for these vectors holds: every word whose vector is its own. Takes seconds."""
        asked, rows = [], []
        for at, word in enumerate(self._words):
            vector = self._vector_of(word)
            if np.allclose(vector, self._vectors[at], atol=1e-5):
                found = self._nearest(word, vector)
                asked.append(at)
                rows.append(np.pad(found, (0, MOST_RELATED - len(found)), constant_values=NONE))
        return RelatedWords(np.array(asked, dtype=np.uint16), np.array(rows), self._digest)


def _digest_of(words: Sequence[str], vectors: NDArray[np.float32]) -> str:
    digest = hashlib.sha256("\n".join(words).encode())
    digest.update(vectors.tobytes())
    return digest.hexdigest()
