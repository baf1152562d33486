"""A whole database, copied into another one of either kind: resumable, and compared row by row at the end.

Rows go as they are: ids, times, keys, deleted rows, history, vectors and jobs. What a search index derives is made
again on the other side, from the memories and the vectors that are stored.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Table, inspect
from sqlalchemy.exc import DataError

from memcairn.core.deps import Deps
from memcairn.core.planning import keep_statistics
from memcairn.core.reindexing import MEMORIES_AT_ONCE, due, put_all
from memcairn.domain.errors import Conflict, Invalid
from memcairn.store import copy_progress, orgs, rows
from memcairn.store.database import Database
from memcairn.store.index import inspection
from memcairn.store.index.pools import unpack_vector
from memcairn.store.migrate import current_revision, head_revision, migrate
from memcairn.store.rows import RowHash
from memcairn.store.schema import metadata

ROWS_AT_ONCE = 1_000

OnProgress = Callable[[str, int, int], None]
"""Told which table, how many of its rows are done, and how many there are."""

NOT_OURS = ("memory_words", "sqlite_", "alembic_version", "unfinished_copy")
"""Beginnings of the names of tables that are no part of the schema and hold nothing that is not derived."""


@dataclass(frozen=True, slots=True)
class DatabaseCopied:
    """Rows in every table, equal on both sides. `resumed`: an earlier run had begun; `indexed` memories by this one."""

    rows: Mapping[str, int]
    indexed: int
    resumed: bool


async def copy_database(
    source: Database, target: Deps, *, name: str, restart: bool = False, on_progress: OnProgress
) -> DatabaseCopied:
    """Copy `source`, which is called `name`, into the database of `target`.

    Conflict when the target holds anything but an unfinished copy of the same source, when the source has another
    revision than this program, or when both differ in the end: then the source was written to meanwhile. `restart`
    empties an unfinished copy first.
    """
    await source.read(_refuse_other_schema)
    resumed = await _begin(target, name, restart=restart)
    for table in rows.moved_tables():
        await _copy_table(source, target.db, table, on_progress)
    indexed = 0
    for org in await source.read(orgs.every):
        indexed += await _index_org(source, target, org.org_id, on_progress)
    counts = await _compared(source, target.db, on_progress)
    await target.db.write(copy_progress.finish)
    return DatabaseCopied(counts, indexed, resumed)


def _refuse_other_schema(connection: Connection) -> None:
    copy_progress.refuse_half_a_copy(connection)
    revision = current_revision(connection)
    if revision != head_revision():
        raise Conflict(
            f"The source has revision {revision}, this program copies {head_revision()}. Run `memcairn migrate` on it "
            "first.",
            code="source_revision",
        )
    names = {table for table in inspect(connection).get_table_names() if not table.startswith(NOT_OURS)}
    unknown = sorted(names - metadata.tables.keys())
    if unknown:
        raise Conflict(
            f"The source has tables this version does not know ({', '.join(unknown)}): they would be left behind. Move "
            "them away first.",
            code="source_unknown_tables",
        )


async def _begin(target: Deps, name: str, *, restart: bool) -> bool:
    """Make the target ready; whether an earlier run had begun."""

    def begin(connection: Connection) -> bool:
        known = copy_progress.source_of(connection)
        if known is not None and not restart:
            if known != name:
                raise Conflict(
                    f"The target is an unfinished copy of {known}, not of {name}. Finish that one, begin anew with "
                    "--restart, or name another target.",
                    code="target_not_empty",
                )
            return True
        if known is None:
            migrate(connection)
            _refuse_filled(connection)
        else:
            _empty(connection)
            copy_progress.finish(connection)
        copy_progress.begin(connection, name)
        return False

    return await target.db.write(begin)


def _refuse_filled(connection: Connection) -> None:
    filled = [table.name for table in rows.moved_tables() if rows.count(connection, table)]
    if filled:
        raise Conflict(
            f"The target holds something already ({', '.join(filled[:4])}). Copy into an empty database.",
            code="target_not_empty",
        )


def _empty(connection: Connection) -> None:
    for table in reversed(metadata.sorted_tables):
        connection.execute(table.delete())
    inspection.forget_words(connection)


async def _copy_table(source: Database, target: Database, table: Table, on_progress: OnProgress) -> None:
    total = await source.read(rows.count, table)
    reached = await target.read(copy_progress.reached, table.name)
    after = None if reached is None else copy_progress.key_from(table, reached[0])
    done = 0 if reached is None else reached[1]
    on_progress(table.name, done, total)
    while found := await source.read(rows.page, table, after=after, limit=ROWS_AT_ONCE):
        after = rows.key_of(table, found[-1])
        done += len(found)
        await target.write(_add, table, found, done)
        await keep_statistics(target)
        on_progress(table.name, done, total)


def _add(connection: Connection, table: Table, found: list[dict[str, object]], done: int) -> None:
    try:
        rows.add(connection, table, found)
    except DataError as error:
        first, last = (copy_progress.key_text(table, values) for values in (found[0], found[-1]))
        raise Invalid(
            f"The other database cannot hold a row of {table.name} between {first} and {last}: {error.orig}. Change or "
            "delete it at the source, and run this again.",
            code="invalid_row",
        ) from None
    copy_progress.note(connection, table.name, copy_progress.key_text(table, found[-1]), copied=done)


async def _index_org(source: Database, target: Deps, org_id: str, on_progress: OnProgress) -> int:
    part = f"index of {org_id}"
    total = await source.read(inspection.memory_count, org_id)
    reached = await target.db.read(copy_progress.reached, part)
    after, done = ("", 0) if reached is None else reached
    indexed = 0
    while ids := await source.read(inspection.memory_ids, org_id, after=after, limit=MEMORIES_AT_ONCE):
        after = ids[-1]
        done += len(ids)
        held = await source.read(inspection.held, org_id, ids)
        vectors = {
            (memory_id, row.segment): unpack_vector(row.vector)
            for memory_id, its in held.items()
            for row in its
            if row.vector is not None and row.model == target.embedder.model
        }
        wanted = await target.db.read(due, org_id, ids)
        indexed += await put_all(target, org_id, wanted, vectors)
        await target.db.write(copy_progress.note, part, after, copied=done)
        await keep_statistics(target.db)
        on_progress(part, done, total)
    return indexed


async def _compared(source: Database, target: Database, on_progress: OnProgress) -> dict[str, int]:
    counts, different = {}, []
    for table in rows.moved_tables():
        total = await source.read(rows.count, table)
        here, there = await asyncio.gather(source.read(_hash, table), target.read(_hash, table))
        on_progress(f"comparing {table.name}", total, total)
        counts[table.name] = there.count
        if here != there:
            different.append(f"{table.name} ({here.count} rows and {there.count})")
    if different:
        raise Conflict(
            f"Source and copy differ in {', '.join(different)}: something wrote to one of them meanwhile. Stop every "
            "server and worker, and run this again with --restart.",
            code="copy_differs",
        )
    return counts


def _hash(connection: Connection, table: Table) -> RowHash:
    total, after = RowHash(), None
    while found := rows.page(connection, table, after=after, limit=ROWS_AT_ONCE):
        after = rows.key_of(table, found[-1])
        for values in found:
            total.add(table, values)
    return total
