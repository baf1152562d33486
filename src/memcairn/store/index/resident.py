"""The index rows of large orgs in memory, block by block, brought up to date by what changed and never read anew.

Each kept org is a `View` that does not change; the next search lays the rows added since, and the changes noted in
`index_changes`, over it. Views of all orgs stay within a bound; an org that does not fit is searched on disk.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, select

from memcairn.store.batches import chunks
from memcairn.store.index import blocks
from memcairn.store.index.blocks import BLOCK_ROWS, Block, Names
from memcairn.store.index.copies import Copies, is_far_behind
from memcairn.store.index.views import State, View
from memcairn.store.index.wide import POOL_COLUMNS
from memcairn.store.schema import index_changes, index_rows

ROW_BYTES = 260
"""A row without its vector: words, ids and features; measured on messages of 120 characters."""

BLOCK_COLUMNS = (*POOL_COLUMNS, index_rows.c.scope_key)


class Residents:
    """Views by org and model, the least recently searched ones giving way. Safe to share between threads."""

    def __init__(self, max_bytes: int, copies: Copies | None = None) -> None:
        self._max_bytes = max_bytes
        self._copies = copies or Copies(None)
        self._views: OrderedDict[tuple[str, str], View] = OrderedDict()
        self._building: dict[tuple[str, str], threading.Lock] = {}
        self._lock = threading.Lock()

    @property
    def size_bytes(self) -> int:
        with self._lock:
            return sum(view.size_bytes for view in self._views.values())

    def fits(self, rows: int, dimensions: int) -> bool:
        """Whether an org of so many rows can be kept."""
        return rows * (ROW_BYTES + dimensions + dimensions // 8) <= self._max_bytes

    def kept(self, org_id: str, model: str, state: State) -> View | None:
        """The view of an org if it is kept and not older than `state`."""
        with self._lock:
            view = self._views.get((org_id, model))
            if view is None or not view.state.covers(state):
                return None
            self._views.move_to_end((org_id, model))
            return view

    def view(self, connection: Connection, org_id: str, state: State, *, model: str, dimensions: int) -> View:
        """The rows of an org, at least as new as `state`, which the connection's snapshot shows.

        The first call reads the whole org, from its copy beside the database if there is one; other searches of the
        org wait for it.
        """
        with self._lock:
            building = self._building.setdefault((org_id, model), threading.Lock())
        with building:
            found = self.kept(org_id, model, state)
            if found is None:
                reader = _Reader(connection, org_id, model, dimensions)
                with self._lock:
                    known = self._views.get((org_id, model))
                found = self._read_first(reader, state) if known is None else reader.brought_up_to(state, known)
                self._keep((org_id, model), found)
            return found

    def _read_first(self, reader: "_Reader", state: State) -> View:
        """The rows of an org nobody has read yet; a copy of them is written where it saves the next start time."""
        connection, org_id, model, dimensions = reader.connection, reader.org_id, reader.model, reader.dimensions
        begun = self._copies.begin(org_id, model)
        copy = None
        if begun is not None:
            copy = self._copies.read(connection, org_id, state, model=model, dimensions=dimensions)
        found = reader.brought_up_to(state, copy)
        if begun is not None and (copy is None or is_far_behind(copy, found)):
            self._copies.write(begun, connection, org_id, found, model=model, dimensions=dimensions)
        elif begun is not None:
            self._copies.give_up(begun)
        return found

    def _keep(self, key: tuple[str, str], view: View) -> None:
        with self._lock:
            self._views[key] = view
            self._views.move_to_end(key)
            sizes = {each: kept.size_bytes for each, kept in self._views.items()}
            while sum(sizes.values()) > self._max_bytes and len(self._views) > 1:
                oldest, _ = self._views.popitem(last=False)
                del sizes[oldest]


@dataclass(frozen=True, slots=True)
class _Reader:
    connection: Connection
    org_id: str
    model: str
    dimensions: int

    def brought_up_to(self, state: State, known: View | None) -> View:
        numbers = None if known is None else self._changed_since(known, state)
        if known is None or numbers is None:
            known = View(State(0, state.changes), (), Names())
            numbers = []
        parts = list(self._with_changes(known, numbers))
        for rows in self._rows_after(known.state.last_row):
            parts.append(self._block(rows, known.names))
            _gather_small(parts)
        return View(state, tuple(parts), known.names)

    def _changed_since(self, known: View, state: State) -> list[int] | None:
        """The numbers of rows removed or changed after `known` was read; None if that is no longer on record."""
        statement = select(index_changes.c.row_number).where(
            index_changes.c.org_id == self.org_id, index_changes.c.number > known.state.changes
        )
        numbers = list(self.connection.execute(statement).scalars())
        return numbers if len(numbers) == state.changes - known.state.changes else None

    def _with_changes(self, known: View, numbers: Sequence[int]) -> Sequence[Block]:
        if not numbers:
            return known.blocks
        touched = np.unique(np.array(numbers, dtype=np.int64))
        present = {row.row_number: row for row in self._rows_of(touched.tolist())}
        return [self._refreshed(block, touched, present) for block in known.blocks]

    def _refreshed(self, block: Block, touched: Any, present: dict[int, Any]) -> Block:
        slots = block.slots_of(touched)
        if not len(slots):
            return block
        is_there = np.array([int(number) in present for number in block.numbers[slots]], dtype=np.bool_)
        if not is_there.all():
            block = blocks.without(block, slots[~is_there])
        if is_there.any():
            rows = [present[int(number)] for number in block.numbers[slots[is_there]]]
            block = blocks.changed(block, slots[is_there], rows, model=self.model, dimensions=self.dimensions)
        return block

    def _block(self, rows: Sequence[Any], names: Names) -> Block:
        return blocks.block_of(rows, names, model=self.model, dimensions=self.dimensions)

    def _rows_of(self, numbers: Sequence[int]) -> list[Row[*tuple[Any, ...]]]:
        found: list[Row[*tuple[Any, ...]]] = []
        for chunk in chunks(numbers):
            statement = select(*BLOCK_COLUMNS).where(
                index_rows.c.org_id == self.org_id, index_rows.c.row_number.in_(chunk)
            )
            found += self.connection.execute(statement).all()
        return found

    def _rows_after(self, last_row: int) -> Any:
        """Rows behind `last_row` in their order, as many at once as a block holds."""
        statement = select(*BLOCK_COLUMNS).where(index_rows.c.org_id == self.org_id, index_rows.c.row_number > last_row)
        ordered = statement.order_by(index_rows.c.row_number).execution_options(yield_per=BLOCK_ROWS)
        return self.connection.execute(ordered).partitions(BLOCK_ROWS)


def _gather_small(parts: list[Block]) -> None:
    """Join the last blocks while the last is at least half as large as the one before: about log n joins a row."""
    while len(parts) > 1 and len(parts[-1]) * 2 >= len(parts[-2]) and len(parts[-1]) + len(parts[-2]) <= BLOCK_ROWS:
        last = parts.pop()
        parts[-1] = blocks.joined(parts[-1], last)
