"""`memcairn migrate`."""

from typing import Annotated

import typer

from memcairn.cli.options import AsJson, DataDir
from memcairn.cli.output import emit, results


def migrate(
    distribute: Annotated[
        bool, typer.Option("--distribute", help="Also spread the tables over a Citus cluster, once.")
    ] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Bring the database to the schema of this program; `serve` and `worker` do it on start."""
    from memcairn.cli.diagnosis import migrate_database  # noqa: PLC0415 -- heavy, and `--help` must answer at once
    from memcairn.cli.spreading import spread_database  # noqa: PLC0415 -- the same

    if distribute:
        tables = spread_database(data_dir)
        if as_json:
            emit({"distributed": list(tables)})
        elif tables:
            results().print(f"Spread over the cluster: {', '.join(tables)}.")
        else:
            results().print("Every table is spread over the cluster already.")
        return
    done = migrate_database(data_dir)
    if as_json:
        emit({"database": done.database, "revision": done.revision, "applied": list(done.applied)})
    elif done.applied:
        results().print(f"{done.database} is at revision {done.revision}; applied {', '.join(done.applied)}.")
    else:
        results().print(f"{done.database} is at revision {done.revision}; there was nothing to do.")
