"""Vectors in a quarter and a sixteenth of their size: 8 bits a dimension to weigh by, one bit to pass over most rows.

The sign bits order vectors roughly by angle (Charikar 2002): rows are passed over by counting differing bits, and what
is left is compared by the 8-bit codes, whose cosines are within 0.002 of the exact ones for unit vectors.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memcairn.domain.products import along_all
from memcairn.store.index.pools import vectors_of

_LEVELS = 127
FAR = np.uint16(0xFFFF)
"""The distance of a row without a vector."""

Floats = NDArray[np.float32]
Slots = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Codes:
    """n vectors: `levels[i] * scales[i]` is about vector i; a scale of 0 means none. `bits` is words x n."""

    levels: NDArray[np.int8]
    scales: Floats
    bits: NDArray[np.uint64]

    @property
    def size_bytes(self) -> int:
        return self.levels.nbytes + self.scales.nbytes + self.bits.nbytes

    def vectors(self, slots: Slots) -> Floats:
        """The vectors of these slots, as far as they are known; zeros where there is none."""
        found: Floats = self.levels[slots].astype(np.float32) * self.scales[slots, None]
        return found

    def cosines(self, slots: Slots, wanted: Floats) -> Floats:
        return along_all(self.levels[slots].astype(np.float32), wanted) * self.scales[slots]

    def distances(self, wanted: NDArray[np.uint64]) -> NDArray[np.uint16]:
        """In how many dimensions the sign differs from that of the wanted vector; FAR where there is none."""
        total = np.zeros(len(self.scales), dtype=np.uint16)
        for word, asked in zip(self.bits, wanted, strict=True):
            total += np.bitwise_count(word ^ asked)
        total[self.scales == 0] = FAR
        return total

    def taken(self, slots: Slots) -> "Codes":
        """Only these slots, in this order."""
        return Codes(self.levels[slots], self.scales[slots], np.ascontiguousarray(self.bits[:, slots]))


def codes_of(rows: Sequence[Any], *, model: str, dimensions: int) -> Codes:
    """The codes of the vectors of index rows; one of another model or width counts as missing."""
    vectors = vectors_of(rows, model=model, dimensions=dimensions)
    scales = (np.abs(vectors).max(axis=1, initial=0.0) / _LEVELS).astype(np.float32)
    levels = np.rint(vectors / np.where(scales > 0, scales, 1)[:, None]).astype(np.int8)
    return Codes(levels, scales, sign_bits(vectors))


def sign_bits(vectors: Floats) -> NDArray[np.uint64]:
    """One bit a dimension, 64 to a word; words x n."""
    packed = np.packbits(vectors > 0, axis=1)
    padded = np.zeros((len(vectors), -(-packed.shape[1] // 8) * 8), dtype=np.uint8)
    padded[:, : packed.shape[1]] = packed
    return np.ascontiguousarray(padded.view(np.uint64).T)


def joined_codes(first: Codes, second: Codes) -> Codes:
    return Codes(
        np.concatenate([first.levels, second.levels]),
        np.concatenate([first.scales, second.scales]),
        np.concatenate([first.bits, second.bits], axis=1),
    )


def replaced_codes(codes: Codes, slots: Slots, now: Codes) -> Codes:
    """The codes with those of `slots` replaced."""
    levels, scales, bits = codes.levels.copy(), codes.scales.copy(), codes.bits.copy()
    levels[slots], scales[slots], bits[:, slots] = now.levels, now.scales, now.bits
    return Codes(levels, scales, bits)
