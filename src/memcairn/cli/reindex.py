"""`memcairn reindex`."""

from dataclasses import asdict
from typing import Annotated

import typer

from memcairn.cli.options import AsJson, DataDir
from memcairn.cli.output import emit, results


def reindex(
    org_id: Annotated[
        str | None, typer.Option("--org", help="Only this org; every org if left out.", metavar="ID")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Make every row anew, with its vector; else only what is wrong or missing.")
    ] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Compare the search index and the tallies with the memories and mend them; a server may serve meanwhile."""
    from memcairn.cli.reindexing import reindex_database  # noqa: PLC0415 -- heavy, and `--help` must answer at once

    done, torn = reindex_database(data_dir, org_id=org_id, everything=everything)
    if as_json:
        emit(asdict(done) | {"word_index_mended": torn})
        return
    if torn:
        results().print("The word index was torn and was made anew.")
    results().print(
        f"{done.checked} memories checked: {done.mended} put into the index, {done.removed} taken out, "
        f"{done.stray_words} stray words removed, {done.recounted} counts put right, {done.queued} forgotten "
        "events queued."
    )
