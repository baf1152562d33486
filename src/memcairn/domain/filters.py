"""Conditions on metadata: a tree of JSON paths joined by `and` and `or`.

    Node := { "jsonpath"?: path, "and"?: [Node, …], "or"?: [Node, …] }

Keys of one node all have to hold; an empty node always does. Metadata that is null matches no path.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from memcairn.domain.errors import Invalid
from memcairn.domain.jsonpath import Budget, Path, parse_path

MAX_DEPTH = 32
MAX_PATHS = 64
"""Paths in one filter; each is looked at for each row."""

NODE_KEYS = frozenset({"jsonpath", "and", "or"})
WHERE_KEYS = frozenset({"where", "start_date", "end_date"})


@dataclass(frozen=True, slots=True)
class PathNode:
    path: Path


@dataclass(frozen=True, slots=True)
class AllOf:
    """True where every part is; without parts always."""

    parts: "Sequence[Node]"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """True where one part is; it has at least one."""

    parts: "Sequence[Node]"


Node = PathNode | AllOf | AnyOf


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on metadata, and the bounds on the time of creation that the longer form can carry (both included).

    `source` spells the condition as JSON: equal sources are equal conditions.
    """

    root: Node
    source: str
    start: datetime | None = None
    end: datetime | None = None

    @property
    def selects(self) -> bool:
        """Whether the condition on metadata can turn anything away."""
        return _selects(self.root)

    def matches(self, metadata: Mapping[str, Any] | None, budget: Budget | None = None) -> bool:
        """Whether the metadata fulfils the condition; `start` and `end` are not looked at."""
        return _holds(self.root, None if metadata is None else dict(metadata), budget or Budget())


def parse_filter(raw: Mapping[str, Any], *, pointer: str = "/metadata") -> Filter:
    """The filter a caller sent: a Node, or the longer form `{"where"?: Node, "start_date"?, "end_date"?}`.

    Invalid (`invalid_filter`) with a pointer below `pointer` for unknown keys, wrong types, paths that cannot be read,
    more than MAX_PATHS of them and nesting over MAX_DEPTH. Dates are ISO 8601; a day alone is its first moment in UTC.
    """
    if not WHERE_KEYS & raw.keys():
        return _filter(raw, pointer)
    _check_keys(raw, WHERE_KEYS, pointer)
    where = raw.get("where")
    start, end = (_moment(raw.get(key), f"{pointer}/{key}") for key in ("start_date", "end_date"))
    return _filter({} if where is None else where, f"{pointer}/where", start=start, end=end)


def _filter(raw: Any, pointer: str, *, start: datetime | None = None, end: datetime | None = None) -> Filter:
    root = _node(raw, pointer, depth=1)
    paths = _count(root)
    if paths > MAX_PATHS:
        raise _refusal(f"The filter holds {paths} paths; {MAX_PATHS} are allowed.", pointer)
    return Filter(root, json.dumps(raw, sort_keys=True, separators=(",", ":")), start, end)


def _node(raw: Any, pointer: str, *, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise _refusal(f"The filter is nested more than {MAX_DEPTH} deep.", pointer)
    if not isinstance(raw, Mapping):
        raise _refusal('A filter is an object such as {"jsonpath": "$[*] ? (@.topic == \\"work\\")"}.', pointer)
    _check_keys(raw, NODE_KEYS, pointer)
    parts: list[Node] = []
    if raw.get("jsonpath") is not None:
        parts.append(_path(raw["jsonpath"], f"{pointer}/jsonpath"))
    if raw.get("and") is not None:
        parts.append(AllOf(_nodes(raw["and"], f"{pointer}/and", depth=depth)))
    if raw.get("or") is not None:
        parts.append(AnyOf(_nodes(raw["or"], f"{pointer}/or", depth=depth)))
    return parts[0] if len(parts) == 1 else AllOf(tuple(parts))


def _nodes(raw: Any, pointer: str, *, depth: int) -> tuple[Node, ...]:
    if not isinstance(raw, Sequence) or isinstance(raw, str) or not raw:
        raise _refusal("`and` and `or` hold a list of at least one filter.", pointer)
    return tuple(_node(each, f"{pointer}/{place}", depth=depth + 1) for place, each in enumerate(raw))


def _path(raw: Any, pointer: str) -> PathNode:
    if not isinstance(raw, str):
        raise _refusal("`jsonpath` holds a path in a string.", pointer)
    try:
        return PathNode(parse_path(raw))
    except Invalid as error:
        raise _refusal(error.message, pointer) from None


def _check_keys(raw: Mapping[str, Any], known: frozenset[str], pointer: str) -> None:
    for key in raw:
        if key not in known:
            allowed = ", ".join(f"`{name}`" for name in sorted(known))
            raise _refusal(f"{str(key)[:100]!r} is no part of a filter; {allowed} are.", pointer)


def _moment(raw: Any, pointer: str) -> datetime | None:
    if raw is None or raw == "":
        return None
    try:
        moment = datetime.fromisoformat(raw.strip())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (AttributeError, ValueError, OverflowError):
        raise _refusal("A date is written in ISO 8601, such as 2026-03-15 or 2026-03-15T14:22:10Z.", pointer) from None


def _refusal(message: str, pointer: str) -> Invalid:
    return Invalid(message, code="invalid_filter", pointer=pointer)


def _count(node: Node) -> int:
    return 1 if isinstance(node, PathNode) else sum(map(_count, node.parts))


def _selects(node: Node) -> bool:
    if isinstance(node, PathNode):
        return True
    return any(map(_selects, node.parts)) if isinstance(node, AllOf) else all(map(_selects, node.parts))


def _holds(node: Node, metadata: dict[str, Any] | None, budget: Budget) -> bool:
    match node:
        case PathNode(path):
            return metadata is not None and path.exists(metadata, budget)
        case AllOf(parts):
            return all(_holds(part, metadata, budget) for part in parts)
        case AnyOf(parts):
            return any(_holds(part, metadata, budget) for part in parts)
