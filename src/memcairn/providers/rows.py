"""Rows of numbers that can be compared: of one length, and finite."""

import numpy as np
from numpy.typing import NDArray


def unit_rows(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Each row scaled to length 1; rows that are not finite, or zero, become zero."""
    clean = np.where(np.isfinite(vectors).all(axis=1, keepdims=True), vectors, 0.0).astype(np.float64)
    lengths = np.linalg.norm(clean, axis=1, keepdims=True)
    scaled: NDArray[np.float64] = np.divide(clean, lengths, out=np.zeros_like(clean), where=lengths > 0)
    return scaled.astype(np.float32)
