"""No embedder, for commands that keep house and embed nothing: loading a model or asking an endpoint would be waste."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from memcairn.domain.errors import Unavailable


class AbsentEmbedder:
    """Refuses to embed anything."""

    model = "none"
    dimensions = 1
    covers_all = True
    at_hand = True

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        raise Unavailable(f"There is no embedder here, and {len(texts)} texts to embed.", code="embedder_unavailable")

    def embed_query(self, text: str) -> NDArray[np.float32]:
        return self.embed([text])
