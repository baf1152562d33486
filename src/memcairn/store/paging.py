"""Going on where a page ended."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, tuple_


def behind(
    order: Sequence[ColumnElement[Any]], mark: Sequence[Any], *, descending: bool = False
) -> ColumnElement[bool]:
    """What comes after the row whose values of `order` are `mark`, where all of it ascends, or all descends.

    Compared as one: an index in that order leads there, while of alternatives it would hold every row against them.
    """
    place = tuple_(*order)
    reached = tuple_(*mark, types=[column.type for column in order])
    return place < reached if descending else place > reached
