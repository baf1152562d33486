"""What a statement says, in a form that two people's wordings of it share, and how far two of them agree.

Shared words cannot tell "deploys are allowed on Fridays" from "deploys are frozen on Fridays", and vectors of whole
sentences tell them apart no better. So a statement is read into parts that must agree exactly (numbers, days, names,
whether it affirms or denies, what comes first) and content words that are aligned one by one: by their stems, by a
short table of synonyms, and by the nearness of their vectors where the embedder is sure of it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from memcairn.domain.date_words import MONTHS, WEEKDAYS
from memcairn.domain.promotion_table import promotion_table
from memcairn.domain.wording import plain

AGREED = 0.74
"""Agreement from which two statements say the same."""
NEAR_WORDS = 0.45
"""Cosine from which two words stand for each other; more if the embedder finds unlike words nearer than that."""
FAINT = 0.3
"""Weight of words such as "handle", beside 1 for others."""
TOLERATED = 0.06
"""What each of two statements may say that the other does not, as a part of what both say."""

LEAST_SHARED = 3.6
"""What two statements must share, counted on both sides: two content words or numbers, or one and three faint words."""
_NEARER = 0.02

Vectors = Mapping[str, NDArray[np.float32]]
"""Word to unit vector. Words without one are compared by their letters alone."""

_TOKEN = re.compile(r"\d+(?::\d\d|(?:\.\d+)?)|[^\W\d_]+")
_CAPITALISED = re.compile(r"[^\W\d_][^\W_]*")
_TRAILING_CLAUSE = re.compile(r",\s(?:and\s)?(?:it|they|which|so)\b.*$")
_ORDER = re.compile(r"\b(before|after)\b(?!\s+\d)")
_FIRST_THEN = re.compile(r"^(.*)\bfirst\b(.*?)\b(?:afterwards|then)\b(.*)$")
_NOT_UNTIL = re.compile(r"^(.*\b(?:not|never|no)\b.*)\buntil\b(.*)$")
_TURNED = {"in": "out", "out": "in", "on": "off", "off": "on", "up": "down", "down": "up"}
"""Small words that make a verb the reverse of itself: "sign in" and "sign out"."""
_SIDE_REACH = 3
"""Words between "more than" and its number."""


class Opposition(StrEnum):
    """How a statement excludes another: it denies it, or gives another number, day or name for the same thing."""

    DENIED = "denied"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Sense:
    """What a statement says. `weights`: content terms to weights; `words`: each term to the word it stands for.

    `fixed` are the numbers, days and months, `names` the terms of names, `halves` holds "am" or "pm". `denies`: an odd
    number of negations. `turns` are verbs with the small word behind them that may reverse them. `side`: 1 or -1 when
    it speaks of more or of less than a number. `order`: the terms of what comes first and of what comes second, when
    it says so.
    """

    weights: Mapping[str, float]
    words: Mapping[str, str]
    fixed: frozenset[str]
    names: frozenset[str]
    halves: frozenset[str]
    denies: bool
    turns: frozenset[tuple[str, str]]
    side: int
    order: tuple[frozenset[str], frozenset[str]] | None

    @property
    def keys(self) -> frozenset[str]:
        """What a statement that says the same is looked up by."""
        return frozenset(self.weights) | self.fixed


def sense_of(text: str, stem: Callable[[str], str]) -> Sense:
    words = plain(text)
    reading = _Reading(stem)
    reading.read(words)
    order = _order(words, stem)
    negations = reading.negations(_TRAILING_CLAUSE.sub("", words))
    if order is not None and order.spends_negation:
        negations -= 1
    names = _names(text, reading)
    return Sense(
        weights=reading.weights,
        words=reading.words,
        fixed=frozenset(reading.fixed),
        names=names,
        halves=frozenset(reading.halves),
        denies=negations % 2 == 1,
        turns=frozenset(reading.turns),
        side=reading.side,
        order=None if order is None else (order.first, order.second),
    )


def agreement(one: Sense, other: Sense, vectors: Vectors, near: float = NEAR_WORDS) -> float:
    """From 0 (they speak of different things, or exclude each other) to 1; AGREED and above: they say the same."""
    if one.fixed != other.fixed or _denied(one, other):
        return 0.0
    if one.halves and other.halves and one.halves.isdisjoint(other.halves):
        return 0.0
    if not (one.names <= other.weights.keys() and other.names <= one.weights.keys()):
        return 0.0
    if _crossed(one.order, other.order) or any((verb, _TURNED[way]) in other.turns for verb, way in one.turns):
        return 0.0
    return _aligned(one, other, vectors, near)


def opposition(one: Sense, other: Sense, vectors: Vectors, near: float = NEAR_WORDS) -> Opposition | None:
    """Whether two statements about the same thing exclude each other; None when they do not, or speak of others."""
    if one.fixed == other.fixed and one.names == other.names and _denied(one, other):
        return Opposition.DENIED if _aligned(one, other, vectors, near) >= AGREED else None
    if len(one.fixed) != len(other.fixed) or len(one.fixed - other.fixed) != 1 or _denied(one, other):
        return None
    # What they say differently stands in the same place of both: they share that, too.
    least = LEAST_SHARED - 2.0
    return Opposition.CHANGED if _aligned(one, other, vectors, near, least=least) >= AGREED else None


def near_words(vectors: Vectors) -> float:
    """The cosine from which an embedder is believed that two words mean the same.

    None of the table's pairs of unlike words, as far as they have vectors, is as near as that.
    """
    pairs = [pair for pair in promotion_table().unlike if vectors.keys() >= set(pair)]
    return max([NEAR_WORDS, *(float(vectors[one] @ vectors[other]) + _NEARER for one, other in pairs)])


def _denied(one: Sense, other: Sense) -> bool:
    """A statement with "more than" is turned round by a negation; one without says nothing about the side."""
    if one.side and other.side:
        return (one.denies == (one.side > 0)) != (other.denies == (other.side > 0))
    return not one.side and not other.side and one.denies != other.denies


def _crossed(
    one: tuple[frozenset[str], frozenset[str]] | None, other: tuple[frozenset[str], frozenset[str]] | None
) -> bool:
    if one is None or other is None:
        return False
    straight = len(one[0] & other[0]) + len(one[1] & other[1])
    return len(one[0] & other[1]) + len(one[1] & other[0]) > straight


def _aligned(one: Sense, other: Sense, vectors: Vectors, near: float, *, least: float = LEAST_SHARED) -> float:
    """The weighted part of the words of both that the other has too; 0 if each says something of its own."""
    shared = one.weights.keys() & other.weights.keys()
    matched = 2.0 * sum(one.weights[term] for term in shared)
    left = {term for term in one.weights if term not in shared}
    right = {term for term in other.weights if term not in shared}
    for _, mine, theirs in _near_pairs(left, right, (one, other), vectors, near):
        if mine in left and theirs in right:
            matched += one.weights[mine] + other.weights[theirs]
            left.discard(mine)
            right.discard(theirs)
    if any(frozenset((mine, theirs)) in promotion_table().antonyms for mine in left for theirs in right):
        return 0.0
    alone_left, alone_right = sum(one.weights[term] for term in left), sum(other.weights[term] for term in right)
    matched += 2.0 * len(one.fixed & other.fixed)
    less, more = sorted((alone_left, alone_right))
    if matched < least or (less > TOLERATED * matched / 2.0 and more > FAINT):
        return 0.0
    return matched / (matched + alone_left + alone_right)


def _near_pairs(
    left: set[str], right: set[str], senses: tuple[Sense, Sense], vectors: Vectors, near: float
) -> list[tuple[float, str, str]]:
    """Words that mean the same by their vectors, the nearest first."""
    antonyms = promotion_table().antonyms
    found = []
    for mine in left:
        for theirs in right:
            one, other = vectors.get(senses[0].words[mine]), vectors.get(senses[1].words[theirs])
            if one is None or other is None or frozenset((mine, theirs)) in antonyms:
                continue
            cosine = float(one @ other)
            if cosine >= near:
                found.append((cosine, mine, theirs))
    return sorted(found, reverse=True)


class _Reading:
    """The words of a plain text, sorted into what they do in it."""

    def __init__(self, stem: Callable[[str], str]) -> None:
        self._stem = stem
        self._table = promotion_table()
        self.weights: dict[str, float] = {}
        self.words: dict[str, str] = {}
        self.fixed: set[str] = set()
        self.halves: set[str] = set()
        self.turns: set[tuple[str, str]] = set()
        self.side = 0

    def read(self, words: str) -> None:
        tokens = _TOKEN.findall(words)
        for at, token in enumerate(tokens):
            if token[0].isdigit():
                self.fixed.add(token)
            elif token in ("am", "pm") and at and tokens[at - 1][0].isdigit():
                self.halves.add(token)
            elif (day := _day_or_month(tokens, at)) is not None:
                self.fixed.add(day)
            elif (side := self._side(tokens, at)) != 0:
                self.side = side
            elif token not in self._table.negators and token not in self._table.empty and len(token) > 1:
                self._add(token)
            if token in _TURNED and at and tokens[at - 1] not in self._table.empty:
                self.turns.add((self.term(tokens[at - 1]), token))
        self.fixed.discard("1")  # "within a week" is "within one week"

    def negations(self, words: str) -> int:
        tokens = _TOKEN.findall(words)
        return sum(token in self._table.negators or token in self._table.opposites for token in tokens)

    def term(self, word: str) -> str:
        word = self._table.opposites.get(word, word)
        return self._table.canonical.get(word) or self._table.canonical.get(stemmed := self._stem(word)) or stemmed

    def _add(self, token: str) -> None:
        term = self.term(token)
        faint = self._table.faint
        weight = FAINT if token in faint or term in faint else 1.0
        self.weights[term] = max(weight, self.weights.get(term, 0.0))
        self.words.setdefault(term, token)

    def _side(self, tokens: list[str], at: int) -> int:
        side = (tokens[at] in self._table.upper) - (tokens[at] in self._table.lower)
        nearby = tokens[max(0, at - _SIDE_REACH) : at + _SIDE_REACH + 1]
        return side if side and any(token[0].isdigit() for token in nearby) else 0


def _day_or_month(tokens: list[str], at: int) -> str | None:
    token = tokens[at]
    day = token.removesuffix("s")
    if len(day) > 4 and day in WEEKDAYS:
        return day
    if token in ("may", "march"):
        beside = tokens[max(0, at - 2) : at + 2]
        return token if any(each[0].isdigit() for each in beside) else None
    return token if len(token) > 3 and token in MONTHS else None


def _names(text: str, reading: _Reading) -> frozenset[str]:
    """Terms of words that have a capital of their own; none where every word has one."""
    words = _CAPITALISED.findall(text.replace("’", "'"))
    found = {
        word
        for at, word in enumerate(words)
        if any(char.isupper() for char in word[1:]) or (at > 0 and word[0].isupper() and len(word) > 1)
    }
    if len(found) * 2 > len(words):
        return frozenset()
    return frozenset(reading.term(word.lower()) for word in found) & reading.weights.keys()


@dataclass(frozen=True, slots=True)
class _Order:
    first: frozenset[str]
    second: frozenset[str]
    spends_negation: bool
    """ "Never close it before they answered" only says what comes first."""


def _order(words: str, stem: Callable[[str], str]) -> _Order | None:
    sides = _sides(words)
    if sides is None:
        return None
    first, second, spends = sides
    before, after = _Reading(stem), _Reading(stem)
    before.read(first)
    after.read(second)
    if not before.weights or not after.weights:
        return None
    return _Order(frozenset(before.weights), frozenset(after.weights), spends)


def _sides(words: str) -> tuple[str, str, bool] | None:
    """What comes first, what comes second, and whether a negation was part of saying so."""
    if until := _NOT_UNTIL.match(words):
        return until[2], until[1], True
    if steps := _FIRST_THEN.match(words):
        return steps[1] + steps[2], steps[3], False
    found = _ORDER.search(words)
    if found is None:
        return None
    left, right = words[: found.start()], words[found.end() :]
    if not left.strip(" ,.") and "," in right:
        right, left = right.split(",", 1)
    negated = re.search(r"\b(?:not|never|no)\b", left) is not None and found[1] == "before"
    first, second = (left, right) if (found[1] == "before") != negated else (right, left)
    return first, second, negated
