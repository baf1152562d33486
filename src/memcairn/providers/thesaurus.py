"""Words of like meaning, from the word vectors that are in the package: "doctor" is near "medicine" and "hospital"."""

import functools
from collections.abc import Sequence

import numpy as np

from memcairn.domain.products import along_all
from memcairn.providers.base import Related
from memcairn.providers.rows import unit_rows
from memcairn.providers.static import StaticEmbedder

LEAST_LIKENESS = 0.4
MOST_RELATED = 15
"""Fitted with the weights of the signals that rest on them: nearer ones alone, or twice as many, find less."""

MIN_CHARS = 4
"""Shorter entries of the vocabulary are pieces of words more often than words."""

_REMEMBERED_WORDS = 20_000


class StaticThesaurus:
    """Some 10,000 words of several languages; one asked for need not be among them. Safe to share between threads."""

    def __init__(self, embedder: StaticEmbedder) -> None:
        self._words, vectors = embedder.vocabulary(min_chars=MIN_CHARS)
        # What all words share tells none apart (Mu and Viswanath 2018).
        self._shared = vectors.mean(axis=0)
        self._vectors = unit_rows(vectors - self._shared)
        self._embedder = embedder
        self.related = functools.lru_cache(_REMEMBERED_WORDS)(self._related)

    def _related(self, word: str) -> Sequence[Related]:
        if not word.isalpha():
            return ()
        [vector] = unit_rows(self._embedder.raw([word]) - self._shared)
        likeness = along_all(self._vectors, vector)
        # Sorting all words took longer than everything else: only the few near ones are put in order.
        alike = np.flatnonzero(likeness >= LEAST_LIKENESS)
        nearest = alike[np.argsort(-likeness[alike], kind="stable")][: MOST_RELATED + 1]
        near = [(self._words[at], float(likeness[at])) for at in nearest]
        return tuple(Related(other, like) for other, like in near if other != word)[:MOST_RELATED]
