"""`memcairn worker`."""

from memcairn.cli.options import AsJson, DataDir


def worker(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Process events without serving HTTP, beside a `memcairn serve --no-worker` or several."""
    from memcairn.cli.serving import run_worker  # noqa: PLC0415 -- heavy, and `--help` must answer at once
    from memcairn.settings import load  # noqa: PLC0415 -- the same

    run_worker(load({"data_dir": data_dir}), as_json=as_json)
