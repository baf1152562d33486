"""The default embedder: static word vectors shipped inside the `wordllama` wheel. Offline, no key, no download."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from memcairn.providers.quiet_import import import_quietly
from memcairn.providers.rows import unit_row, unit_rows
from memcairn.providers.texts import as_input

wordllama = import_quietly("wordllama")

_MAX_CHARS = 4_000
"""A mean over more words than this says less, not more; longer texts are indexed in segments anyway."""

_OPENS_WORD = "\N{LOWER ONE EIGHTH BLOCK}"
"""How the tokenizer (SentencePiece) marks a token that begins a word."""


class StaticEmbedder:
    """Mean of 256-dimensional word vectors (wordllama `l2_supercat`, MIT): about 50,000 short texts a second."""

    model = "wordllama:l2_supercat_256"
    dimensions = 256
    covers_all = False
    at_hand = True

    def __init__(self) -> None:
        folder = Path(str(wordllama.__file__)).parent
        self._words = wordllama.WordLlama.load(cache_dir=folder, dim=self.dimensions, disable_download=True)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if not texts:
            return np.zeros((0, self.dimensions), dtype=np.float32)
        vectors = self.raw([as_input(text, _MAX_CHARS) for text in texts])
        vectors[[row for row, text in enumerate(texts) if not text.strip()]] = 0  # white space has a vector of its own
        return unit_rows(vectors)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        if not text.strip():
            return np.zeros(self.dimensions, dtype=np.float32)
        return unit_row(self._raw_of_one(as_input(text, _MAX_CHARS)))

    def raw(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The plain mean of the vectors of each text's words, of any length; zero for a text without any."""
        if len(texts) == 1:
            return self._raw_of_one(texts[0])[np.newaxis]
        return np.asarray(self._words.embed(list(texts)), dtype=np.float32)

    def _raw_of_one(self, text: str) -> NDArray[np.float32]:
        # The library hands even a single text to other threads, which have to be woken up: 0.1 ms.
        tokens = self._words.tokenizer.encode(text, add_special_tokens=False).ids
        if not tokens:
            return np.zeros(self.dimensions, dtype=np.float32)
        vectors = self._words.embedding.take(tokens, axis=0, mode="clip")
        return np.asarray(vectors.mean(axis=0), dtype=np.float32)

    def vocabulary(self, *, min_chars: int) -> tuple[list[str], NDArray[np.float32]]:
        """The whole words it knows of at least so many letters, in small letters, and the vector of each."""
        found: dict[str, int] = {}
        for token, number in self._words.tokenizer.get_vocab().items():
            word = token[1:]
            if token[0] != _OPENS_WORD or not word.isalpha() or len(word) < min_chars:
                continue
            # Of "May" and "may" the one written small is the everyday word.
            if word.islower() or word.lower() not in found:
                found[word.lower()] = number
        words = sorted(found)
        rows = np.asarray(self._words.embedding[[found[word] for word in words]], dtype=np.float32)
        return words, rows
