"""Writes the page of the SDK from the client itself: `python -m tools.client_doc [--check]`.

`--check` writes nothing and fails if the page is not what would be written.
"""

import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from memcairn import MemcairnClient
from memcairn.client import errors
from memcairn.wire.base import Request, Response
from tools.page import asked_to_check, cell, keep

HEAD = """\
# The Python client

<!-- Written by tools/client_doc.py from the client itself: change its docstrings, and run it. -->

```python
from memcairn import AsyncMemcairnClient, MemcairnClient
```

Below stands `MemcairnClient`. `AsyncMemcairnClient` has the same methods with the same parameters: what returns a value
is awaited, what returns an `Iterator` is gone through with `async for`. Both are context managers, and `close` does by
hand what leaving the block does. Where a method takes a model (`NewEvent`, `NewMessage`) a dictionary will do.

"""

WIDTH = 110
Methods = Mapping[str, Callable[..., Any]]


def page() -> str:
    """The whole page."""
    with MemcairnClient(api_key="nobody asks anything") as client:
        parts = {name: part for name, part in vars(client).items() if not name.startswith("_")}
    text = [HEAD, f"## MemcairnClient\n\n{_words(MemcairnClient)}\n\n"]
    text += _methods("client", _public(MemcairnClient))
    for name, part in parts.items():
        text.append(f"## client.{name}\n\n{_words(type(part))}\n\n")
        text += _methods(f"client.{name}", _public(type(part)))
    owners: list[type] = [MemcairnClient, *(type(part) for part in parts.values())]
    return "".join([*text, _models(owners), _errors()])


def _public(owner: type) -> Methods:
    found = {name: getattr(owner, name) for name in vars(owner) if not name.startswith("_") or name == "__init__"}
    return {name: member for name, member in found.items() if callable(member)}


def _methods(owner: str, methods: Methods) -> Iterator[str]:
    for name, method in methods.items():
        if name == "__init__":
            yield f"```python\n{_call('MemcairnClient', method)}\n```\n\n"
            continue
        yield f"### {owner}.{name}\n\n```python\n{_call(name, method)}\n```\n\n{_words(method)}\n\n"


def _call(name: str, method: Callable[..., Any]) -> str:
    """The signature as it is called, on one line or with one parameter a line."""
    signature = inspect.signature(method)
    parameters = [_parameter(one) for one in signature.parameters.values() if one.name not in ("self", "cls")]
    keyword_only = [one.kind is one.KEYWORD_ONLY for one in signature.parameters.values() if one.name != "self"]
    if True in keyword_only:
        parameters.insert(keyword_only.index(True), "*")
    returned = "" if name == "MemcairnClient" else f" -> {_plain(signature.return_annotation)}"
    line = f"{name}({', '.join(parameters)}){returned}"
    if len(line) <= WIDTH:
        return line
    return f"{name}(\n" + "".join(f"    {parameter},\n" for parameter in parameters) + f"){returned}"


def _parameter(parameter: inspect.Parameter) -> str:
    text = f"{parameter.name}: {_plain(parameter.annotation)}"
    if parameter.default is parameter.empty:
        return text
    default = parameter.default
    shown = f"{default.__module__}.{default.__name__}" if inspect.isbuiltin(default) else repr(default)
    return f"{text} = {shown}"


def _plain(annotation: Any) -> str:
    """A type without its modules, its rules and the shapes of functions."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _plain(arguments[0])
    if origin is typing.Literal:
        return " | ".join(map(repr, arguments))
    if origin in (typing.Union, types.UnionType):
        return " | ".join(map(_plain, arguments))
    if annotation is typing.Self:
        return "MemcairnClient"
    if annotation is None or annotation is types.NoneType:
        return "None"
    name = getattr(origin or annotation, "__name__", str(annotation))
    if not arguments or name == "Callable":
        return name
    return f"{name}[{', '.join(map(_plain, arguments))}]"


def _words(described: Any) -> str:
    return " ".join((inspect.getdoc(described) or "").split("\n")).replace("  ", "\n\n").strip()


# What goes in and what comes back


def _models(owners: list[type]) -> str:
    found: dict[str, type[BaseModel]] = {}
    for owner in owners:
        for method in _public(owner).values():
            hints = typing.get_type_hints(method)
            for hint in hints.values():
                _collect(hint, found)
    sent = sorted(name for name, model in found.items() if issubclass(model, Request))
    answered = sorted(name for name, model in found.items() if issubclass(model, Response))
    return (
        "## What is handed over\n\nFields with a default may be left out.\n\n"
        + "".join(_model(found[name]) for name in sent)
        + "\n## What comes back\n\nModels of pydantic, not to be changed; times carry their zone.\n\n"
        + "".join(_model(found[name]) for name in answered)
    )


def _collect(hint: Any, found: dict[str, type[BaseModel]]) -> None:
    for part in typing.get_args(hint):
        _collect(part, found)
    if inspect.isclass(hint) and issubclass(hint, BaseModel) and hint.__name__ not in found:
        found[hint.__name__] = hint
        for field in hint.model_fields.values():
            _collect(field.annotation, found)


def _model(model: type[BaseModel]) -> str:
    fields = []
    for name, field in model.model_fields.items():
        kind = _plain(field.annotation)
        default = "" if field.is_required() else f" = {field.get_default(call_default_factory=True)!r}"
        fields.append(f"`{name}: {kind}{default}`")
    own = model.__doc__ if "__doc__" in vars(model) else ""
    says = cell(inspect.cleandoc(own or ""))
    return f"- **{model.__name__}**: {', '.join(fields)}.{f' {says}' if says else ''}\n"


def _errors() -> str:
    kinds = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, errors.MemcairnError)]
    rows = "".join(f"| `{kind.__name__}` | `{kind.__bases__[0].__name__}` | {cell(_words(kind))} |\n" for kind in kinds)
    return f"\n## Errors\n\nAll in `memcairn.client`.\n\n| Error | Is a | Meaning |\n|---|---|---|\n{rows}"


def main(*, check: bool) -> int:
    return keep("client.md", page(), check=check)


if __name__ == "__main__":
    sys.exit(main(check=asked_to_check()))
