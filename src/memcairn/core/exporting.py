"""An org as one file: JSON Lines that begin with a header and end with a manifest of counts and hashes.

Everything of the org is in it, what is deleted and not purged yet (unless that is left out) and every change of a
memory as well; its vectors too, so that they need not be paid for again. What the index derives is not: an import
makes it anew.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, Table

from memcairn import __version__
from memcairn.core.deps import Deps
from memcairn.core.export_file import (
    FORMAT,
    FORMAT_FIELD,
    IMPORTING,
    NOT_OF_THE_HEADER,
    VECTORS,
    TableSum,
    exported_tables,
)
from memcairn.domain.errors import Conflict, Unavailable
from memcairn.store import counters, orgs, purge, rows
from memcairn.store.index import inspection
from memcairn.store.migrate import current_revision
from memcairn.store.schema import metadata

ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """`keys`: take the API keys along (their hashes), so that clients go on with those they have.

    Without `deleted`, what is deleted stays behind with all that is about it; so do the kept answers to requests with
    an Idempotency-Key, which may repeat it.
    """

    keys: bool = False
    deleted: bool = True
    now: datetime | None = None


@dataclass(frozen=True, slots=True)
class Exported:
    """How many rows of each table are in the file."""

    org_id: str
    rows: dict[str, int]


class Out(Protocol):
    """Where the lines go, in order."""

    def write(self, line: bytes, /) -> object: ...


OnProgress = Callable[[int, int], None]


async def export_org(
    deps: Deps, org_id: str, out: Out, options: ExportOptions, on_progress: OnProgress | None = None
) -> Exported:
    """Write an org to `out`, all of it as of one moment; memory does not grow with it.

    NotFound when there is no such org; Conflict while a file is being loaded into it. When the database is lost on the
    way, `out` holds a part without a manifest.
    """
    begun = False

    def write_once(connection: Connection) -> Exported:
        # A database may run a read again that lost its connection; what was written cannot be taken back.
        nonlocal begun
        if begun:
            raise Unavailable(
                "The connection to the database broke during the export. What was written is not whole; begin again.",
                code="database_unreachable",
            )
        begun = True
        return write_export(connection, org_id, out, options, on_progress)

    return await deps.db.read(write_once)


def write_export(
    connection: Connection, org_id: str, out: Out, options: ExportOptions, on_progress: OnProgress | None = None
) -> Exported:
    """The same on a connection, as of its snapshot."""
    orgs.require(connection, org_id)
    _refuse_half_an_org(connection, org_id)
    tables = exported_tables(keys=options.keys)
    total = 0
    if on_progress is not None:
        total = sum(rows.count(connection, table, org_id, live=not options.deleted) for table in tables)
    sums = {name: TableSum() for name in [*(table.name for table in tables), VECTORS]}
    whole = hashlib.sha256()

    def write(line: dict[str, Any]) -> bytes:
        written = _line(line)
        whole.update(written)
        out.write(written)
        return written

    write(_header(connection, org_id, options))
    for done, (name, row) in enumerate(_rows(connection, org_id, tables, deleted=options.deleted)):
        sums[name].add(write({"table": name, "row": row}))
        if on_progress is not None and done % ROWS_AT_ONCE == 0:
            on_progress(done, total)
    tally = {name: each.as_json() for name, each in sums.items()}
    out.write(_line({"manifest": {"tables": tally, "sha256": whole.hexdigest()}}))
    return Exported(org_id, {name: each.rows for name, each in sums.items()})


def _header(connection: Connection, org_id: str, options: ExportOptions) -> dict[str, Any]:
    table = metadata.tables["orgs"]
    [described] = rows.page(connection, table, after=None, limit=1, org_id=org_id)
    values = {name: value for name, value in described.items() if name not in NOT_OF_THE_HEADER}
    return {
        FORMAT_FIELD: FORMAT,
        "program": __version__,
        "revision": current_revision(connection),
        "org_id": org_id,
        "org": rows.encoded(table, values),
        "made_at": None if options.now is None else options.now.isoformat(),
        "models": inspection.models(connection, org_id),
        "keys": options.keys,
        "deleted": options.deleted,
    }


def _rows(
    connection: Connection, org_id: str, tables: list[Table], *, deleted: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every row with the name of its table; vectors stand before the jobs."""
    for table in tables:
        if table.name == "jobs":
            for vector in _vectors(connection, org_id):
                yield VECTORS, vector
        if table.name == "idempotency" and not deleted:
            continue
        after = None
        while found := rows.page(connection, table, after=after, limit=ROWS_AT_ONCE, org_id=org_id, live=not deleted):
            after = rows.key_of(table, found[-1])
            if table.name == "jobs" and not deleted:
                found = purge.jobs_about_live(connection, org_id, found)
            for values in found:
                del values["org_id"]
                yield table.name, rows.encoded(table, values)


def _vectors(connection: Connection, org_id: str) -> Iterator[dict[str, Any]]:
    after = ""
    while ids := inspection.memory_ids(connection, org_id, after=after, limit=ROWS_AT_ONCE):
        after = ids[-1]
        held = inspection.held(connection, org_id, ids)
        for memory_id in ids:
            for row in held.get(memory_id, []):
                if row.vector is not None:
                    vector = rows.in_base64(row.vector)
                    yield {"memory_id": memory_id, "segment": row.segment, "model": row.model, "vector": vector}


def _refuse_half_an_org(connection: Connection, org_id: str) -> None:
    if counters.present(connection, org_id, IMPORTING):
        raise Conflict(
            f"A file is being loaded into the org {org_id!r}, or that was broken off. Wait for it, or run "
            "`memcairn import` again.",
            code="import_unfinished",
        )


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii") + b"\n"
