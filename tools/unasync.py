"""Writes the synchronous client from the asynchronous one: `python tools/unasync.py [--check]`.

Both colours are the same text but for the words below. A rule that no longer matches anything is an error, so that the
list cannot outlive what it was for; `--check` writes nothing and fails if a file is not what would be written.
"""

import re
import subprocess
import sys
from pathlib import Path

CLIENT = Path(__file__).parent.parent / "src" / "memcairn" / "client"
RULES = (
    (r"\basync (?=def|with|for)", ""),
    (r"\bawait ", ""),
    (r"\bAsync(?=[A-Z])", ""),
    (r"\b_async\b", "_sync"),
    (r"\b__a(?=enter__|exit__)", "__"),
    (r"\baclose\b", "close"),
    (r"\ba(?=iter_lines\b|read\b)", ""),
    (r"\bAwaitable, ", ""),
    (r"\bAwaitable\[(\w+)\]", r"\1"),
    (r"\basyncio\b", "time"),
)


def translate(text: str, used: set[str]) -> str:
    """The synchronous form of a module; the patterns that matched are added to `used`."""
    for pattern, replacement in RULES:
        text, count = re.subn(pattern, replacement, text)
        used |= {pattern} if count else set()
    return text


def tidy(text: str, path: Path) -> str:
    """As the linter wants it: shorter words move imports and line breaks, and a loop of yields becomes `yield from`."""
    for command in (["check", "--select", "I,UP028", "--fix", "--unsafe-fixes", "--quiet"], ["format", "--quiet"]):
        call = [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(path), "-"]
        text = subprocess.run(call, input=text, capture_output=True, text=True, check=True).stdout
    return text


def generate(source: Path, target: Path) -> dict[Path, str]:
    """What every file of the folder `target` must hold; raises `ValueError` for a rule that matches nothing."""
    used: set[str] = set()
    texts = {target / path.name: translate(path.read_text(), used) for path in sorted(source.glob("*.py"))}
    if idle := [pattern for pattern, _ in RULES if pattern not in used]:
        raise ValueError(f"these rules match nothing any more, remove them: {idle}")
    header = f"# Written by tools/{Path(__file__).name} from ../{source.name}/{{}}: change that, and run it.\n"
    return {path: tidy(header.format(path.name) + text, path) if text else "" for path, text in texts.items()}


def main(check: bool) -> int:
    target = CLIENT / "_sync"
    wanted = generate(CLIENT / "_async", target)
    found = {path: path.read_text() for path in target.glob("*.py")}
    stale = sorted(path for path in wanted.keys() | found.keys() if wanted.get(path) != found.get(path))
    for path in stale:
        print(f"{'stale' if check else 'writing'}: {path.relative_to(CLIENT)}")
        if not check and path in wanted:
            path.write_text(wanted[path])
        elif not check:
            path.unlink()
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
