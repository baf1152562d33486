"""Writes the transcript of `memcairn demo` into the README, between its markers; `--check` only says if it is stale."""

import os
import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
BEGIN = "<!-- transcript of `memcairn demo`, written by tools/readme.py -->\n"
END = "<!-- end of transcript -->"

_MILLIS = re.compile(r"\d+(?:\.\d+)? ms\b")


def transcript() -> str:
    """What the demo prints on a terminal without colours; times differ each time and are left out."""
    command = [sys.executable, "-m", "memcairn", "demo"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MEMCAIRN_")}
    environment = kept | {"NO_COLOR": "1", "TERM": "dumb", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(command, env=environment, capture_output=True, check=False, encoding="utf-8")
    if done.returncode:
        raise SystemExit(f"The demo failed:\n{done.stderr}")
    return _MILLIS.sub("… ms", done.stdout)


def renewed(readme: str, shown: str) -> str:
    """The README with `shown` between its markers."""
    head, begin, rest = readme.partition(BEGIN)
    _stale, end, tail = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{README} lacks the lines\n{BEGIN}{END}")
    return f"{head}{begin}\n```console\n$ memcairn demo\n{shown.rstrip()}\n```\n\n{end}{tail}"


def main() -> int:
    before = README.read_text(encoding="utf-8")
    after = renewed(before, transcript())
    if "--check" in sys.argv[1:]:
        if before == after:
            return 0
        print("README.md shows another transcript than the demo prints. Run: python tools/readme.py")
        return 1
    README.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
