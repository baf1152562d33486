"""Calling endpoints whose signatures are plain, without the framework's resolution of dependencies.

The framework reads what an endpoint needs from a tree of dependencies, anew for each request: about as much work as the
rest of a small request together. Where a signature holds nothing but the parts of a request, they are taken from it
here. Whatever is missing or refused is left to the framework, which then reads the request again and words the answer.
"""

import inspect
import types
import typing
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Request, Response, params
from pydantic import BaseModel, TypeAdapter, ValidationError

Endpoint = Callable[..., Awaitable[Response]]

_SCALARS = (str, int, float, bool)


@dataclass(frozen=True, slots=True)
class _Scalar:
    """A parameter of the query or of the header."""

    name: str
    wire_name: str
    type: TypeAdapter[Any]
    default: Any
    in_header: bool


@dataclass(frozen=True, slots=True)
class Signature:
    """What an endpoint takes, by the name of each parameter."""

    requests: tuple[str, ...] = ()
    in_path: tuple[str, ...] = ()
    scalars: tuple[_Scalar, ...] = ()
    bodies: tuple[tuple[str, type[BaseModel]], ...] = ()
    of_request: tuple[tuple[str, Callable[[Request], Awaitable[Any]]], ...] = ()

    async def arguments(self, request: Request) -> Mapping[str, Any] | None:
        """What to call the endpoint with; None when the framework has to say what is wrong with the request.

        What a dependency raises is raised here, as the framework would raise it.
        """
        given: dict[str, Any] = dict.fromkeys(self.requests, request)
        for name in self.in_path:
            given[name] = request.path_params[name]
        try:
            for scalar in self.scalars:
                given[scalar.name] = _value(request, scalar)
            for name, model in self.bodies:
                given[name] = model.model_validate(await request.json() if await request.body() else None)
        except (ValidationError, _MissingError):
            return None
        for name, of_request in self.of_request:
            given[name] = await of_request(request)
        return given


class _MissingError(Exception):
    """A parameter without a default is not there."""


def signature_of(endpoint: Callable[..., Any], path_names: set[str]) -> Signature | None:
    """The signature, if all of it is plain; None: call the endpoint through the framework."""
    hints = typing.get_type_hints(endpoint, include_extras=True)
    answers = hints.pop("return", None)
    if not inspect.iscoroutinefunction(endpoint) or not _is_a(answers, Response):
        return None
    found: dict[str, list[Any]] = {"requests": [], "in_path": [], "scalars": [], "bodies": [], "of_request": []}
    for name, parameter in inspect.signature(endpoint).parameters.items():
        place = _placed(name, hints[name], parameter.default, path_names)
        if place is None:
            return None
        found[place[0]].append(place[1])
    if len(found["bodies"]) > 1:
        return None
    return Signature(**{kind: tuple(its) for kind, its in found.items()})


def _placed(name: str, hint: Any, default: Any, path_names: set[str]) -> tuple[str, Any] | None:
    """Which field of a signature a parameter belongs to, and what stands there for it."""
    bare, marks = _apart(hint)
    mark = marks[0] if len(marks) == 1 else None
    if isinstance(mark, params.Depends):
        plain = default is inspect.Parameter.empty and _takes_a_request(mark.dependency)
        return ("of_request", (name, mark.dependency)) if plain else None
    if not marks and _is_a(bare, Request):
        return "requests", name
    if name in path_names:
        return ("in_path", name) if bare is str and not marks else None
    if not marks and _is_a(bare, BaseModel):
        return ("bodies", (name, bare)) if default is inspect.Parameter.empty else None
    if (isinstance(mark, params.Query | params.Header) or not marks) and _is_scalar(bare):
        in_header = isinstance(mark, params.Header)
        wire_name = getattr(mark, "alias", None) or (name.replace("_", "-") if in_header else name)
        return "scalars", _Scalar(name, wire_name, TypeAdapter(hint), default, in_header)
    return None


def _apart(hint: Any) -> tuple[Any, list[Any]]:
    """A hint without what it is annotated with for the framework, and that."""
    if typing.get_origin(hint) is not Annotated:
        return hint, []
    bare, *marks = typing.get_args(hint)
    known = [mark for mark in marks if isinstance(mark, params.Param | params.Body | params.Depends)]
    return bare, known


def _is_scalar(hint: Any) -> bool:
    """Whether one value of the query is all of it: lists take several."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return all(_is_scalar(each) for each in typing.get_args(hint))
    if typing.get_origin(hint) is Annotated:
        return _is_scalar(typing.get_args(hint)[0])
    return typing.get_origin(hint) is typing.Literal or hint is type(None) or hint in _SCALARS


def _is_a(hint: Any, kind: type) -> bool:
    return isinstance(hint, type) and issubclass(hint, kind)


def _takes_a_request(dependency: Any) -> bool:
    if not inspect.iscoroutinefunction(dependency):
        return False
    taken = list(inspect.signature(dependency).parameters)
    return len(taken) == 1 and _is_a(typing.get_type_hints(dependency).get(taken[0]), Request)


def _value(request: Request, scalar: _Scalar) -> Any:
    source: Mapping[str, str] = request.headers if scalar.in_header else request.query_params
    raw = source.get(scalar.wire_name)
    if raw is not None:
        return scalar.type.validate_python(raw)
    if scalar.default is inspect.Parameter.empty:
        raise _MissingError
    return scalar.default
