"""The reference says what the program does: every setting and every error code is on its page."""

import ast
import importlib.util
import re
from collections.abc import Iterator
from types import ModuleType

import pytest

from memcairn.api import problems
from memcairn.domain import errors
from memcairn.domain.errors import DomainError
from memcairn.settings import Settings
from tests.architecture.source import ROOT, Source, program

PAGE = (ROOT / "docs" / "reference" / "errors.md").read_text("utf-8")
ROW = re.compile(r"^\| `(?P<code>\w+)` \| (?:(?P<status>\d{3}) \| )?(?P<meaning>[^|]+) \| (?P<way_out>[^|]+) \|$", re.M)
ERRORS = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, DomainError)}


def _tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class TestSettings:
    def test_the_page_is_what_the_settings_say(self, capsys: pytest.CaptureFixture[str]) -> None:
        status = _tool("settings_doc").main(check=True)

        assert status == 0, "run `python tools/settings_doc.py`"

    def test_every_setting_has_a_docstring(self) -> None:
        assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def _raised() -> Iterator[tuple[str, ast.expr, Source, ast.Call]]:
    """Every error made with a code of its own: the name of its kind, and its code."""
    for source in program():
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS:
                yield from ((node.func.id, each.value, source, node) for each in node.keywords if each.arg == "code")


def _codes() -> dict[str, set[int]]:
    """Every code the program can give, and the statuses of the kinds it is raised as."""
    found = [(error.code, _status(error)) for error in ERRORS.values()]
    found += [(code, status) for status, code in problems._CODE_BY_STATUS.items()]
    for kind, literal, _, _ in _raised():
        if isinstance(literal, ast.Constant):
            found.append((str(literal.value), _status(ERRORS[kind], str(literal.value))))
    codes: dict[str, set[int]] = {}
    for code, status in found:
        codes.setdefault(code, set()).add(status)
    return codes


def _status(kind: type[DomainError], code: str | None = None) -> int:
    error = kind.__new__(kind)
    error.code = code or kind.code
    return problems.status_of(error)


class TestErrors:
    def test_a_code_is_a_word_that_can_be_searched_for(self) -> None:
        computed = [
            f"{source.place(call)} {ast.unparse(code)}"
            for _, code, source, call in _raised()
            if not isinstance(code, ast.Constant) and ast.unparse(code) != "error.code"
        ]

        assert computed == []

    def test_every_code_is_documented(self) -> None:
        assert sorted(_codes().keys() - {row["code"] for row in ROW.finditer(PAGE)}) == []

    def test_nothing_else_is_documented(self) -> None:
        assert sorted({row["code"] for row in ROW.finditer(PAGE)} - _codes().keys()) == []

    def test_documented_statuses_are_the_ones_given(self) -> None:
        codes = _codes()
        wrong = [
            (row["code"], row["status"], codes[row["code"]])
            for row in ROW.finditer(PAGE)
            if row["status"] is not None and int(row["status"]) not in codes.get(row["code"], {int(row["status"])})
        ]

        assert wrong == []

    def test_no_code_is_documented_twice(self) -> None:
        documented = [row["code"] for row in ROW.finditer(PAGE)]

        assert sorted(documented) == sorted(set(documented))
