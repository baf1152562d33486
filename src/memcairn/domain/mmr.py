"""Maximal marginal relevance: results that are near the question and unlike each other (Carbonell & Goldstein 1998)."""

import numpy as np
from numpy.typing import NDArray

DEFAULT_WEIGHT = 0.5
FACTOR = 2
MIN_CANDIDATES = 10


def candidates_for(limit: int) -> int:
    """How many of the nearest rows a choice of `limit` is made from."""
    return max(FACTOR * limit, MIN_CANDIDATES)


def mmr(query_vec: NDArray[np.float32], vectors: NDArray[np.float32], *, weight: float, limit: int) -> list[int]:
    """Indexes of at most `limit` rows of `vectors` in the order they are chosen.

    The first is the nearest; each next one has the largest `weight` x its similarity to the question - (1 - `weight`)
    x its similarity to the nearest one chosen. Rows and question have unit length. Equals are taken in their order.
    """
    if limit < 1 or not len(vectors):
        return []
    relevance = vectors @ query_vec
    chosen = [int(np.argmax(relevance))]
    redundancy = vectors @ vectors[chosen[0]]
    while len(chosen) < min(limit, len(vectors)):
        worth = weight * relevance - (1 - weight) * redundancy
        worth[chosen] = -np.inf
        best = int(np.argmax(worth))
        chosen.append(best)
        redundancy = np.maximum(redundancy, vectors @ vectors[best])
    return chosen
