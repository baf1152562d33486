"""Ids packed: a UUID in its usual spelling takes 16 bytes, any other string is kept beside them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

_CHARS = 36
_HYPHENS = (8, 13, 18, 23)
_DIGITS = np.array([place for place in range(_CHARS) if place not in _HYPHENS])
_HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Ids(Sequence[str]):
    """n ids; `others` holds those that are no UUID by their place. Each is spelt when it is asked for."""

    packed: NDArray[np.uint8]
    others: Mapping[int, str]

    def __len__(self) -> int:
        return len(self.packed)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> "Ids": ...
    def __getitem__(self, place: int | slice) -> "str | Ids":
        if isinstance(place, slice):
            return self.taken(np.arange(len(self))[place])
        other = self.others.get(place if place >= 0 else place + len(self))
        return _usual(self.packed[place].tobytes()) if other is None else other

    def __iter__(self) -> Iterator[str]:
        return iter(self.at(np.arange(len(self))))

    @property
    def size_bytes(self) -> int:
        return self.packed.nbytes + sum(200 + len(other) for other in self.others.values())

    def at(self, places: NDArray[np.intp]) -> list[str]:
        """The ids at these places, as they were given."""
        found: list[str] = _spelt(self.packed[places])
        if self.others:
            found = [self.others.get(int(place), usual) for place, usual in zip(places, found, strict=True)]
        return found

    def taken(self, places: NDArray[np.intp]) -> "Ids":
        """Only these places, in this order."""
        others = {}
        if self.others:
            others = {i: self.others[place] for i, place in enumerate(places.tolist()) if place in self.others}
        return Ids(self.packed[places], others)


def packed_ids(ids: Sequence[str]) -> Ids:
    packed = bytearray()
    others: dict[int, str] = {}
    for place, text in enumerate(ids):
        number = _bytes_of(text)
        if number is None:
            others[place] = text
        packed += number or bytes(16)
    return Ids(np.frombuffer(bytes(packed), dtype=np.uint8).reshape(-1, 16), others)


def joined_ids(parts: Sequence[Ids]) -> Ids:
    others: dict[int, str] = {}
    before = 0
    for part in parts:
        others |= {place + before: other for place, other in part.others.items()}
        before += len(part)
    return Ids(np.concatenate([part.packed for part in parts]), others)


def _bytes_of(text: str) -> bytes | None:
    """The bytes of a UUID that is spelt as `_spelt` would spell it."""
    if len(text) != _CHARS:
        return None
    try:
        number = bytes.fromhex(text.replace("-", ""))
    except ValueError:
        return None
    return number if len(number) == 16 and _usual(number) == text else None


def _usual(number: bytes) -> str:
    digits = number.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _spelt(packed: NDArray[np.uint8]) -> list[str]:
    chars = np.full((len(packed), _CHARS), ord("-"), dtype=np.uint8)
    chars[:, _DIGITS[0::2]] = _HEX[packed >> 4]
    chars[:, _DIGITS[1::2]] = _HEX[packed & 15]
    spelt: list[str] = chars.view(f"S{_CHARS}").ravel().astype(str).tolist()
    return spelt
