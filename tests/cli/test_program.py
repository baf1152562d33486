"""The program as a whole: help, exit codes, and what it says when parts are missing."""

import subprocess
import sys

import pytest

import memcairn

from .terminal import Cli, environment

COMMANDS = ["serve", "worker", "demo", "eval", "orgs", "keys", "migrate", "doctor", "version"]


def loaded_by(*arguments: str) -> set[str]:
    code = (
        "import sys\nfrom memcairn.cli import program\n"
        f"try:\n    program.run({list(arguments)!r})\nexcept SystemExit:\n    print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_help_names_every_command(cli: Cli) -> None:
    answer = cli("--help")

    assert answer.exit_code == 0
    assert [name for name in COMMANDS if f" {name} " not in answer.out] == []


@pytest.mark.parametrize("command", [*COMMANDS, "orgs create", "keys create", "keys list", "keys revoke", "orgs list"])
def test_every_command_explains_itself_and_offers_json(cli: Cli, command: str) -> None:
    answer = cli(*command.split(), "--help")

    assert answer.exit_code == 0
    assert "--json" in answer.out or command in ("orgs", "keys")


def test_help_loads_nothing_heavy() -> None:
    modules = loaded_by("--help")

    assert "typer" in modules
    assert not modules & {"fastapi", "numpy", "sqlalchemy", "uvicorn", "wordllama", "pydantic", "memcairn.app"}


def test_version_is_that_of_the_package(cli: Cli) -> None:
    assert cli("version").out.startswith(f"memcairn {memcairn.__version__} ")
    assert cli("version", "--json").json()["version"] == memcairn.__version__


@pytest.mark.parametrize("arguments", [["nonsense"], ["serve", "--port", "x"], ["keys", "create"], ["eval"]])
def test_wrong_usage_exits_with_two(cli: Cli, arguments: list[str]) -> None:
    answer = cli(*arguments)

    assert answer.exit_code == 2
    assert answer.out == ""
    assert "Error" in answer.err


def test_a_refusal_with_json_is_json_on_standard_error(cli: Cli) -> None:
    answer = cli("keys", "list", "--org", "nowhere", "--json")

    assert answer.exit_code == 3
    assert answer.out == ""
    assert answer.error()["code"] == "org_not_found"


def test_the_client_only_installation_names_what_to_install() -> None:
    code = "import sys\nsys.modules['typer'] = None\nfrom memcairn.cli import main\nmain()"

    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "pip install 'memcairn[server]'" in done.stderr


def test_an_error_nobody_expected_is_one_sentence_and_a_traceback_only_on_request() -> None:
    code = (
        "import sys\nfrom memcairn.cli import main\nfrom memcairn.cli import program\n"
        "def broken(*_): raise ZeroDivisionError\nprogram.version.results = broken\nmain()"
    )

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", code, *arguments]
        return subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)

    quiet, loud = run("version"), run("--debug", "version")
    assert quiet.returncode == loud.returncode == 1
    assert quiet.stderr.startswith("memcairn: This should not have happened (ZeroDivisionError).")
    assert "Traceback" not in quiet.stderr
    assert "Traceback" in loud.stderr
    assert "ZeroDivisionError" in loud.stderr
