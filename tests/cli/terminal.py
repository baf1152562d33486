"""What a command line gives back, in this process or in one of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAM = (sys.executable, "-m", "memcairn")


@dataclass(frozen=True, slots=True)
class Answer:
    exit_code: int
    out: str
    err: str

    def json(self) -> Any:
        """The one JSON object on standard output."""
        (line,) = self.out.splitlines()
        return json.loads(line)

    def error(self) -> Any:
        """The JSON error on standard error, which a command with `--json` writes there."""
        return json.loads(self.err.splitlines()[-1])["error"]


Cli = Callable[..., Answer]


def environment(**more: str) -> Mapping[str, str]:
    """This process's environment without settings of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MEMCAIRN_")}
    kept.pop("DATABASE_URL", None)
    return kept | {"NO_COLOR": "1"} | more


def start(*arguments: str, cwd: Path, **variables: str) -> subprocess.Popen[str]:
    """The program in a process of its own, with pipes to read what it says."""
    return subprocess.Popen(
        [*PROGRAM, *arguments],
        cwd=cwd,
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def finish(process: subprocess.Popen[str], *, within_seconds: float = 30) -> Answer:
    """Its exit code and whatever it said that was not read yet; a process that takes too long is killed and fails."""
    try:
        out, err = process.communicate(timeout=within_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return Answer(process.returncode, out, err)


def ready(process: subprocess.Popen[str]) -> Any:
    """What a server or worker started with `--json` says once it is ready."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, finish(process).err
    return json.loads(line)
