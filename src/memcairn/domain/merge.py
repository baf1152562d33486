"""How metadata is updated: objects are merged, everything else is replaced."""

from collections.abc import Mapping
from typing import Any


def merge(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> dict[str, Any]:
    """A new object: `new` laid over `old`, level by level wherever both hold an object.

    Lists and plain values replace what was there, null included; keys `new` does not name stay. None counts as empty.
    Neither argument is changed, and the result shares no object with them that a caller could change by accident.
    """
    merged: dict[str, Any] = {key: _copied(value) for key, value in (old or {}).items()}
    for key, value in (new or {}).items():
        before = merged.get(key)
        both = isinstance(before, Mapping) and isinstance(value, Mapping)
        merged[key] = merge(before, value) if both else _copied(value)
    return merged


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_copied(inner) for inner in value]
    return value
