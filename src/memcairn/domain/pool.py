"""The features ranking reads: one row per indexed segment of a memory, as parallel arrays.

The index builds a pool from the rows a search may see; ranking never touches the database. Rows are ordered by
session, then position, then segment, so neighbours in a conversation are neighbours in the arrays.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntFlag
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")


class Trait(IntFlag):
    """What the words of a segment look like, found once when it is indexed."""

    QUESTION = 1
    HAS_TIME = 2
    HAS_NUMBER = 4
    HAS_LIST = 8
    SHORT = 16
    TYPED = 32
    """A typed memory (preference, fact, …) standing beside the verbatim one of the same event."""
    OUTDATED = 64
    """What it says has been superseded since."""
    BY_ASSISTANT = 128
    PENDING = 256
    """The raw text of an event that has not been processed yet."""
    STANDING = 512
    """Sounds like a wish or a rule that holds from then on: "always", "I prefer", "from now on"."""
    PERSONAL = 1024
    """The speaker speaks of themselves: "I", "my", "we"."""
    REMARK = 2048
    """Speaks to the other side only ("you", "your"), as comments and compliments do."""
    LOW_TRUST = 4096
    HIGH_TRUST = 8192


@dataclass(frozen=True, slots=True)
class Pool:
    """Parallel arrays of n rows; `offsets` has n + 1 entries into `term_ids`; codes are indexes into the name lists."""

    memory_ids: Sequence[str]
    segments: NDArray[np.int32]
    sources: Sequence[str]
    """The first source event of each row: rows that share it say the same thing in two forms."""
    sessions: NDArray[np.int32]
    session_ids: list[str]
    positions: NDArray[np.int64]
    speakers: NDArray[np.int32]
    speaker_names: list[str]
    occurred_at: NDArray[np.int64]
    """Unix seconds of when it was said."""
    traits: NDArray[np.int32]
    kinds: NDArray[np.int32]
    kind_names: list[str]
    types: NDArray[np.int32]
    type_names: list[str]
    term_ids: NDArray[np.uint32]
    """Analysed words of every row in reading order, one after another (`store.index.analysis`)."""
    offsets: NDArray[np.int64]
    vectors: NDArray[np.float32]
    """Unit length, one per row; a row of zeros has no vector (yet) and takes part by its words alone."""
    _derived: dict[object, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.memory_ids)

    def once(self, derive: Callable[["Pool"], T]) -> T:
        """What `derive` makes of this pool, kept with it: a pool that is searched again is read once.

        Threads that ask at the same time may each derive it; any of the results is kept.
        """
        if derive not in self._derived:
            self._derived[derive] = derive(self)
        found: T = self._derived[derive]
        return found

    def later(self, derive: Callable[["Pool"], T], *, from_time: int) -> T | None:
        """The same for what pays only in a pool that is asked again and again; None before it is asked so often."""
        asked = self._derived[derive, "asked"] = self._derived.get((derive, "asked"), 0) + 1
        return self.once(derive) if asked >= from_time else None
