"""`memcairn serve`."""

from typing import Annotated

import typer

from memcairn.cli.options import AsJson, DataDir


def serve(
    host: Annotated[
        str | None, typer.Option(help="The address to listen on; 127.0.0.1 if left out.", show_default=False)
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65_535, help="The port; 8642 if left out, 0 takes a free one.", show_default=False),
    ] = None,
    data_dir: DataDir = None,
    no_worker: Annotated[
        bool, typer.Option("--no-worker", help="Leave processing to `memcairn worker` in another process.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run the server: the HTTP API, and the worker that makes memories of what comes in."""
    from memcairn.cli.serving import run_server  # noqa: PLC0415 -- heavy, and `--help` must answer at once
    from memcairn.settings import load  # noqa: PLC0415 -- the same

    worker = False if no_worker else None
    run_server(load({"host": host, "port": port, "data_dir": data_dir, "worker": worker}), as_json=as_json)
