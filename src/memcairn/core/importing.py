"""Loading an exported org: the file is checked whole, then its rows are written, then they are made findable.

While rows are being written the org carries a mark. A load that is broken off leaves it there, and the next one begins
by removing what was written; nobody has a key to the org until its rows are there, unless it had one before.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, BinaryIO

from sqlalchemy import Connection, Table, or_, select
from sqlalchemy.exc import DataError, IntegrityError

from memcairn.core import export_file
from memcairn.core.deps import Deps
from memcairn.core.export_file import IMPORTING, VECTORS, Header, Reader, Vector
from memcairn.core.keys import check_org_id
from memcairn.core.planning import keep_statistics
from memcairn.core.reindexing import MEMORIES_AT_ONCE, PAUSE_SECONDS, due, put_all, put_missing
from memcairn.domain.errors import Conflict, Invalid
from memcairn.domain.ids import new_id
from memcairn.domain.jobs import JobStatus
from memcairn.store import counters, orgs, rows, wiping
from memcairn.store.index import inspection
from memcairn.store.index.pools import unpack_vector
from memcairn.store.schema import api_keys, metadata

ROWS_AT_ONCE = 500
"""Written in one transaction; others write between two of them."""

HOLD_SOMETHING = ("users", "sessions", "events", "memories", "collections", "documents", "roles", "teams", "jobs")
"""An org with a row in one of these tables is not empty; counters and tallies of an empty one are replaced."""

KEPT_BY_OTHERS = frozenset({"api_keys", "counters", "idempotency", "jobs", "usage", "usage_months"})
"""Tables a server that runs may write to meanwhile: not counted afterwards."""

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Imported:
    """Rows loaded, by table. `keys_left_out`: keys whose id or secret is in use here already. `embedded`: memories
    for which the file had no vector of this server's model."""

    org_id: str
    rows: Mapping[str, int]
    keys_left_out: int = 0
    embedded: int = 0


async def import_org(
    deps: Deps,
    file: BinaryIO,
    *,
    rename_to: str | None = None,
    on_progress: OnProgress = lambda _done, _all: None,
) -> Imported:
    """Load a file into its org, or into one of another name.

    Invalid for a file that is not whole, before anything is written; Conflict when the org is there and not empty.
    A load that was broken off can be begun again with the same or another file.
    """
    counts = await asyncio.to_thread(export_file.check, file, on_progress)
    reader = await asyncio.to_thread(Reader, file)
    org_id = reader.header.org_id if rename_to is None else rename_to
    check_org_id(org_id)
    await _begin(deps, org_id, reader.header)
    work = _Load(deps, org_id, reader.header, sum(counts.values()), on_progress)
    for name, batch in _batches(reader):
        await work.take(name, batch)
    await work.finish_index()
    await deps.db.write(_finish, org_id, counts)
    return Imported(org_id, counts, work.keys_left_out, work.embedded)


class _Load:
    """The rows of one file on their way into an org."""

    def __init__(self, deps: Deps, org_id: str, header: Header, total: int, on_progress: OnProgress) -> None:
        self._deps = deps
        self._org_id = org_id
        self._header = header
        self._total = total
        self._on_progress = on_progress
        self._done = 0
        self._indexed = False
        self.keys_left_out = 0
        self.embedded = 0

    async def take(self, name: str, batch: Sequence[Any]) -> None:
        if name == VECTORS:
            await self._put(batch)
        else:
            if name == "jobs":
                await self.finish_index()
            self.keys_left_out += await self._deps.db.write(self._add, metadata.tables[name], batch)
        await keep_statistics(self._deps.db)
        self._done += len(batch)
        self._on_progress(self._done, self._total)
        await asyncio.sleep(PAUSE_SECONDS)

    async def finish_index(self) -> None:
        """Whatever came without a vector that can be used here is embedded now."""
        if not self._indexed:
            self.embedded = (await put_missing(self._deps, self._org_id)).mended
        self._indexed = True

    async def _put(self, batch: Sequence[Vector]) -> None:
        embedder = self._deps.embedder
        vectors = {
            (each.memory_id, each.segment): unpack_vector(each.packed)
            for each in batch
            if each.model == embedder.model and len(each.packed) == 2 * embedder.dimensions
        }
        ids = list(dict.fromkeys(memory_id for memory_id, _ in vectors))
        found = await self._deps.db.read(due, self._org_id, ids)
        await put_all(self._deps, self._org_id, found, vectors)

    def _add(self, connection: Connection, table: Table, batch: Sequence[Mapping[str, Any]]) -> int:
        """Returns how many were left out."""
        given = [{**values, "org_id": self._org_id} for values in batch]
        if table is api_keys:
            given = [values for values in given if not _is_taken(connection, values)]
        elif table.name == "jobs":
            given = [self._job(values) for values in given]
        elif table.name == "counters":
            given = [values for values in given if values["name"] != IMPORTING]
        try:
            rows.add(connection, table, given)
        except (IntegrityError, DataError) as error:
            raise Invalid(
                f"The rows of {table.name} cannot be stored here: {error.orig}. The import was broken off; begin again "
                "with another file, which removes what was written.",
                code="invalid_row",
            ) from None
        return len(batch) - len(given) if table is api_keys else 0

    def _job(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """A job nobody has begun, under an id of this database and a serial key of this org."""
        serial_key: str = values["serial_key"]
        if serial_key.startswith(f"{self._header.org_id}:"):
            serial_key = f"{self._org_id}:{serial_key.removeprefix(f'{self._header.org_id}:')}"
        running = values["status"] == JobStatus.RUNNING.value
        waiting = {"status": JobStatus.QUEUED.value} if running else {}
        free = {"job_id": new_id(), "serial_key": serial_key, "lease_until": None, "worker_id": None}
        return {**values, **free, **waiting}


def _batches(reader: Reader) -> Iterator[tuple[str, list[Any]]]:
    """Rows of one table at a time; the vectors of a memory are never parted."""
    for name, found in groupby(reader.rows(), key=lambda item: item[0]):
        batch: list[Any] = []
        memory_ids: set[str] = set()
        for _, row in found:
            if isinstance(row, Vector):
                full = len(memory_ids) >= MEMORIES_AT_ONCE and row.memory_id not in memory_ids
                memory_ids.add(row.memory_id)
            else:
                full = len(batch) >= ROWS_AT_ONCE
            if full:
                yield name, batch
                batch, memory_ids = [], set()
            batch.append(row)
        yield name, batch


async def _begin(deps: Deps, org_id: str, header: Header) -> None:
    """Mark the org, made if it is not there, and remove what an earlier load or an empty life has left in it."""
    await deps.db.write(_mark, deps, org_id, header)
    after = ""
    while ids := await deps.db.read(inspection.memory_ids, org_id, after=after, limit=ROWS_AT_ONCE):
        after = ids[-1]
        await deps.db.write(deps.index.remove, org_id, ids)
    for table in reversed(rows.moved_tables()):
        if table.name not in ("orgs", "api_keys"):
            await deps.db.write(_clear, table, org_id)


def _mark(connection: Connection, deps: Deps, org_id: str, header: Header) -> None:
    if orgs.get(connection, org_id) is None:
        orgs.add(connection, org_id, header.org["name"], deps.clock.now())
    elif not counters.present(connection, org_id, IMPORTING):
        _refuse_if_it_holds_something(connection, org_id)
    counters.take(connection, org_id, IMPORTING)
    orgs.change(connection, org_id, header.org)


def _clear(connection: Connection, table: Table, org_id: str) -> None:
    keep = IMPORTING if table.name == "counters" else None
    if rows.remove_org(connection, table, org_id, but_for=keep):
        wiping.owe(connection)


def _refuse_if_it_holds_something(connection: Connection, org_id: str) -> None:
    for name in HOLD_SOMETHING:
        if rows.count(connection, metadata.tables[name], org_id):
            raise Conflict(
                f"The org {org_id!r} is there and holds {name}. Import under another id with --as, or into an empty "
                "org.",
                code="org_not_empty",
            )


def _is_taken(connection: Connection, key: Mapping[str, Any]) -> bool:
    same = or_(api_keys.c.key_id == key["key_id"], api_keys.c.secret_hash == key["secret_hash"])
    return connection.execute(select(api_keys.c.key_id).where(same).limit(1)).first() is not None


def _finish(connection: Connection, org_id: str, counts: Mapping[str, int]) -> None:
    """Take the mark away once every row is there; Conflict when somebody wrote to the org meanwhile."""
    for table in rows.moved_tables():
        if table.name == "orgs" or table.name in KEPT_BY_OTHERS:
            continue
        there = rows.count(connection, table, org_id)
        if there != counts.get(table.name, 0):
            raise Conflict(
                f"The org {org_id!r} holds {there} rows of {table.name} and not {counts.get(table.name, 0)}: something "
                "wrote to it meanwhile. Import again while nobody does.",
                code="import_disturbed",
            )
    counters.forget(connection, org_id, IMPORTING)
