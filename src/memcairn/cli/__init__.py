"""The command line. Nothing heavier than the standard library is imported here: the base install has no more."""

import importlib
import sys

WRONG_USAGE = 2


def main() -> None:
    """The program `memcairn`: without the server extra it says in one sentence how to get it, and exits with 2."""
    try:
        program = importlib.import_module("memcairn.cli.program")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "memcairn":
            raise
        sys.stderr.write(
            f"memcairn: this installation holds the Python client only ({error.name} is missing). "
            "For the command line, run: pip install 'memcairn[server]'\n"
        )
        sys.exit(WRONG_USAGE)
    program.run()
