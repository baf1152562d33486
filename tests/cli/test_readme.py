"""The README shows what the program really does."""

import re
import subprocess
import sys
from pathlib import Path

from memcairn.cli.program import app

from .terminal import Cli, environment

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_transcript_is_what_the_demo_prints() -> None:
    done = subprocess.run(
        [sys.executable, "tools/readme.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_first_example_runs_as_it_stands(tmp_path: Path) -> None:
    found = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert found is not None

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", found[1]],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "hazelnuts" in done.stdout.splitlines()[0]


def test_every_command_is_in_the_table(cli: Cli) -> None:
    commands = [command.name for command in app.registered_commands] + [group.name for group in app.registered_groups]

    assert [name for name in commands if f"`memcairn {name}" not in README] == []
