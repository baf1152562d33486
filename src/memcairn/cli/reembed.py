"""`memcairn reembed`."""

from dataclasses import asdict
from typing import Annotated

import typer

from memcairn.cli.options import AsJson, DataDir
from memcairn.cli.output import emit, results


def reembed(
    org_id: Annotated[
        str | None, typer.Option("--org", help="Only this org; every org if left out.", metavar="ID")
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Bring every vector to the embedder of the settings; may be stopped and begun again, while a server serves."""
    from memcairn.cli.reembedding import reembed_database  # noqa: PLC0415 -- heavy, and `--help` must answer at once

    done = reembed_database(data_dir, org_id=org_id)
    if as_json:
        emit(asdict(done))
        return
    results().print(
        f"{done.segments} segments of memories have a vector of {done.model}; {done.words_only} have none and are "
        "found by words."
    )
