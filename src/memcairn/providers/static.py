"""The default embedder: static word vectors shipped inside the `wordllama` wheel. Offline, no key, no download."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from memcairn.providers.quiet_import import import_quietly
from memcairn.providers.rows import unit_rows
from memcairn.providers.texts import as_input

wordllama = import_quietly("wordllama")

_MAX_CHARS = 4_000
"""A mean over more words than this says less, not more; longer texts are indexed in segments anyway."""


class StaticEmbedder:
    """Mean of 256-dimensional word vectors (wordllama `l2_supercat`, MIT): about 50,000 short texts a second."""

    model = "wordllama:l2_supercat_256"
    dimensions = 256
    covers_all = False

    def __init__(self) -> None:
        folder = Path(str(wordllama.__file__)).parent
        self._words = wordllama.WordLlama.load(cache_dir=folder, dim=self.dimensions, disable_download=True)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if not texts:
            return np.zeros((0, self.dimensions), dtype=np.float32)
        vectors = np.asarray(self._words.embed([as_input(text, _MAX_CHARS) for text in texts]), dtype=np.float32)
        vectors[[row for row, text in enumerate(texts) if not text.strip()]] = 0  # white space has a vector of its own
        return unit_rows(vectors)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        return np.asarray(self.embed([text])[0], dtype=np.float32)
