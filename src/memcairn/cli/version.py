"""`memcairn version`."""

import platform

from memcairn import __version__
from memcairn.cli.options import AsJson
from memcairn.cli.output import emit, results


def version(as_json: AsJson = False) -> None:
    """Print the version."""
    if as_json:
        emit({"version": __version__, "python": platform.python_version()})
    else:
        results().print(f"memcairn {__version__} (Python {platform.python_version()})")
