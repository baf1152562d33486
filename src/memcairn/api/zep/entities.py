"""Names and dates in a text, in the shape and with the labels of Zep's own extraction."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from memcairn.domain.dates import find_dates
from memcairn.domain.entities import CONCEPT, ORG, PERSON, PLACE, find_entities

LABELS: Mapping[str, str] = {PERSON: "PERSON", ORG: "ORG", PLACE: "LOC", CONCEPT: "MISC"}
"""Ours to those of the tagger Zep runs."""
_MAX_SCANNED_CHARS = 8_000
_REMEMBERED_CHARS = 4_000

Json = dict[str, Any]


def with_entities(metadata: Mapping[str, Any], content: str, *, said_at: datetime) -> Json:
    """A copy of `metadata` with what `content` names under `system.entities`.

    Nothing is added when nothing is named, when the list is there already, or when `system` is not an object.
    """
    view = dict(metadata)
    system = view.get("system", {})
    if isinstance(system, Mapping) and "entities" not in system:
        entities = entities_of(content, said_at)
        if entities:
            view["system"] = {**system, "entities": entities}
    return view


def entities_of(content: str, said_at: datetime) -> Sequence[Json]:
    """Each name and each date phrase once, in reading order, with every place it stands at (end exclusive)."""
    text = content[:_MAX_SCANNED_CHARS]
    return _remembered(text, said_at) if len(text) <= _REMEMBERED_CHARS else _named_in(text, said_at)


def _named_in(text: str, said_at: datetime) -> Sequence[Json]:
    labels = {entity.name: LABELS.get(entity.type, "MISC") for entity in find_entities(text)}
    labels |= {text[slice(*mention.span)]: "DATE" for mention in find_dates(text, said_at)}
    found = [
        {"Name": name, "Label": label, "Matches": matches}
        for name, label in labels.items()
        if (matches := [{"Start": start, "End": start + len(name), "Text": name} for start in _places(text, name)])
    ]
    return sorted(found, key=lambda entity: int(entity["Matches"][0]["Start"]))


# A chat reads its newest messages again with every turn; reading 20 full of names takes 2.6 ms, remembering them 0.1.
_remembered = lru_cache(maxsize=1_024)(_named_in)


def _places(text: str, name: str) -> Iterator[int]:
    """Where `name` stands as a word of its own."""
    start = text.find(name)
    while start >= 0:
        around = text[max(0, start - 1) : start] + text[start + len(name) : start + len(name) + 1]
        if not any(char.isalnum() or char == "_" for char in around):
            yield start
        start = text.find(name, start + len(name))
