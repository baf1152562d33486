"""The documents say what the program does, page by page, and decisions have their form."""

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from memcairn.api import problems
from memcairn.domain import errors
from memcairn.domain.errors import DomainError
from memcairn.settings import Settings
from tests.architecture.routes import ROUTES
from tests.architecture.source import ROOT, Source, program
from tests.faults.figures import published, sentence

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


class TestGeneratedPages:
    @pytest.mark.parametrize("tool", ["http_doc", "client_doc", "cli_doc"])
    def test_a_page_is_what_the_program_says(self, tool: str) -> None:
        status = _tool(tool).main(check=True)

        assert status == 0, f"run `python -m tools.{tool}`"

    def test_the_page_of_routes_names_the_key_each_one_takes(self) -> None:
        page = (ROOT / "docs" / "reference" / "http.md").read_text("utf-8")
        shown = dict(re.findall(r"^\| `([A-Z]+ /\S*)` \| (\S+) \|", page, re.MULTILINE))

        assert shown == {route: _key(scope) for route, scope in ROUTES.items()}


def _key(scope: object) -> str:
    if scope is None:
        return "–"
    return "any" if isinstance(scope, frozenset) else str(scope)


DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))


class TestDecisions:
    @pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
    def test_a_decision_says_what_why_and_instead_of_what(self, page: Path) -> None:
        lines = page.read_text("utf-8").splitlines()

        assert lines[0].startswith(f"# {page.name[:4]}. ")
        assert len([line for line in lines if line.startswith("> ")]) == 1
        assert [line for line in lines if line.startswith("## ")] == ["## Consequences", "## Instead of", "## Held by"]

    @pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
    def test_the_check_that_holds_it_is_there(self, page: Path) -> None:
        held_by = page.read_text("utf-8").partition("## Held by")[2]
        named = [Path(name.partition("::")[0]) for name in re.findall(r"`([^`]+/[^`]+)`", held_by)]
        classes = re.findall(r"`([^`]+)::(\w+)`", held_by)

        assert [str(name) for name in named if not (ROOT / name).exists()] == []
        assert [(file, name) for file, name in classes if f"class {name}" not in (ROOT / file).read_text("utf-8")] == []

    def test_all_are_listed_in_order(self) -> None:
        index = (ROOT / "docs" / "decisions" / "README.md").read_text("utf-8")
        titles = [page.read_text("utf-8").splitlines()[0].removeprefix("# ") for page in DECISIONS]

        assert re.findall(r"^- \[(\d{4})\]\(\S+\): (.+)$", index, re.MULTILINE) == [
            tuple(title.split(". ", 1)) for title in titles
        ]


def test_every_benchmark_is_described() -> None:
    page = (ROOT / "benchmarks" / "README.md").read_text("utf-8")

    assert [path.name for path in (ROOT / "benchmarks").glob("*.py") if f"`{path.name}`" not in page] == []


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


@pytest.mark.parametrize("page", ["reliability.md", "security.md"])
def test_what_a_page_promises_is_shown_by_tests_that_exist(page: str) -> None:
    text = (ROOT / "docs/reference" / page).read_text()
    defined = {
        name for path in (ROOT / "tests").rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())
    }

    assert set(re.findall(r"`(test_\w+)`", text)) <= defined
    assert [path for path in re.findall(r"`(tests/[\w/]+\.py)`", text) if not (ROOT / path).exists()] == []


def test_a_published_figure_is_of_a_test_there_is() -> None:
    pages = (ROOT / "tests" / "faults").glob("test_*.py")
    names = {sentence(name) for page in pages for name in re.findall(r"def (test_\w+)", page.read_text("utf-8"))}

    assert {row.partition("[")[0] for row in published()} - names == set()
