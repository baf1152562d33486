"""The shape of the code: small files and functions, honest names, no shortcuts."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, Source, everything, length, program

EMPTY_NAMES = {"utils", "helpers", "common", "manager"}
OPTIONAL_EXTRAS = {"cli", "providers", "integrations"}
"""Where an import may stand inside a function: what it imports is heavy, or not installed everywhere."""

CATCHES_EVERYTHING = ("src/memcairn/pipeline/worker.py", "src/memcairn/api/problems.py", "src/memcairn/observability/")
DANGEROUS_CALLS = {"eval", "exec", "compile", "__import__"}
DANGEROUS_MODULES = {"pickle", "marshal", "shelve", "dill"}

DOCUMENTED = {"client", "core", "providers", "settings.py"}
"""Packages whose public classes, and whose public functions of some length, say what their signature does not."""
SPEAKS_FOR_ITSELF = 12
"""Lines up to which a function's name may say it all."""

# The rule that is switched off, and a reason behind it.
REASONED = re.compile(
    r"#\s*(?:noqa:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*\s*(?:--|#)\s*\w|type:\s*ignore\[[\w, -]+\]\s*#\s*\w)"
)
IGNORES = re.compile(r"#\s*(?:noqa|type:\s*ignore|pragma:\s*no cover|pyright:\s*ignore)", re.IGNORECASE)

MACHINE_PATHS = re.compile(r"(?<![\w.~])(?:/home/\w+|/Users/\w+|/(?:root|work)/|/mnt/\w+|/var/folders/|C:\\\\Users)")
SECRETS = re.compile(
    r"\b(?:sk-[A-Za-z0-9]{20,}|ghp_[A-Za-z0-9]{36}|AKIA[0-9A-Z]{16}|xox[bap]-[\w-]{10,}|hf_[A-Za-z0-9]{30,})"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
FOLDERS = ("src", "tests", "tools", "benchmarks", "docs", "scripts", ".ci")
TEXT_FILES = ("*.py", "*.md", "*.toml", "*.json", "*.sh", "*.yml", "*.yaml", "*.txt", "*.cfg", "*.mako")


def _names(found: Iterator[str]) -> str:
    return "\n".join(sorted(found))


class TestSize:
    def test_no_file_is_longer_than_a_reader_follows(self) -> None:
        limits = {"src": 600}
        long = (
            f"{source.name}: {lines} lines"
            for source in everything()
            if (lines := source.text.count("\n")) > limits.get(source.name.split("/")[0], 800)
            and "/migrations/versions/" not in source.name
        )

        assert not _names(long)

    def test_no_function_is_longer_than_a_screen(self) -> None:
        long = (
            f"{source.place(function)} {function.name}: {length(function)} lines"
            for source in everything()
            for function in source.functions()
            if length(function) > (60 if source.name.startswith("src/") else 80)
            and "/migrations/versions/" not in source.name
        )

        assert not _names(long)


class TestNames:
    def test_no_module_is_called_by_a_word_that_says_nothing(self) -> None:
        empty = (
            source.name
            for source in everything()
            if EMPTY_NAMES & set(source.name.removesuffix(".py").replace("_", "/").split("/"))
        )

        assert not _names(empty)


class TestImports:
    def test_imports_stand_at_the_top(self) -> None:
        hidden = (
            f"{source.place(node)} in {function.name}"
            for source in program()
            if source.package not in OPTIONAL_EXTRAS
            for function in source.functions()
            for node in ast.walk(function)
            if isinstance(node, ast.Import | ast.ImportFrom)
        )

        assert not _names(hidden)

    def test_nothing_runs_data_as_code(self) -> None:
        modules = (
            f"{source.place(node)} imports {name}"
            for source in program()
            for node in ast.walk(source.tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in _imported(node)
            if name.split(".")[0] in DANGEROUS_MODULES
        )
        calls = (
            f"{source.place(node)} calls {ast.unparse(node.func)}"
            for source in program()
            for node in ast.walk(source.tree)
            if isinstance(node, ast.Call) and _is_dangerous(node)
        )

        assert not _names(modules)
        assert not _names(calls)


def _imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]


def _is_dangerous(call: ast.Call) -> bool:
    called = ast.unparse(call.func)
    if called in DANGEROUS_CALLS or called == "yaml.load":
        return True
    return any(
        keyword.arg == "shell" and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is False)
        for keyword in call.keywords
    )


class TestErrors:
    def test_everything_is_caught_only_where_nothing_may_get_through(self) -> None:
        broad = (
            f"{source.place(handler)} catches {_caught(handler)}"
            for source in program()
            if not source.name.startswith(CATCHES_EVERYTHING)
            for handler in ast.walk(source.tree)
            if isinstance(handler, ast.ExceptHandler)
            and not {"", "Exception", "BaseException"}.isdisjoint(_caught(handler))
        )

        assert not _names(broad)

    def test_nothing_is_suppressed_wholesale(self) -> None:
        broad = (
            source.place(node)
            for source in program()
            for node in ast.walk(source.tree)
            if isinstance(node, ast.Call)
            and ast.unparse(node.func).endswith("suppress")
            and any(ast.unparse(argument) in ("Exception", "BaseException") for argument in node.args)
        )

        assert not _names(broad)


def _caught(handler: ast.ExceptHandler) -> list[str]:
    if handler.type is None:
        return [""]
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return [ast.unparse(kind) for kind in kinds]


def test_only_the_command_line_prints() -> None:
    printed = (
        source.place(node)
        for source in program()
        if source.package != "cli"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "breakpoint", "pprint")
    )

    assert not _names(printed)


class TestIgnores:
    def test_every_rule_switched_off_says_why(self) -> None:
        silent = (
            f"{source.name}:{number}: {line.strip()}"
            for source in everything()
            if source.name != "tests/architecture/test_shape.py"
            for number, line in enumerate(source.text.splitlines(), start=1)
            if IGNORES.search(line) and not REASONED.search(line)
        )

        assert not _names(silent)

    @pytest.mark.parametrize(
        ("line", "reasoned"),
        [
            ("x  # noqa: S101 -- our own invariant", True),
            ("x  # noqa: S101, B008 # our own invariant", True),
            ("x  # type: ignore[arg-type]  # pydantic checks the values", True),
            ("x  # noqa: S101", False),
            ("x  # noqa", False),
            ("x  # type: ignore", False),
            ("x  # type: ignore[arg-type]", False),
            ("x  # type: ignore[arg-type]  #", False),
        ],
    )
    def test_a_reason_is_told_from_its_absence(self, line: str, reasoned: bool) -> None:
        assert bool(REASONED.search(line)) == reasoned


class TestDocstrings:
    def test_every_module_says_what_it_is(self) -> None:
        silent = (source.name for source in everything() if source.tree.body and not ast.get_docstring(source.tree))

        assert not _names(silent)

    def test_public_classes_say_what_they_are(self) -> None:
        silent = (
            f"{source.place(node)} {node.name}"
            for source in program()
            if source.package in DOCUMENTED
            for node in source.tree.body
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and not ast.get_docstring(node)
        )

        assert not _names(silent)

    def test_public_functions_of_some_length_say_what_they_promise(self) -> None:
        silent = (
            f"{source.place(node)} {node.name}"
            for source in program()
            if source.package in DOCUMENTED and not _is_private(source)
            for node in source.tree.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and not node.name.startswith("_")
            and length(node) > SPEAKS_FOR_ITSELF
            and not ast.get_docstring(node)
        )

        assert not _names(silent)


def _is_private(source: Source) -> bool:
    return any(part.startswith("_") and part != "__init__.py" for part in source.name.split("/"))


class TestTree:
    def test_no_machine_and_no_secret_is_mentioned(self) -> None:
        found = (
            f"{path.relative_to(ROOT)}: {match[0]}"
            for path in _texts()
            for pattern in (MACHINE_PATHS, SECRETS)
            for match in pattern.finditer(path.read_text("utf-8"))
        )

        assert not _names(found)


def _texts() -> Iterator[Path]:
    for pattern in TEXT_FILES:
        yield from ROOT.glob(pattern)
        for folder in FOLDERS:
            yield from (path for path in (ROOT / folder).rglob(pattern) if path.name != "test_shape.py")
