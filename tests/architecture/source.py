"""The program as data: every Python file with its text and its syntax tree, read once."""

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src" / "memcairn"

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One file; `name` is its path from the root of the repository."""

    name: str
    text: str
    tree: ast.Module

    @property
    def package(self) -> str:
        """The first folder below the program (`store`), or the file itself (`settings.py`)."""
        parts = Path(self.name).parts
        return parts[2] if parts[0] == "src" else parts[0]

    def functions(self) -> Iterator[Function]:
        for node in ast.walk(self.tree):
            if isinstance(node, Function):
                yield node

    def place(self, node: ast.stmt | ast.expr | ast.excepthandler) -> str:
        return f"{self.name}:{node.lineno}"


@functools.cache
def program() -> tuple[Source, ...]:
    """Every file of the package."""
    return _read("src")


@functools.cache
def everything() -> tuple[Source, ...]:
    """Every Python file of the repository."""
    return (*program(), *_read("tests"), *_read("tools"), *_read("benchmarks"))


def length(node: Function) -> int:
    """Lines of a function without its decorators: a table of cases is no code."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _read(folder: str) -> tuple[Source, ...]:
    paths = sorted(path for path in (ROOT / folder).rglob("*.py") if "__pycache__" not in path.parts)
    texts = [(path, path.read_text("utf-8")) for path in paths]
    return tuple(Source(str(path.relative_to(ROOT)), text, ast.parse(text)) for path, text in texts)
