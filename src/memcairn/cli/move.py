"""`memcairn migrate-db`."""

from typing import Annotated

import typer

from memcairn.cli.options import AsJson
from memcairn.cli.output import emit, results


def migrate_db(
    source: Annotated[
        str, typer.Argument(help="The database to copy: sqlite:///path or postgresql://…", metavar="FROM")
    ],
    target: Annotated[str, typer.Argument(help="An empty database, or an unfinished copy of FROM.", metavar="TO")],
    restart: Annotated[bool, typer.Option("--restart", help="Empty an unfinished copy, and begin anew.")] = False,
    as_json: AsJson = False,
) -> None:
    """Copy everything from one database into another, between SQLite and Postgres or alike.

    Stop every server and worker first. A copy that was broken off goes on where it was. At the end counts and hashes
    of every table are compared; the source is not changed.
    """
    from memcairn.cli.moving import move_database  # noqa: PLC0415 -- heavy, and `--help` must answer at once

    done = move_database(source, target, restart=restart)
    if as_json:
        emit({"rows": dict(done.rows), "indexed": done.indexed, "resumed": done.resumed})
        return
    held = {name: count for name, count in done.rows.items() if count}
    results().print(
        f"Copied {sum(held.values())} rows of {len(held)} tables, equal on both sides by count and hash, and made "
        "the index anew. Next: start the servers with DATABASE_URL set to the copy."
    )
