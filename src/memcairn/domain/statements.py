"""What a text asserts: sentences without quotations, and whether a place in one is stated, asked or only imagined."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from memcairn.domain.rules import Acknowledgements, RuleBook

MAX_SENTENCES = 200
"""Of one text; what follows in a longer one is kept as said and not read for typed memories."""

_MAX_SENTENCE_CHARS = 400  # rules look at the beginning of longer ones
_MAX_TITLE_CHARS = 60
_MAX_ACKNOWLEDGED_CHARS = 200
_MAX_ACKNOWLEDGED_WORDS = 8

_QUOTED = re.compile(r"[\"“«„][^\"“”«»„\n]{1,200}[\"”»“]|^[ \t]{0,3}>[^\n]*$|`[^`\n]{1,200}`", re.MULTILINE)
_SENTENCE = re.compile(
    r"(?:[^.!?\n]|[.](?=\w)|(?<=\bDr)[.]|(?<=\bMr)[.]|(?<=\bMrs)[.]|(?<=\bMs)[.]|(?<=\bSt)[.])+[.!?]*"
)
_SPEECH = re.compile(r"\b(?:i|i'm|i’m|we|you|my|me|your|our|please|always|never)\b", re.IGNORECASE)
_WORD = re.compile(r"\w+(?:['’]\w+)?")
_LONG_RUN = re.compile(r"(\w)\1{2,}")


@dataclass(frozen=True, slots=True)
class Sentence:
    """`text` stands at `start` in its text, apostrophes straight, quotations blanked; `words` are lower-case."""

    text: str
    start: int
    words: frozenset[str]


def sentences(text: str) -> Iterator[Sentence]:
    """In reading order, without what is quoted, at most MAX_SENTENCES."""
    plain = _QUOTED.sub(_without_speech, text).replace("’", "'")
    for count, match in enumerate(_SENTENCE.finditer(plain)):
        if count == MAX_SENTENCES:
            return
        sentence = match[0][:_MAX_SENTENCE_CHARS]
        lead = len(sentence) - len(sentence.lstrip())
        words = frozenset(_WORD.findall(sentence.lower()))
        if words:
            yield Sentence(sentence.strip(), match.start() + lead, words)


def _without_speech(quoted: re.Match[str]) -> str:
    """A quoted title stays; what may be somebody's speech goes, with nothing moved."""
    inside = quoted[0]
    if inside[0] in '"“«„' and len(inside) <= _MAX_TITLE_CHARS and not _SPEECH.search(inside):
        return inside
    return " " * len(inside)


def is_asserted(sentence: str, start: int, end: int, book: RuleBook) -> bool:
    """Whether the speaker states what stands at `start`-`end`: not a question, a condition or somebody else's words."""
    before = sentence[:start]
    if book.inverted.match(sentence) or book.hypothetical.search(sentence, 0, start):
        return False
    if book.reported.search(before):
        return False
    if not sentence.endswith("?"):
        return True
    # "I live in Lisbon, what about you?" states its first half.
    stated_first = "," in sentence[end : end + 2] or " and what" in sentence[end : end + 10]
    return stated_first and not book.questions.match(sentence)


def is_acknowledgement(text: str, known: Acknowledgements) -> bool:
    """Nothing but thanks, greetings, agreement, laughter, signs: the words carry nothing worth keeping."""
    if len(text) > _MAX_ACKNOWLEDGED_CHARS:
        return False
    words = _WORD.findall(text.lower().replace("’", "'"))
    if len(words) > _MAX_ACKNOWLEDGED_WORDS:
        return False
    at = 0
    while at < len(words):
        step = _phrase_at(words, at, known)
        if step == 0:
            return False
        at += step
    return True


def _phrase_at(words: list[str], at: int, known: Acknowledgements) -> int:
    """How many words from `at` on are one known phrase; 0 if none."""
    plain = tuple(_LONG_RUN.sub(r"\1", word) for word in words[at : at + known.longest])
    for length in range(len(plain), 0, -1):
        if plain[:length] in known.phrases:
            return length
    return 1 if known.laughter.fullmatch(words[at]) else 0
