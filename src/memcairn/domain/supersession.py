"""What a closed memory becomes once the one that closed it is gone: closed by another, or holding again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from memcairn.domain.candidates import NEGATED


@dataclass(frozen=True, slots=True)
class Belief:
    """A memory as far as it matters here. `value` is set for one that fills a slot."""

    memory_id: str
    observed_at: datetime
    value: str | None = None


def contradictory(one: str | None, other: str | None) -> bool:
    """Whether two values of one slot exclude each other; "not X" excludes X and nothing else."""
    left, right = one or "", other or ""
    if left.startswith(NEGATED) or right.startswith(NEGATED):
        return left == NEGATED + right or right == NEGATED + left
    return left != right


def next_rival(closed: Belief, others: Sequence[Belief], explicit: Sequence[Belief]) -> Belief | None:
    """The memory that closes `closed` now, or None: it holds again.

    `others` fill the same slot; `explicit` had taken the place of what closed it. Of several, the earliest said does;
    what was said at the same moment counts in the order it was stored.
    """
    rivals = [each for each in others if contradictory(each.value, closed.value)]
    later = [each for each in (*rivals, *explicit) if _place(each) > _place(closed)]
    return min(later, key=_place, default=None)


def _place(belief: Belief) -> tuple[datetime, str]:
    return belief.observed_at, belief.memory_id
