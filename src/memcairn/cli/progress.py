"""How far a long command got: a bar for people on standard error, nothing in pipes and scripts."""

import contextlib
import sys
from collections.abc import Callable, Iterator

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from memcairn.cli.output import notes

OnProgress = Callable[[int, int], None]
"""Told how much is done, and how much there is in all; 0 in all: nobody knows."""


@contextlib.contextmanager
def progress(what: str) -> Iterator[OnProgress]:
    """A function to tell how far the work is, for as long as the block runs."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=notes(), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)
