"""Writes the page of the command line from its commands: `python -m tools.cli_doc [--check]`.

`--check` writes nothing and fails if the page is not what would be written.
"""

import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer
from typer.models import ArgumentInfo, ParameterInfo

from memcairn.cli.program import app
from tools.page import asked_to_check, cell, keep

HEAD = """\
# Command line

<!-- Written by tools/cli_doc.py from the commands: change those, and run it. -->

Exit codes: 0 done, 1 failed, 2 wrong usage or setting, 3 refused by the state of things. With `--json` a command writes
one JSON object on standard output, and an error as one on standard error. `memcairn --debug …` shows the traceback of
an error. Options win over the environment; [settings](settings.md) lists the variables.
"""

TYPES = {str: "text", int: "whole number", Path: "path"}


def page() -> str:
    """The whole page."""
    return HEAD + "".join(_command(name, function) for name, function in _commands(app, "memcairn"))


def _commands(group: typer.Typer, prefix: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    for command in group.registered_commands:
        if command.callback is not None:
            yield f"{prefix} {command.name}", command.callback
    for inner in group.registered_groups:
        if inner.typer_instance is not None:
            yield from _commands(inner.typer_instance, f"{prefix} {inner.name}")


def _command(name: str, function: Callable[..., Any]) -> str:
    """One command: how it is called, what it does, and its parameters."""
    hints = typing.get_type_hints(function, include_extras=True)
    parameters = [(one, *_split(hints[one.name])) for one in inspect.signature(function).parameters.values()]
    places = [info.metavar or one.name.upper() for one, _, info in parameters if isinstance(info, ArgumentInfo)]
    call = " ".join([name, *places])
    says = " ".join((inspect.getdoc(function) or "").split())
    rows = "".join(_row(one, kind, info) for one, kind, info in parameters)
    return f"\n## {call}\n\n{says}\n\n| Option | Value | Default | Meaning |\n|---|---|---|---|\n{rows}"


def _split(hint: Any) -> tuple[Any, ParameterInfo]:
    """The type a parameter takes, and what Typer was told about it."""
    kind, *extras = typing.get_args(hint)
    info = next(each for each in extras if isinstance(each, ParameterInfo))
    if isinstance(kind, types.UnionType):
        kind = next(each for each in typing.get_args(kind) if each is not types.NoneType)
    return kind, info


def _row(parameter: inspect.Parameter, kind: Any, info: ParameterInfo) -> str:
    default = parameter.default
    shown = "" if default in (None, False) else "required" if default is parameter.empty else f"`{default}`"
    return f"| `{_name(parameter, info)}` | {_value(kind, info)} | {shown} | {cell(info.help or '')} |\n"


def _name(parameter: inspect.Parameter, info: ParameterInfo) -> str:
    if isinstance(info, ArgumentInfo):
        return info.metavar or parameter.name.upper()
    # Typer takes the first name of an annotated option where a default would stand.
    given = [info.default] if isinstance(info.default, str) else []
    return ", ".join([*given, *(info.param_decls or ())]) or f"--{parameter.name.replace('_', '-')}"


def _value(kind: Any, info: ParameterInfo) -> str:
    if kind is bool:
        return ""
    several = typing.get_origin(kind) is list
    values = TYPES[typing.get_args(kind)[0] if several else kind]
    if info.min is not None:
        values += f", {info.min} to {info.max}" if info.max is not None else f", at least {info.min}"
    return f"{values}, several times" if several else values


def main(*, check: bool) -> int:
    return keep("cli.md", page(), check=check)


if __name__ == "__main__":
    sys.exit(main(check=asked_to_check()))
