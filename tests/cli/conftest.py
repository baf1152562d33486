"""The command line inside the test's process, without the settings of the environment the tests run in."""

import os
from pathlib import Path

import pytest

from memcairn.cli import program

from .terminal import Answer, Cli


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("MEMCAIRN_") or name == "DATABASE_URL":
            monkeypatch.delenv(name)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Runs one command line to its end."""

    def call(*arguments: str) -> Answer:
        with pytest.raises(SystemExit) as ended:
            program.run(arguments)
        said = capsys.readouterr()
        code = ended.value.code
        return Answer(code if isinstance(code, int) else 0, said.out, said.err)

    return call
