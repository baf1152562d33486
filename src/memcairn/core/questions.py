"""What a search asks the embedder, and how it goes on without an answer."""

import logging

import numpy as np
from numpy.typing import NDArray

from memcairn.core.deps import Deps
from memcairn.domain.errors import Unavailable

log = logging.getLogger(__name__)


def question_vector(deps: Deps, text: str) -> NDArray[np.float32] | None:
    """The vector of a question; None when the embedder has none for it, or cannot be asked now: words are left then.

    Blocking.
    """
    try:
        vector = deps.embedder.embed_query(text)
    except Unavailable as error:
        log.warning("a search went on by words alone", extra={"code": error.code})
        return None
    return vector if vector.any() else None
