"""The table of cue rules (`rules.json`), compiled once: what sentences look like that say something lasting."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

DEFAULT_LANGUAGE = "en"

_MACRO = re.compile(r"<([A-Z]+)>")


@dataclass(frozen=True, slots=True)
class CueRule:
    """One row of the table.

    `cues` are lower-case words of which a sentence must hold one. `slot`, `value` and `text` are templates over the
    named groups of `pattern`; without `text` the sentence itself is quoted. `negates`: the value stops holding.
    `strong` rules also hear assistants and tools. `needs_date` rules only hear sentences that name a date.
    """

    name: str
    type: str
    cues: frozenset[str]
    pattern: re.Pattern[str]
    slot: str | None
    value: str | None
    text: str | None
    confidence: float
    polarity: str | None
    corrects: bool
    negates: bool
    strong: bool
    needs_date: bool
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RuleBook:
    """The rules of one language with the patterns that say when a sentence asserts nothing."""

    rules: tuple[CueRule, ...]
    by_cue: Mapping[str, tuple[int, ...]]
    """Indexes into `rules`."""
    questions: re.Pattern[str]
    inverted: re.Pattern[str]
    hypothetical: re.Pattern[str]
    reported: re.Pattern[str]
    corrections: re.Pattern[str]
    contrast: re.Pattern[str]
    vague_objects: re.Pattern[str]
    spellings: Mapping[str, str]
    """Words of a slot that are written in two ways."""
    multiple_kin: frozenset[str]
    """Relations one may have several of: without a name there is no telling which."""

    def waking(self, words: frozenset[str] | set[str]) -> list[CueRule]:
        """The rules with a cue among `words`, in the order of the table."""
        indexes = {index for word in words & self.by_cue.keys() for index in self.by_cue[word]}
        return [self.rules[index] for index in sorted(indexes)]


@dataclass(frozen=True, slots=True)
class Acknowledgements:
    """Phrases that carry no substance, as tuples of words; `longest` counts words."""

    phrases: frozenset[tuple[str, ...]]
    longest: int
    laughter: re.Pattern[str]


@cache
def rule_book(language: str = DEFAULT_LANGUAGE) -> RuleBook:
    """Raises KeyError for a language the table does not have."""
    table = _table()
    rows = table["languages"][language]
    macros: Mapping[str, str] = table["macros"]
    rules = tuple(_rule(row, macros) for row in rows["rules"])
    by_cue: dict[str, tuple[int, ...]] = {}
    for index, rule in enumerate(rules):
        for cue in rule.cues:
            by_cue[cue] = (*by_cue.get(cue, ()), index)
    return RuleBook(
        rules,
        by_cue,
        spellings=table["spellings"],
        multiple_kin=frozenset(table["multiple_kin"]),
        **{
            name: _compiled(rows[name], macros)
            for name in (
                "questions",
                "inverted",
                "hypothetical",
                "reported",
                "corrections",
                "contrast",
                "vague_objects",
            )
        },
    )


@cache
def acknowledgements() -> Acknowledgements:
    """Of all languages at once: nobody says which one an "ok" is in."""
    table = _table()
    lists: Sequence[Sequence[str]] = [
        *(language["acknowledgements"] for language in table["languages"].values()),
        *table["acknowledgements"].values(),
    ]
    phrases = frozenset(tuple(phrase.split()) for phrases in lists for phrase in phrases)
    return Acknowledgements(phrases, max(map(len, phrases)), re.compile(table["laughter"]))


@cache
def topics() -> Mapping[str, tuple[str, ...]]:
    """Word to the topic tags it stands for."""
    by_word: dict[str, tuple[str, ...]] = {}
    for topic, words in _table()["topics"].items():
        for word in words:
            by_word[word] = (*by_word.get(word, ()), topic)
    return by_word


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads((files("memcairn.domain") / "rules.json").read_text(encoding="utf-8"))
    return table


def _rule(row: Mapping[str, Any], macros: Mapping[str, str]) -> CueRule:
    return CueRule(
        name=row["name"],
        type=row["type"],
        cues=frozenset(row["cues"]),
        pattern=_compiled(row["pattern"], macros),
        slot=row.get("slot"),
        value=row.get("value"),
        text=row.get("text"),
        confidence=row["confidence"],
        polarity=row.get("polarity"),
        corrects=row.get("corrects", False),
        negates=row.get("negates", False),
        strong=row.get("strong", False),
        needs_date=row.get("needs") == "date",
        tags=tuple(row["tags"]),
    )


def _compiled(pattern: str, macros: Mapping[str, str]) -> re.Pattern[str]:
    while _MACRO.search(pattern):
        pattern = _MACRO.sub(lambda match: macros[match[1]], pattern)
    return re.compile(pattern, re.IGNORECASE)
