"""The options several commands share."""

from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[
    Path | None,
    typer.Option(
        help="The folder of the database; ./memcairn-data unless MEMCAIRN_DATA_DIR says otherwise.", show_default=False
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Write the result as JSON on standard output.")]
