"""Text to the terms both indexes store: the same words whichever database holds them, whatever language they are in.

A term is a lower-case word without diacritics, stemmed by the language its text seems to be in, or a piece of a script
that writes no spaces. Terms hold letters, digits and vowel signs only: they may be joined by spaces and quoted.
"""

import functools
import re
import threading
import unicodedata
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import Stemmer
from numpy.typing import NDArray

from memcairn.store.index.function_words import BY_LANGUAGE
from memcairn.store.index.traits import traits_of as traits_of

MAX_TERM_CHARS = 40
MAX_QUERY_TERMS = 64
"""A longer query keeps its longest words, which as a rule are its rarest."""

SEGMENT_CHARS = 500
SEGMENT_ABOVE_CHARS = 600
"""Texts up to this length stay whole; longer ones are cut into pieces of about SEGMENT_CHARS."""

_REMEMBERED_WORDS = 100_000
"""Stems kept per language before the memory starts afresh; about 15 MB."""

_ENGLISH = "english"
_FOREIGN_WORDS = {
    language: words - BY_LANGUAGE[_ENGLISH] for language, words in BY_LANGUAGE.items() if language != _ENGLISH
}
_ANY_FOREIGN_WORD = frozenset().union(*_FOREIGN_WORDS.values())

# Combining marks are part of a word: those of the first group are folded away, vowel signs of the second stay.
_FOLDED_MARKS = "\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670"
_VOWEL_SIGNS = "\u0900-\u0903\u093a-\u094f\u0962-\u0963\u0981-\u0dff"
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
_WRITTEN_OUT = re.compile(r"(?<![aeq])([aou])e")
_ASCII_WORD = re.compile(r"[a-z0-9]+")
_WORD = re.compile(rf"(?:[^\W_]|[{_FOLDED_MARKS}{_VOWEL_SIGNS}])+")
_MARK = re.compile(f"[{_FOLDED_MARKS}]")
_ENDING_AFTER_APOSTROPHE = re.compile(r"'(?:s|d|m|t|re|ve|ll)\b")

# Thai, Lao, Myanmar, Khmer, Hangul, kana, ideographs.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003134f"
)
_UNSPACED_RUN = re.compile(f"[{_UNSPACED}]+")
_OR_SPACED_RUN = re.compile(rf"[{_UNSPACED}]+|(?:(?![{_UNSPACED}])(?:[^\W_]|[{_FOLDED_MARKS}{_VOWEL_SIGNS}]))+")
_IDEOGRAPH = re.compile("[\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f]")

_BORDER = re.compile(r"(?<=[.!?…。！？])[\"'”’)\]]*\s+|(?<=[。！？])|\n+")


@dataclass(frozen=True, slots=True)
class QueryTerm:
    """One thing asked for: a text holds it when it holds any of the alternatives."""

    alternatives: tuple[str, ...]
    word: str = field(default="", compare=False)
    """As it was asked for, in small letters; a piece of a script without spaces has none."""


def analyse(text: str) -> list[str]:
    """The terms of a text in reading order, repetitions kept."""
    words, unspaced = _words(text)
    stems = _STEMS[_language_of(words)]
    if not unspaced:
        return [stems[word] for word in words]
    terms: list[str] = []
    for word in words:
        if _UNSPACED_RUN.match(word):
            terms += _pieces(word)
        else:
            terms.append(stems[word])
    return terms


def analyse_query(text: str, drop: Collection[str] = ()) -> list[QueryTerm]:
    """What a query asks for, in reading order, without repetitions and without words that carry no content.

    `drop` names further words to leave out (any case, such as names handled elsewhere). A query that consists of
    nothing but such words keeps them all: better a vague search than none.
    """
    words, _ = _words(text)
    language = _language_of(words)
    unwanted = BY_LANGUAGE[language]
    dropped = {part for word in drop for part in _words(word)[0]}
    wanted = [word for word in words if word not in unwanted]
    kept = [word for word in wanted if word not in dropped] or wanted or words
    terms: dict[str, QueryTerm] = {}
    for word in kept:
        for forms in _forms(word, language):
            known = terms.get(forms[0]) or QueryTerm((), "" if _UNSPACED_RUN.match(word) else word)
            terms[forms[0]] = replace(known, alternatives=tuple(dict.fromkeys((*known.alternatives, *forms))))
    chosen = set(sorted(terms, key=len, reverse=True)[:MAX_QUERY_TERMS])
    return [term for first, term in terms.items() if first in chosen]


@functools.lru_cache(_REMEMBERED_WORDS)
def term_id_of_word(word: str) -> int:
    """The `term_id` under which a text that consists of this word holds it."""
    return term_id((analyse(word) or [word])[0])


def term_id(term: str) -> int:
    """A stable number for a term: CRC-32 of its UTF-8 bytes.

    Two terms share a number once in four thousand million pairs (never when both are of up to four bytes): among
    50,000 words of a scope, a query of ten words meets a false friend about once in 8,000 searches, at the price of
    one irrelevant match.
    """
    return zlib.crc32(term.encode())


def term_ids(terms: Sequence[str]) -> NDArray[np.uint32]:
    """`term_id` of each term, in the same order."""
    return np.fromiter((zlib.crc32(term.encode()) for term in terms), dtype=np.uint32, count=len(terms))


def segments(text: str) -> list[str]:
    """The text as it is, or, if it is long, cut at sentence borders into pieces of at most SEGMENT_ABOVE_CHARS.

    Nothing is lost but white space between pieces. A sentence too long for a piece is cut between words, a word too
    long for one anywhere.
    """
    if len(text) <= SEGMENT_ABOVE_CHARS:
        return [text]
    pieces: list[str] = []
    start = 0
    for end in _cuts(text):
        piece = text[start:end].strip()
        if piece:
            pieces.append(piece)
        start = end
    return pieces or [text]


class _Stems(dict[str, str]):
    """Word to term for one language, remembered; safe to share between threads."""

    def __init__(self, language: str) -> None:
        super().__init__()
        self._stemmer = Stemmer.Stemmer(language, 0)
        self._lock = threading.Lock()

    def __missing__(self, word: str) -> str:
        # A stemmer object may not be used by two threads at once (PyStemmer's documentation).
        with self._lock:
            term = self._stemmer.stemWord(word[:MAX_TERM_CHARS])
        folded = _folded(term)
        if len(self) >= _REMEMBERED_WORDS:
            self.clear()
        self[word] = folded
        return folded


_STEMS = {language: _Stems(language) for language in BY_LANGUAGE}


def _words(text: str) -> tuple[list[str], bool]:
    """Lower-case words, and whether some of them are of a script without spaces."""
    text = text.replace("’", "'")
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    text = text.casefold()
    if "'" in text:
        text = _ENDING_AFTER_APOSTROPHE.sub(" ", text)
    if text.isascii():
        return _ASCII_WORD.findall(text), False
    if _UNSPACED_RUN.search(text):
        return _OR_SPACED_RUN.findall(text), True
    return _WORD.findall(text), False


def _language_of(words: Iterable[str]) -> str:
    """The language whose function words are most frequent; English unless another one clearly wins."""
    if _ANY_FOREIGN_WORD.isdisjoint(words):
        return _ENGLISH
    votes = {language: sum(word in known for word in words) for language, known in BY_LANGUAGE.items()}
    return max(votes, key=lambda language: (votes[language], language == _ENGLISH))


def _forms(word: str, language: str) -> list[tuple[str, ...]]:
    """Each term a word of a query stands for, as its stem in `language` and all other forms a text may hold it in."""
    if _UNSPACED_RUN.match(word):
        pairs = [word[at : at + 2] for at in range(len(word) - 1)]
        return [(_folded(piece),) for piece in pairs or [word]]
    spelled = dict.fromkeys([word, _folded(word), *_other_umlauts(word, language)])
    return [(_STEMS[language][word], *(stems[form] for stems in _STEMS.values() for form in spelled))]


def _other_umlauts(word: str, language: str) -> Iterator[str]:
    """Müller as Mueller; in German, Mueller as Muller, which is how an index without accents holds Müller."""
    if not word.isascii():
        yield word.translate(_UMLAUTS)
    elif language == "german":
        yield _WRITTEN_OUT.sub(r"\1", word)


def _pieces(run: str) -> list[str]:
    """Every pair of neighbours, and ideographs alone, which are words often enough."""
    pairs = [run[at : at + 2] for at in range(len(run) - 1)]
    return [_folded(piece) for piece in (pairs + _IDEOGRAPH.findall(run) if pairs else [run])]


def _folded(word: str) -> str:
    if word.isascii():
        return word
    bare = _MARK.sub("", unicodedata.normalize("NFD", word))
    return unicodedata.normalize("NFC", bare) or word


def _cuts(text: str) -> Iterable[int]:
    """Where to cut: the last sentence border within reach of each start, else the last space, else the limit."""
    borders = [match.end() for match in _BORDER.finditer(text)]
    start, at = 0, 0
    while len(text) - start > SEGMENT_ABOVE_CHARS:
        limit = start + SEGMENT_CHARS
        cut = 0
        while at < len(borders) and borders[at] <= limit:
            cut = borders[at]
            at += 1
        if cut <= start:
            space = text.rfind(" ", start + 1, limit)
            cut = space if space > start else limit
        yield cut
        start = cut
    yield len(text)
