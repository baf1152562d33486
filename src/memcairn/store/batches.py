"""Long lists in statements of bounded size."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")

MAX_IDS_PER_STATEMENT = 500
"""SQLite's default is 32,766 bound values; staying far below keeps statements cacheable and plans quick."""


def chunks(items: Sequence[T]) -> Iterable[Sequence[T]]:
    for start in range(0, len(items), MAX_IDS_PER_STATEMENT):
        yield items[start : start + MAX_IDS_PER_STATEMENT]
