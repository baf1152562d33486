"""Pages as programs: the blocks of code in a page, run in their order, and what they say they print.

The `python` blocks of a page are one program, its `bash` blocks one script. A `text` block behind one of them is what
that block prints. Other blocks are shown and not run.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.cli.terminal import environment

ROOT = Path(__file__).parents[2]
PORT_SHOWN = "http://127.0.0.1:8642"
RUN_SECONDS = 60

_BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE)
_BETWEEN = "\x1e"


@dataclass(frozen=True, slots=True)
class Example:
    """One block of code; `prints` is None where the page does not say."""

    code: str
    prints: str | None


def examples(page: Path, language: str) -> list[Example]:
    blocks = list(_BLOCK.finditer(page.read_text("utf-8")))
    followers = [*(block["language"] for block in blocks[1:]), ""]
    outputs = [*(block["code"] for block in blocks[1:]), ""]
    return [
        Example(block["code"], output if follower == "text" else None)
        for block, follower, output in zip(blocks, followers, outputs, strict=True)
        if block["language"] == language
    ]


def run_python(
    found: list[Example], folder: Path, *, url: str = "", key: str = "", python: str = sys.executable
) -> None:
    """Run the blocks as one program in `folder`; fails with what it said, or where it printed something else."""
    program = "".join(f"{example.code}\nprint({_BETWEEN!r})\n" for example in found)
    _compare(found, _run([python, "-W", "error::ResourceWarning", "-c", program.replace(PORT_SHOWN, url)], folder, key))


def run_bash(found: list[Example], folder: Path, *, url: str, key: str) -> None:
    """The same for a script, which finds the commands of this environment and a key in `$KEY`."""
    script = "".join(f"{example.code}\nprintf '{_BETWEEN}\\n'\n" for example in found)
    _compare(found, _run(["bash", "-euo", "pipefail", "-c", script.replace(PORT_SHOWN, url)], folder, key))


def _run(command: list[str], folder: Path, key: str) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment(PATH=path, KEY=key, PYTHONUTF8="1"),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=RUN_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _compare(found: list[Example], said: str) -> None:
    *printed, rest = said.split(f"{_BETWEEN}\n")
    assert (len(printed), rest) == (len(found), "")
    for example, shown in zip(found, printed, strict=True):
        if example.prints is not None:
            assert shown == example.prints, f"{example.code}prints\n{shown}"
