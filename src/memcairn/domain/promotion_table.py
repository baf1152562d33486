"""The table by which statements of several people are compared and made general (`promotion_rules.json`)."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True)
class PromotionTable:
    """The rows of the table, compiled; all words are lower-case.

    `canonical` maps a word to the one that stands for its row of synonyms, `opposites` one to the word it denies.
    `unlike` are pairs of words for different things: an embedder that finds them alike says little about others.
    """

    rewrites: tuple[tuple[re.Pattern[str], str], ...]
    empty: frozenset[str]
    faint: frozenset[str]
    negators: frozenset[str]
    upper: frozenset[str]
    lower: frozenset[str]
    canonical: Mapping[str, str]
    opposites: Mapping[str, str]
    antonyms: frozenset[frozenset[str]]
    unlike: tuple[tuple[str, str], ...]
    personal_tags: frozenset[str]
    personal: re.Pattern[str]
    habitual: re.Pattern[str]
    own: re.Pattern[str]
    talk: re.Pattern[str]
    past: re.Pattern[str]
    addressed: re.Pattern[str]
    passing: re.Pattern[str]
    pointing: re.Pattern[str]
    leaders: re.Pattern[str]
    generic_speakers: frozenset[str]
    given_names: frozenset[str]


@cache
def promotion_table() -> PromotionTable:
    table: dict[str, Any] = json.loads((files("memcairn.domain") / "promotion_rules.json").read_text(encoding="utf-8"))
    rows = [row.split() for row in table["synonyms"]]
    canonical: dict[str, str] = {}
    for row in rows:
        for word in row:
            canonical.setdefault(word, row[0])

    def words(name: str) -> frozenset[str]:
        return frozenset(table[name].split())

    def pattern(name: str) -> re.Pattern[str]:
        return re.compile(table[name], re.IGNORECASE)

    return PromotionTable(
        rewrites=tuple((re.compile(phrase, re.IGNORECASE), into) for phrase, into in table["rewrites"]),
        empty=words("empty"),
        faint=words("faint"),
        negators=words("negators"),
        upper=words("upper"),
        lower=words("lower"),
        canonical=canonical,
        opposites=table["opposites"],
        antonyms=frozenset(frozenset(canonical.get(word, word) for word in pair) for pair in table["antonyms"]),
        unlike=tuple((one, other) for one, other in table["unlike"]),
        personal_tags=frozenset(table["personal_tags"]),
        personal=pattern("personal"),
        habitual=pattern("habitual"),
        own=pattern("own"),
        talk=pattern("talk"),
        past=pattern("past"),
        addressed=pattern("addressed"),
        passing=pattern("passing"),
        pointing=pattern("pointing"),
        leaders=pattern("leaders"),
        generic_speakers=frozenset(table["generic_speakers"]),
        given_names=words("given_names"),
    )
