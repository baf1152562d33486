"""`memcairn backup` and `memcairn restore`."""

from pathlib import Path
from typing import Annotated

import typer

from memcairn.cli.options import AsJson, DataDir
from memcairn.cli.output import emit, results


def backup(
    file: Annotated[Path, typer.Argument(help="The file to write; it must not exist yet.", metavar="FILE")],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Copy the whole SQLite database to one file, with every org, while a server goes on writing.

    The copy is checked, and its SHA-256 stands beside it in FILE.sha256. It holds everything the database holds:
    keep it as safe. Orgs alone are moved by `memcairn export`.
    """
    from memcairn.cli.copies import back_up_database  # noqa: PLC0415 -- heavy, and `--help` must answer at once

    done = back_up_database(data_dir, file)
    if as_json:
        emit(done.as_json())
    else:
        results().print(f"{done.copy.path}: {done.says}. It is whole; its SHA-256 stands in {file.name}.sha256.")


def restore(
    file: Annotated[Path, typer.Argument(help="The file `memcairn backup` wrote.", metavar="FILE")],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Put a backup into a data folder that holds no database yet, after checking it; overwrites nothing."""
    from memcairn.cli.copies import restore_database  # noqa: PLC0415 -- heavy, and `--help` must answer at once

    done = restore_database(data_dir, file)
    if as_json:
        emit(done.as_json())
        return
    results().print(f"{done.copy.path}: {done.says}. Next: memcairn serve --data-dir {done.copy.path.parent}")
    if not done.copy.digest_checked:
        results().print(
            f"There is no {file.name}.sha256 beside the backup: its structure was checked, single bytes were not. "
            "`memcairn doctor --deep` looks closer."
        )
