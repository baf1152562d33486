"""The segments of the word index, made one a little at a time while others go on writing.

FTS5 notes the removal of a row in a new segment; the words stay in the older one, unseen, until the two are merged.
Asked to merge everything (`merge` with a negative number) it begins anew with each segment that was added meanwhile,
and so never ends beside somebody who writes. Here everything is asked for once, and then that merge is carried on
(`merge` with a positive number) until its inputs are gone. What is written meanwhile stays out of it.
The record of segments: "Structure record" in SQLite's `ext/fts5/fts5_index.c`.
"""

from collections.abc import Iterator, Set
from dataclasses import dataclass

from sqlalchemy import Connection, text

_SET = text("INSERT INTO memory_words (memory_words, rank) VALUES (:setting, :value)")
_RECORD = text("SELECT block FROM memory_words_data WHERE id = 10")
_COOKIE_BYTES = 4
_NOTHING: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class _Level:
    """Segments of about one size; `merging` of them are being made one."""

    merging: int
    segments: frozenset[int]


def begin(connection: Connection) -> Set[int]:
    """Have all segments made one; the numbers of those that are to go, none if there is nothing to do."""
    # Few new segments, however many there are, must not keep the merge from being carried on.
    connection.execute(_SET, {"setting": "usermerge", "value": 2})
    connection.execute(_SET, {"setting": "merge", "value": -1})
    merging = [level.segments for level in _levels(connection) if level.merging]
    return frozenset().union(*merging)


def go_on(connection: Connection, inputs: Set[int], *, pages: int) -> Set[int]:
    """Write about `pages` pages of the new segment; `inputs` again, or none when all of them are gone.

    Where much was removed it may read many pages for each that it writes.
    """
    connection.execute(_SET, {"setting": "merge", "value": pages})
    under_way = any(level.merging and not level.segments.isdisjoint(inputs) for level in _levels(connection))
    return inputs if under_way else _NOTHING


def _levels(connection: Connection) -> list[_Level]:
    record: bytes = connection.execute(_RECORD).scalar_one()
    numbers = _numbers(record[_COOKIE_BYTES:])
    count, _segments, _writes = next(numbers), next(numbers), next(numbers)
    return [_level(numbers) for _ in range(count)]


def _level(numbers: Iterator[int]) -> _Level:
    merging, count = next(numbers), next(numbers)
    segments = []
    for _ in range(count):
        segment, _first_page, _last_page = next(numbers), next(numbers), next(numbers)
        segments.append(segment)
    return _Level(merging, frozenset(segments))


def _numbers(record: bytes) -> Iterator[int]:
    """The numbers of a record: seven bits a byte, the highest first; the eighth says that more follow."""
    number = 0
    for byte in record:
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            yield number
            number = 0
