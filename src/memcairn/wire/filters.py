"""Filters on metadata, as they travel."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field

_KEYS = frozenset({"jsonpath", "and", "or"})


def _only_known_keys(node: dict[str, Any]) -> dict[str, Any]:
    unknown = [key for key in node if key not in _KEYS]
    if unknown:
        raise ValueError(f"a filter holds `jsonpath`, `and` and `or`; {unknown[0][:100]!r} is none of them")
    return node


MetadataFilter = Annotated[
    dict[str, Any],
    AfterValidator(_only_known_keys),
    Field(
        description="A tree of SQL/JSON paths on metadata: `jsonpath` is a path in PostgreSQL's language (lax mode) "
        "that has to lead somewhere, `and` and `or` hold lists of filters; keys of one object all have to hold.",
        examples=[{"or": [{"jsonpath": '$[*] ? (@.topic == "travel")'}, {"jsonpath": "$.tags[*] ? (@ == 3)"}]}],
    ),
]
