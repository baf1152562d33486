"""`memcairn demo`."""

from memcairn.cli.options import AsJson


def demo(as_json: AsJson = False) -> None:
    """Watch a short conversation become memories, and ask about it; nothing is left behind."""
    from memcairn.cli.demonstration import run_demo  # noqa: PLC0415 -- heavy, and `--help` must answer at once

    run_demo(as_json=as_json)
