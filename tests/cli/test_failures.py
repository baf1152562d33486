"""From an error to a sentence and an exit code."""

import errno
import sqlite3

import pytest

from memcairn.cli.failures import FAILED, REFUSED, WRONG_USAGE, explain
from memcairn.domain.errors import Conflict, DomainError, Forbidden, Invalid, NotFound, Unavailable


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [
        (Invalid("no"), WRONG_USAGE),
        (Conflict("no"), REFUSED),
        (NotFound("no"), REFUSED),
        (Forbidden("no"), REFUSED),
        (Unavailable("no"), FAILED),
    ],
)
def test_a_refusal_keeps_its_words_and_its_kind_decides_the_exit_code(error: DomainError, exit_code: int) -> None:
    failure = explain(error)

    assert (failure.message, failure.exit_code, failure.code) == ("no", exit_code, error.code)


def test_a_system_error_names_the_file_and_a_way_out() -> None:
    failure = explain(OSError(errno.ENOSPC, "No space left on device", "/data/memory.db"))

    assert failure.exit_code == FAILED
    assert failure.code == "enospc"
    assert "No space left on device (/data/memory.db). Free some space" in failure.message


def test_a_system_error_without_a_number_still_says_something() -> None:
    assert "broken" in explain(OSError("broken")).message


def test_a_database_error_says_what_the_database_said() -> None:
    error = RuntimeError("SELECT secret words")
    error.orig = sqlite3.DatabaseError("file is not a database")  # type: ignore[attr-defined]  # as SQLAlchemy does

    failure = explain(error)

    assert "file is not a database" in failure.message
    assert "secret" not in failure.message


def test_an_unknown_error_shows_its_kind_and_not_its_words() -> None:
    failure = explain(ValueError("what somebody said"))

    assert "ValueError" in failure.message
    assert "somebody" not in failure.message


def test_a_missing_module_names_the_extra() -> None:
    failure = explain(ModuleNotFoundError("gone", name="numpy"))

    assert failure.exit_code == WRONG_USAGE
    assert "'numpy'" in failure.message
    assert "memcairn[server]" in failure.message
