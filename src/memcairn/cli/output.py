"""What a command says: results on standard output, everything else on standard error."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markup import escape as escape
from rich.table import Table

_FILE_COLUMNS = 200
"""Tables in files and pipes are not cut to the 80 columns of a terminal."""


def results() -> Console:
    """For people who read a result; a command with `--json` uses `emit` instead."""
    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _FILE_COLUMNS)


def notes() -> Console:
    """For everything that is not the result: banners, progress, warnings."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def emit(value: Mapping[str, Any]) -> None:
    """One JSON object on one line of standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=_plain) + "\n")
    sys.stdout.flush()


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = ()) -> Table:
    """A plain table; the columns named in `right` hold numbers."""
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        drawn.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(escape(cell) for cell in row))
    return drawn


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
