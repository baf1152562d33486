"""What every tool that writes a page of the reference does with it."""

import sys
from pathlib import Path

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"


def keep(name: str, wanted: str, *, check: bool) -> int:
    """Write the page unless it says the same already; with `check` write nothing. 0: it was as wanted, or now is."""
    page = REFERENCE / name
    found = page.read_text("utf-8") if page.exists() else ""
    if found == wanted:
        return 0
    print(f"{'stale' if check else 'writing'}: {name}")
    if not check:
        page.write_text(wanted, "utf-8")
    return 1 if check else 0


def asked_to_check() -> bool:
    """Whether the command line says `--check`."""
    return "--check" in sys.argv[1:]


def cell(text: str) -> str:
    """Text as one cell of a table."""
    return " ".join(text.split()).replace("|", "&#124;")
