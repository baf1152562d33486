"""`memcairn purge`."""

from typing import Annotated

import typer

from memcairn.cli.options import AsJson, DataDir
from memcairn.cli.output import emit, results


def purge(
    org_id: Annotated[
        str | None, typer.Option("--org", help="Only this org; every org if left out.", metavar="ID")
    ] = None,
    older_than: Annotated[
        str, typer.Option(help="Only what was deleted at least so long ago: a span such as 12h, 30d or 8w.")
    ] = "0h",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Remove for good what was deleted; a server may run meanwhile."""
    from memcairn.cli.purging import purge_database  # noqa: PLC0415 -- heavy, and `--help` must answer at once

    report = purge_database(data_dir, org_id=org_id, older_than=older_than)
    if as_json:
        emit({"counts": dict(report.counts), "wiped": report.wiped})
        return
    removed = ", ".join(f"{count} {table}" for table, count in report.counts.items())
    results().print(f"Removed {removed}." if removed else "There was nothing to remove.")
    if not report.wiped:
        results().print("Traces are left in the database file, because something was reading it. Run this again.")
