"""Where several transactions write to the index of one org at once without waiting for each other.

A slot belongs to the transaction that takes it until that one ends: it numbers its rows in it, and counts in it what
is counted for the whole org. Whoever finds every slot taken makes a new one, so there are as many as there were ever
writers at once. Inside a slot numbers appear in the order of their commits: a reader that has seen the last one has
seen them all.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, or_, select, text

from memcairn.domain.scopes import EVERYTHING
from memcairn.store.schema import index_rows, index_slots

SLOT_BITS = 40
"""Row numbers of a slot lie in `slot << SLOT_BITS` and the 2^40 behind it."""

SLOTS = 1 << 22
"""Slots are numbered below this: row numbers then fit in 63 bits."""

_TAKE = text(
    """
    WITH free AS (
        SELECT slot FROM index_slots WHERE org_id = :org_id ORDER BY slot LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    UPDATE index_slots SET last_row = last_row + :added, resets = resets + :resets, row_count = row_count + :change
    FROM free WHERE index_slots.org_id = :org_id AND index_slots.slot = free.slot
    RETURNING index_slots.slot, last_row,
        (SELECT coalesce(sum(row_count), 0)::bigint FROM index_slots WHERE org_id = :org_id) + :change AS org_rows
    """
)
_MAKE = text(
    """
    INSERT INTO index_slots (org_id, slot, last_row, resets, row_count) VALUES (:org_id, :slot, 0, 0, 0)
    ON CONFLICT (org_id, slot) DO NOTHING
    """
)


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot that is this transaction's: the highest number taken in it, and how many rows the org has now."""

    number: int
    last_row: int
    org_rows: int

    @property
    def scope_key(self) -> str:
        """Under which the words of its rows are counted."""
        return scope_key(self.number)

    def first_row(self, count: int) -> int:
        """The row number of the first of the `count` rows last taken."""
        return (self.number << SLOT_BITS) + self.last_row - count + 1


@dataclass(frozen=True, slots=True)
class SlotState:
    """What a reader sees of a slot."""

    slot: int
    last_row: int
    resets: int
    row_count: int


def take(connection: Connection, org_id: str, *, added: int = 0, removed: int = 0) -> Slot:
    """A slot nobody else writes in until this transaction ends, with rows added or, if none are, taken or changed."""
    counted = {"org_id": org_id, "added": added, "change": added - removed, "resets": 0 if added else 1}
    while True:
        row = connection.execute(_TAKE, counted).one_or_none()
        if row is not None:
            return Slot(row.slot, row.last_row, row.org_rows)
        # Drawn, not counted: two that make one at the same time would wait for each other over the next number.
        connection.execute(_MAKE, {"org_id": org_id, "slot": secrets.randbelow(SLOTS)})


def states(connection: Connection, org_id: str) -> list[SlotState]:
    found = select(index_slots).where(index_slots.c.org_id == org_id).order_by(index_slots.c.slot)
    return [SlotState(row.slot, row.last_row, row.resets, row.row_count) for row in connection.execute(found)]


def scope_key(slot: int) -> str:
    """A key no scope has: those begin with the name of their level."""
    return f"{EVERYTHING}{slot}"


def behind(ends: Mapping[int, int]) -> ColumnElement[bool]:
    """Fulfilled by rows that came after those numbers, which are the last ones known of each slot."""
    known = sorted(ends)
    starts = [0, *(ends[slot] + 1 for slot in known)]
    stops = [slot << SLOT_BITS for slot in known]
    row_number = index_rows.c.row_number
    gaps = [and_(row_number >= start, row_number < stop) for start, stop in zip(starts, stops, strict=False)]
    return or_(*gaps, row_number >= starts[-1])
