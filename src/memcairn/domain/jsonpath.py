"""JSON paths over metadata: PostgreSQL's SQL/JSON path language in lax mode, evaluated with bounded work.

Lax mode forgives: a key looked up in an array is looked up in its elements, `[*]` of a single value is that value, what
is missing yields nothing, and values of different types are neither equal nor ordered. A path that is itself a
condition (`$.a == 1` without a filter) yields one truth value and therefore always exists.
"""

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from memcairn.domain.errors import Invalid
from memcairn.domain.jsonpath_reading import read
from memcairn.domain.jsonpath_tree import (
    LAST,
    And,
    AnyElement,
    AnyKey,
    Compare,
    Current,
    Descend,
    Elements,
    Exists,
    Expression,
    IsUnknown,
    Key,
    LikeRegex,
    Literal,
    Not,
    Or,
    Predicate,
    Root,
    StartsWith,
    Step,
    Walk,
    Where,
)
from memcairn.domain.jsonpath_words import PathError
from memcairn.domain.like_regex import Regex

MAX_STEPS = 200_000
"""Values looked at for one document; an honest path over the largest metadata we take needs fewer."""

Truth = bool | None
"""True, false, or None for unknown: neither a match nor its opposite."""


class Budget:
    """The work an evaluation may still do, in values looked at; it ends with Invalid when it is spent."""

    __slots__ = ("left",)

    def __init__(self, steps: int = MAX_STEPS) -> None:
        self.left = steps

    def spend(self, steps: int = 1) -> None:
        self.left -= steps
        if self.left < 0:
            raise Invalid(
                "This filter looks at too many values of one metadata object. Name keys instead of `.**`, or compare "
                "with fewer values.",
                code="filter_too_costly",
            )


@dataclass(frozen=True, slots=True)
class Path:
    """A path that was understood; `text` is its one spelling that PostgreSQL takes, built from our own words."""

    tree: Expression | Predicate
    text: str

    def exists(self, document: Any, budget: Budget | None = None) -> bool:
        """Whether the path yields at least one item on a JSON value, as `jsonb_path_exists` has it."""
        if isinstance(self.tree, _PREDICATE_TYPES):
            return True
        evaluation = _Evaluation(document, budget or Budget())
        return any(True for _ in evaluation.items(self.tree, document))


def parse_path(text: str) -> Path:
    """The path that `text` spells; Invalid (`invalid_filter`) says what is wrong with it and where."""
    try:
        found = read(text)
    except PathError as error:
        shown = text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "…"
        raise Invalid(
            f"The JSON path {shown!r} cannot be read: {error} (character {error.at + 1}).", code="invalid_filter"
        ) from None
    return Path(found.tree, found.text)


class _Evaluation:
    """One path on one document."""

    def __init__(self, root: Any, budget: Budget) -> None:
        self._root = root
        self._budget = budget

    def items(self, expression: Expression, current: Any) -> Iterator[Any]:
        """What an expression yields, with `current` for `@`."""
        match expression:
            case Root():
                yield self._root
            case Current():
                yield current
            case Literal(value):
                yield value
            case Walk(source, steps):
                for value in self.items(source, current):
                    yield from self._walk(value, steps, 0)

    def _walk(self, value: Any, steps: Sequence[Step], done: int, *, unwrap: bool = True) -> Iterator[Any]:
        """What the steps after the first `done` yield; `unwrap` allows a list to stand for its elements once."""
        self._budget.spend()
        if done == len(steps):
            yield value
            return
        step = steps[done]
        if unwrap and isinstance(value, list) and isinstance(step, _UNWRAPPING):
            for element in value:
                yield from self._walk(element, steps, done, unwrap=False)
            return
        for found in self._step(value, step):
            yield from self._walk(found, steps, done + 1)

    def _step(self, value: Any, step: Step) -> Iterable[Any]:
        match step:
            case Key(name):
                return (value[name],) if isinstance(value, dict) and name in value else ()
            case AnyKey():
                return value.values() if isinstance(value, dict) else ()
            case AnyElement():
                return value if isinstance(value, list) else (value,)
            case Elements(ranges):
                return _elements(value if isinstance(value, list) else [value], ranges)
            case Descend(first, last):
                return self._below(value, first, last)
            case Where(predicate):
                return (value,) if self.truth(predicate, value) else ()

    def _below(self, value: Any, first: int, last: int, level: int = 0) -> Iterator[Any]:
        self._budget.spend()
        inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
        leaves_only = first == last == LAST
        if (leaves_only and inside is None and level > 0) or (not leaves_only and level >= first != LAST):
            yield value
        if inside is not None and (last == LAST or level < last):
            for each in inside:
                yield from self._below(each, first, last, level + 1)

    def truth(self, predicate: Predicate, current: Any) -> Truth:
        match predicate:
            case Compare(op, left, right):
                rights = list(self._unwrapped(right, current))
                return self._any(left, current, lambda value: self._compared(op, value, rights))
            case StartsWith(expression, prefix):
                return self._any(
                    expression, current, lambda value: _on_text(value, lambda text: text.startswith(prefix))
                )
            case LikeRegex(expression, regex):
                return self._any(
                    expression, current, lambda value: _on_text(value, lambda text: self._found(regex, text))
                )
            case Exists(expression):
                return any(True for _ in self.items(expression, current))
            case And(parts):
                return _all_of(self.truth(part, current) for part in parts)
            case Or(parts):
                return _any_of(self.truth(part, current) for part in parts)
            case Not(part):
                truth = self.truth(part, current)
                return None if truth is None else not truth
            case IsUnknown(part):
                return self.truth(part, current) is None

    def _any(self, expression: Expression, current: Any, test: Callable[[Any], Truth]) -> Truth:
        return _any_of(test(value) for value in self._unwrapped(expression, current))

    def _unwrapped(self, expression: Expression, current: Any) -> Iterator[Any]:
        for value in self.items(expression, current):
            if isinstance(value, list):
                yield from value
            else:
                yield value

    def _compared(self, op: str, left: Any, rights: Sequence[Any]) -> Truth:
        self._budget.spend(len(rights))
        return _any_of(_compare(op, left, right) for right in rights)

    def _found(self, regex: Regex, text: str) -> bool:
        return regex.found_in(text, self._budget.spend)


def _elements(values: Sequence[Any], ranges: Sequence[tuple[int, int]]) -> Iterator[Any]:
    final = len(values) - 1
    for first, last in ranges:
        start, end = (final if bound == LAST else bound for bound in (first, last))
        yield from values[start : min(end, final) + 1]


def _any_of(truths: Iterable[Truth]) -> Truth:
    """True if one is, else unknown if one is."""
    unknown = False
    for truth in truths:
        if truth:
            return True
        unknown = unknown or truth is None
    return None if unknown else False


def _all_of(truths: Iterable[Truth]) -> Truth:
    """False if one is, else unknown if one is."""
    unknown = False
    for truth in truths:
        if truth is False:
            return False
        unknown = unknown or truth is None
    return None if unknown else True


def _on_text(value: Any, test: Callable[[str], bool]) -> Truth:
    return test(value) if isinstance(value, str) else None


def _compare(op: str, left: Any, right: Any) -> Truth:
    kind = _kind(left)
    if kind != _kind(right):
        # Null is unlike everything else; other types have nothing to say about each other.
        return op == "!=" if left is None or right is None else None
    if kind is None:
        return op in {"==", "<=", ">="}
    return None if kind is object else bool(_OPERATORS[op](left, right))


def _kind(value: Any) -> type | None:
    """The JSON type of a value; every container is `object`, for none can be compared."""
    if value is None:
        return None
    if isinstance(value, bool):
        return bool
    if isinstance(value, int | float):
        return float
    return str if isinstance(value, str) else object


_SHOWN_CHARS = 200
_UNWRAPPING = (Key, AnyKey, Where)
_PREDICATE_TYPES = (Compare, StartsWith, LikeRegex, Exists, And, Or, Not, IsUnknown)
_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
