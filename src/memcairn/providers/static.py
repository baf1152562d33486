"""The default embedder: static word vectors shipped inside the `wordllama` wheel. Offline, no key, no download."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from memcairn.providers.quiet_import import import_quietly

wordllama = import_quietly("wordllama")

_MAX_CHARS = 4_000
"""A mean over more words than this says less, not more; longer texts are indexed in segments anyway."""


class StaticEmbedder:
    """Mean of 256-dimensional word vectors (wordllama `l2_supercat`, MIT): about 50,000 short texts a second."""

    model = "wordllama:l2_supercat_256"
    dimensions = 256

    def __init__(self) -> None:
        folder = Path(str(wordllama.__file__)).parent
        self._words = wordllama.WordLlama.load(cache_dir=folder, dim=self.dimensions, disable_download=True)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if not texts:
            return np.zeros((0, self.dimensions), dtype=np.float32)
        vectors = np.asarray(self._words.embed([text[:_MAX_CHARS] for text in texts]), dtype=np.float32)
        return unit_rows(vectors)


def unit_rows(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each row scaled to length 1; rows that are not finite, or zero, become zero."""
    clean = np.where(np.isfinite(vectors).all(axis=1, keepdims=True), vectors, 0.0)
    lengths = np.linalg.norm(clean, axis=1, keepdims=True)
    scaled: NDArray[np.float32] = np.divide(clean, lengths, out=np.zeros_like(clean), where=lengths > 0)
    return scaled.astype(np.float32, copy=False)
