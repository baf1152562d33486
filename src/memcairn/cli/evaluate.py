"""`memcairn eval`."""

from pathlib import Path
from typing import Annotated

import typer

from memcairn.cli.options import AsJson


def evaluate(
    folder: Annotated[Path, typer.Argument(help="Holds docs.jsonl and queries.jsonl, plain or .gz.", metavar="DIR")],
    limit: Annotated[
        int | None, typer.Option(min=1, help="Ask at most this many questions, spread evenly over the set.")
    ] = None,
    tenants: Annotated[int | None, typer.Option(min=1, help="Use the first so many tenants only.")] = None,
    embedder: Annotated[str | None, typer.Option(help="The embedder; that of the settings if left out.")] = None,
    database: Annotated[
        str | None, typer.Option(help="An empty Postgres database to measure on; it is empty again afterwards.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure recall and speed on conversations with questions and known answers.

    Everything goes through the same core as on the server, on a database in a temporary folder, or on that of
    `--database`; the one of the settings is left alone.
    """
    from memcairn.cli.eval_report import run_eval  # noqa: PLC0415 -- heavy, and `--help` must answer at once

    run_eval(folder, limit=limit, tenants=tenants, embedder=embedder, database=database, as_json=as_json)
