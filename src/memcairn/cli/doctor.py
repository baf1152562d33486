"""`memcairn doctor`."""

from typing import Annotated

import typer

from memcairn.cli.failures import FAILED
from memcairn.cli.options import AsJson, DataDir
from memcairn.cli.output import emit, escape, results, table

_MARKS = {"ok": "[green]ok[/]  ", "note": "[yellow]note[/]", "failed": "[red]FAIL[/]"}


def doctor(
    deep: Annotated[
        bool, typer.Option("--deep", help="Also read every row and compare all that is stored twice; takes a while.")
    ] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Check settings, database and parts, and say what to do; changes nothing, exits with 1 if a check failed."""
    from memcairn.cli.deep_diagnosis import diagnose_deep  # noqa: PLC0415 -- heavy, and `--help` must answer at once
    from memcairn.cli.diagnosis import diagnose  # noqa: PLC0415 -- the same

    diagnosis = diagnose_deep(data_dir) if deep else diagnose(data_dir)
    if as_json:
        emit(diagnosis.as_json())
    else:
        out = results()
        for check in diagnosis.checks:
            out.print(f"{_MARKS[check.state]} {check.name:<11} {escape(check.says)}")
        rows = [(setting.name, setting.value, setting.origin) for setting in diagnosis.settings]
        out.print()
        out.print(table(("SETTING", "VALUE", "FROM"), rows))
    if diagnosis.failed:
        raise typer.Exit(FAILED)
