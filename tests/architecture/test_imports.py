"""Imports point down: the contracts of pyproject.toml hold."""

import subprocess
import sys

from tests.architecture.source import ROOT

# A process of its own, because the linter sets up logging for the whole one it runs in.
_LINT = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"


def test_the_import_contracts_hold() -> None:
    linted = subprocess.run([sys.executable, "-c", _LINT], cwd=ROOT, capture_output=True, text=True, check=False)

    assert linted.returncode == 0, linted.stdout + linted.stderr
