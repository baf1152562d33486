"""A candidate: something read out of an event that may become a memory, and what makes two of them the same."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from memcairn.domain.memories import Entity, Memory, MemoryKind
from memcairn.domain.scopes import Level
from memcairn.domain.trust import Trust

MESSAGE = "message"
"""The type of the episodic memory that keeps an event's words as said."""

NEGATED = "not "
"""Begins the value of a candidate that only says what no longer holds ("not paris")."""

_WORD = re.compile(r"\w+")
_ARTICLES = frozenset({"a", "an", "the"})
_DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class Candidate:
    """`text` reads on its own and names its speaker (a message keeps the bare words; `speaker` stands beside it).

    `slot` names an attribute that has one value at a time, `value` is that value in comparable form. `corrects`: the
    speaker says that something believed before is wrong. `digest` is equal for candidates that say the same thing.
    """

    event_id: str
    session_id: str
    position: int
    kind: MemoryKind
    type: str
    text: str
    speaker: str
    confidence: float
    observed_at: datetime
    digest: str
    slot: str | None = None
    value: str | None = None
    title: str | None = None
    tags: Sequence[str] = ()
    entities: Sequence[Entity] = ()
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    corrects: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)
    trust: Trust = Trust.NORMAL

    @property
    def slot_key(self) -> str | None:
        return None if self.slot is None else slot_key(self.speaker, self.slot)


def slot_key(speaker: str, slot: str) -> str:
    """One string per speaker and slot, for look-ups by equality inside a scope."""
    return f"{speaker.casefold()}|{slot}"


def digest_of(words: str, *others: str) -> str:
    """A stable hash of the words of a text, whatever their case and punctuation, and of `others` exactly."""
    parts = (" ".join(_WORD.findall(words.casefold())) or words.strip(), *others)
    return hashlib.blake2b("\x1f".join(parts).encode("utf-8", "replace"), digest_size=_DIGEST_BYTES).hexdigest()


def message_digest(words: str, speaker: str, session_id: str, day: date) -> str:
    """What was said on another day or in another conversation is another episode, however equal the words."""
    return digest_of(words, speaker, MESSAGE, session_id, day.isoformat())


def statement_digest(text: str, speaker: str, kind: MemoryKind, type_: str, day: date) -> str:
    """An event is told of a day; a fact told on two days is one fact."""
    return digest_of(text, speaker, type_, *((day.isoformat(),) if kind is MemoryKind.EPISODIC else ()))


def digest_as(memory: Memory, text: str) -> str:
    """The digest of a candidate that would say `text` as this memory says what it says."""
    day, speaker = memory.observed_at.date(), memory.speaker or ""
    if memory.scope.level is not Level.ACTOR:
        return digest_of(text, memory.scope.key)
    if memory.type == MESSAGE:
        return message_digest(text, speaker, memory.session_id or "", day)
    return statement_digest(text, speaker, memory.kind, memory.type, day)


def value_as(text: str, value: str, edited: str) -> str:
    """The value of a statement that was changed by hand from `text`, in which `value` stood, to `edited`.

    What stands in its place, or else the whole statement: then only the same words are the same value.
    """
    negated, plain = (NEGATED, value.removeprefix(NEGATED)) if value.startswith(NEGATED) else ("", value)
    at = text.casefold().find(plain)
    before, after = text[:at], text[at + len(plain) :]
    in_place = len(edited) > len(before) + len(after) and edited.startswith(before) and edited.endswith(after)
    if at < 0 or not plain or not in_place:
        return negated + normalised_value(edited)
    return negated + normalised_value(edited[len(before) : len(edited) - len(after)])


def normalised_value(value: str) -> str:
    """Case, articles, punctuation and spacing do not make another value."""
    words = [word for word in _WORD.findall(value.casefold()) if word not in _ARTICLES]
    return " ".join(words) or value.strip().casefold()
