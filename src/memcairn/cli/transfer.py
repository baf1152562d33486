"""`memcairn export` and `memcairn import`."""

from pathlib import Path
from typing import Annotated

import typer

from memcairn.cli.options import AsJson, DataDir
from memcairn.cli.output import emit, results


def export(
    file: Annotated[
        Path, typer.Argument(help="The file to write; it must not exist yet. Packed if its name ends in .gz.")
    ],
    org_id: Annotated[str, typer.Option("--org", help="The org.", metavar="ID")],
    keys: Annotated[
        bool, typer.Option("--keys/--no-keys", help="Whether to take the API keys (their hashes) along.")
    ] = True,
    deleted: Annotated[
        bool, typer.Option("--deleted/--no-deleted", help="Whether to take along what is deleted and not purged yet.")
    ] = True,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Write everything an org holds to one file of JSON Lines, while a server runs.

    Deleted rows that are not purged, the history of every memory and the vectors are in it, as of one moment.
    """
    from memcairn.cli.transferring import export_database  # noqa: PLC0415 -- heavy, and `--help` must answer at once

    done = export_database(data_dir, org_id, file, keys=keys, deleted=deleted)
    if as_json:
        emit({"file": str(file), "org_id": org_id, "rows": dict(done.rows)})
    else:
        counted = f"{done.rows['events']} events and {done.rows['memories']} memories"
        results().print(f"{file}: {counted}, {sum(done.rows.values())} rows in all. Next: memcairn import {file}")


def import_(
    file: Annotated[Path, typer.Argument(help="The file `memcairn export` wrote.")],
    rename_to: Annotated[
        str | None, typer.Option("--as", help="Load it into an org of this id.", metavar="ID", show_default=False)
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Load an exported org into this database; a server may run.

    The whole file is checked before anything is written. The org must be new or empty. A load that was broken off is
    begun again by the same command.
    """
    from memcairn.cli.transferring import import_database  # noqa: PLC0415 -- heavy, and `--help` must answer at once

    done = import_database(data_dir, file, rename_to=rename_to)
    if as_json:
        emit(
            {
                "org_id": done.org_id,
                "rows": dict(done.rows),
                "keys_left_out": done.keys_left_out,
                "embedded": done.embedded,
            }
        )
        return
    out = results()
    counted = f"{done.rows.get('events', 0)} events and {done.rows.get('memories', 0)} memories"
    out.print(f"The org {done.org_id!r} holds {counted}, {sum(done.rows.values())} rows in all.")
    if done.embedded:
        out.print(f"{done.embedded} memories were embedded anew: the file had no vector of this server's model.")
    if done.keys_left_out:
        out.print(f"{done.keys_left_out} keys were left out: they open an org of this server already.")
    if not done.rows.get("api_keys", 0) - done.keys_left_out:
        out.print(f"Next: memcairn keys create --org {done.org_id}")
