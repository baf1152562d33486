"""What is logged is structured, and never what people said."""

import io
import json
import logging
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from memcairn.observability import logs


@dataclass
class Memory:
    text: str


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _untouched_root() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def logged(message: str, *, error: BaseException | None = None, **fields: object) -> dict[str, Any]:
    out = io.StringIO()
    logs.configure("debug", json=True, stream=out)
    logging.getLogger("memcairn.song").info(message, exc_info=error, extra=fields)
    line: dict[str, Any] = json.loads(out.getvalue())
    return line


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:  # noqa: BLE001 # to give it a traceback
        return caught


def test_a_line_is_json_with_its_fields() -> None:
    line = logged("sung", verses=3, ms=1.5, ids=["a", "b"], at=datetime(2026, 1, 2, tzinfo=UTC), again=None)

    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "sung",
        "level": "info",
        "logger": "memcairn.song",
        "verses": 3,
        "ms": 1.5,
        "ids": ["a", "b"],
        "at": "2026-01-02T00:00:00+00:00",
        "again": None,
    }


@pytest.mark.parametrize(
    "name",
    [
        "content",
        "text",
        "query",
        "secret",
        "key",
        "authorization",
        "api_key",
        "Authorization",
        "raw_content",
        "secret_part",
    ],
)
def test_fields_that_hold_what_people_said_are_hidden(name: str) -> None:
    fields: dict[str, Any] = {name: "the private words"}

    assert logged("sung", **fields)[name] == logs.HIDDEN


@pytest.mark.parametrize("name", ["query_ms", "key_id", "text_bytes", "content_type", "monkey"])
def test_fields_about_such_things_are_shown(name: str) -> None:
    fields: dict[str, Any] = {name: "shown"}

    assert logged("sung", **fields)[name] == "shown"


def test_hidden_names_are_found_inside_collections() -> None:
    line = logged("sung", request={"id": 1, "items": [{"content": "private"}], "headers": {"X-Api-Key": "private"}})

    assert line["request"] == {"id": 1, "items": [{"content": logs.HIDDEN}], "headers": {"X-Api-Key": logs.HIDDEN}}


def test_objects_are_named_by_their_type_and_not_shown() -> None:
    assert logged("sung", memory=Memory("private"), raw=b"private")["memory"] == "<Memory>"


def test_a_value_that_holds_itself_ends_somewhere() -> None:
    value: list[Any] = [1]
    value.append(value)

    assert logged("sung", value=value)["value"] == [1, [1, [1, [1, "<list>"]]]]


def test_long_values_are_cut() -> None:
    assert len(logged("sung", path="x" * 10_000)["path"]) == logs.MAX_FIELD_CHARS + 1


def test_a_field_named_event_does_not_replace_the_message() -> None:
    line = logged("sung", event="e1")

    assert (line["event"], line["event_"]) == ("sung", "e1")


def test_a_half_character_does_not_break_the_line() -> None:
    assert logged("sung", title="a\ud800")["title"] == "a\\ud800"


def test_the_request_being_served_is_named() -> None:
    token = logs.bind_request_id("r1")
    try:
        inside = logged("sung")
    finally:
        logs.unbind_request_id(token)
    outside = logged("sung")

    assert inside["request_id"] == "r1"
    assert "request_id" not in outside


def test_a_traceback_shows_where_and_which_error_but_not_its_words() -> None:
    line = logged("failed", error=raised(ValueError("the private words")))

    assert "test_logs.py" in line["exception"]
    assert line["exception"].endswith("ValueError")
    assert "the private words" not in json.dumps(line)


@pytest.mark.parametrize("error", [sqlite3.OperationalError("disk I/O error"), OSError(28, "No space left on device")])
def test_errors_about_files_and_tables_keep_their_words(error: Exception) -> None:
    assert logged("failed", error=raised(error))["exception"].endswith(f"{type(error).__name__}: {error}")


def test_the_cause_of_an_error_comes_first() -> None:
    first = raised(ValueError("private"))
    second = KeyError("private")
    second.__cause__ = first

    text = logged("failed", error=raised(second))["exception"]

    assert text.index("ValueError") < text.index("KeyError")
    assert "private" not in text


def test_every_error_of_a_group_is_described() -> None:
    text = logged("failed", error=raised(ExceptionGroup("two", [ValueError("private"), KeyError("private")])))[
        "exception"
    ]

    assert text.endswith("ExceptionGroup\n[1] ValueError\n[2] KeyError")


def test_errors_that_caused_each_other_are_described_once() -> None:
    first, second = ValueError("a"), KeyError("b")
    first.__cause__, second.__cause__ = second, first

    text = logs.describe(raised(first))

    assert (text.count("ValueError"), text.count("KeyError")) == (1, 1)


def test_a_terminal_gets_lines_for_people() -> None:
    out = Terminal()
    logs.configure(stream=out)

    logging.getLogger("memcairn.song").info("sung", extra={"verses": 3, "content": "private"})

    assert "sung" in out.getvalue()
    assert not out.getvalue().startswith("{")
    assert "private" not in out.getvalue()


def test_a_file_gets_json_without_being_told() -> None:
    out = io.StringIO()
    logs.configure(stream=out)

    logging.getLogger("memcairn.song").warning("sung %d verses", 3)

    assert json.loads(out.getvalue())["event"] == "sung 3 verses"


def test_lines_below_the_level_are_left_out() -> None:
    out = io.StringIO()
    logs.configure("warning", json=True, stream=out)

    logging.getLogger("memcairn.song").info("sung")

    assert out.getvalue() == ""


def test_configuring_again_does_not_double_the_lines() -> None:
    out = io.StringIO()
    logs.configure(json=True, stream=out)
    logs.configure(json=True, stream=out)

    logging.getLogger("memcairn.song").info("sung")

    assert len(out.getvalue().splitlines()) == 1


def test_the_servers_own_access_lines_are_silenced() -> None:
    out = io.StringIO()
    logs.configure(json=True, stream=out)

    logging.getLogger("uvicorn.access").info('GET "/v1/memories?q=private"')
    logging.getLogger("uvicorn.error").info("started")

    assert [json.loads(line)["event"] for line in out.getvalue().splitlines()] == ["started"]
