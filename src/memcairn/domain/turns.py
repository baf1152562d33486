"""The rows of a pool as turns of a conversation, and what stands around a turn.

Rows that share a place in a session are one *turn*: the pieces of a long text, a text and what was concluded from it.
The context of a row is the turns around its own, whoever may be shown them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memcairn.domain.pool import Pool, Trait

MAX_GAP = 4
"""Positions between neighbours, at most: trifles leave no memory, and a pool may hold only parts of a session."""

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Turns:
    """How rows make up turns; `near[d - 1][t]` says that turns t and t + d belong to one session."""

    of_row: Ints | None
    """None if every row is a turn of its own."""
    starts: Ints
    further: Ints
    """The rows behind the first one of their turn."""
    concluded: Ints
    """Rows whose words another row of their turn holds already: they do not count for it again."""
    near: tuple[Bools, Bools]
    session_starts: Ints
    """The first turn of each session; a turn outside any session is a session of its own."""
    session_sizes: Ints
    silent: Ints
    """Turns whose first row is a concluded one."""
    further_heard: Ints
    """Of the further rows those that are not concluded."""

    def __len__(self) -> int:
        return len(self.starts)

    def summed(self, values: Floats) -> Floats:
        """Sums over the rows of each turn but the concluded ones; the last axis goes from rows to turns."""
        if self.of_row is None:
            return values
        # Nearly every turn has one row: to take those and add the few others goes ten times as fast as `reduceat`.
        summed: Floats = values.take(self.starts, axis=-1)
        summed[..., self.silent] = 0
        _each(np.add, summed, self.of_row[self.further_heard], values.take(self.further_heard, axis=-1))
        return summed

    def most(self, values: Floats) -> Floats:
        """The greatest value among the rows of each turn; the last axis goes from rows to turns."""
        if self.of_row is None:
            return values
        most: Floats = values.take(self.starts, axis=-1)
        _each(np.maximum, most, self.of_row[self.further], values.take(self.further, axis=-1))
        return most

    def heard(self, counts: Floats) -> Floats:
        """How often words stand in each turn: in the rows that count for it, or in what was concluded from them."""
        summed = self.summed(counts)
        if self.of_row is not None:
            _each(np.maximum, summed, self.of_row[self.concluded], counts.take(self.concluded, axis=-1))
        return summed

    def spread(self, values: Floats) -> Floats:
        """The value of each row's turn; the last axis goes from turns to rows."""
        return values if self.of_row is None else values.take(self.of_row, axis=-1)


def _each(put_together: np.ufunc, whole: Floats, places: Ints, values: Floats) -> None:
    """Puts `values` into `whole` at `places` of its last axis, which may name one place several times."""
    if not len(places):
        return
    begins = np.arange(0, whole.size, whole.shape[-1])
    put_together.at(whole.reshape(-1), np.add.outer(begins, places).reshape(-1), values.reshape(-1))


def turns_of(pool: Pool) -> Turns:
    """Group the rows of a pool. A row with a negative session or position is alone and has no neighbours."""
    sessions = np.where(pool.positions < 0, -1, pool.sessions)
    alone = sessions[1:] < 0
    new_session = np.ones(len(pool), dtype=np.bool_)
    new_session[1:] = (sessions[1:] != sessions[:-1]) | alone
    new_turn = new_session.copy()
    new_turn[1:] |= pool.positions[1:] != pool.positions[:-1]
    starts, further = np.flatnonzero(new_turn), np.flatnonzero(~new_turn)
    of_row, concluded = None, np.zeros(len(pool), dtype=np.bool_)
    if len(starts) < len(pool):
        of_row = np.cumsum(new_turn) - 1
        concluded = _concluded(pool, starts, of_row)
    session_of_turn = sessions[starts]
    begins = new_session[starts]
    near_1 = ~begins[1:] & (np.diff(pool.positions[starts]) <= MAX_GAP)
    near_2 = near_1[:-1] & near_1[1:]
    session_starts = np.flatnonzero(begins)
    sizes = np.diff(session_starts, append=len(session_of_turn))
    return Turns(
        of_row=of_row,
        starts=starts,
        further=further,
        concluded=np.flatnonzero(concluded),
        near=(near_1, near_2),
        session_starts=session_starts,
        session_sizes=sizes,
        silent=np.flatnonzero(concluded[starts]),
        further_heard=further[~concluded[further]],
    )


def _concluded(pool: Pool, starts: Ints, of_row: Ints) -> Bools:
    typed = (pool.traits & Trait.TYPED) != 0
    concluded: Bools = typed & np.logical_or.reduceat(~typed, starts)[of_row]
    return concluded


def beside(values: Floats, turns: Turns) -> Floats:
    """Sums over each turn and its neighbours up to one turn away; the last axis is turns."""
    near = turns.near[0]
    sums = values.copy()
    part = np.empty_like(values[..., 1:])
    sums[..., 1:] += np.multiply(values[..., :-1], near, out=part)
    sums[..., :-1] += np.multiply(values[..., 1:], near, out=part)
    return sums


def around(values: Floats, turns: Turns) -> tuple[Floats, Floats]:
    """Sums over each turn and its neighbours up to one, and up to two, turns away; the last axis is turns."""
    near = turns.near[1]
    one = beside(values, turns)
    two = one.copy()
    part = np.empty_like(values[..., 2:])
    two[..., 2:] += np.multiply(values[..., :-2], near, out=part)
    two[..., :-2] += np.multiply(values[..., 2:], near, out=part)
    return one, two
