"""From the text of a regular expression to its tree.

The language is the common part of XQuery and PostgreSQL's advanced regular expressions that can be matched in linear
time: no back references, no look-around, no embedded options. Whatever is accepted here means the same there.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

MAX_PATTERN_CHARS = 500
MAX_COUNT = 255
"""The largest repetition count PostgreSQL takes."""

MAX_DEPTH = 32


class RegexError(ValueError):
    """What is wrong with a regular expression, as the end of a sentence."""


@dataclass(frozen=True, slots=True)
class Chars:
    """One character: in one of the ranges (ends included) or of the classes `d`, `s`, `w`; or, negated, in none."""

    ranges: Sequence[tuple[str, str]] = ()
    classes: str = ""
    negated: bool = False
    no_newline: bool = False
    """A newline is refused whatever the rest says."""

    def has(self, char: str, *, fold: bool = False) -> bool:
        """Whether `char`, in any case if `fold`, is meant."""
        if self.no_newline and char == "\n":
            return False
        forms = {char, char.lower(), char.upper()} if fold else {char}
        return any(self._names(form) for form in forms if len(form) == 1) != self.negated

    def _names(self, char: str) -> bool:
        if any(first <= char <= last for first, last in self.ranges):
            return True
        return any(_CLASSES[name](char) for name in self.classes)


@dataclass(frozen=True, slots=True)
class Sequel:
    parts: "Sequence[Tree]"


@dataclass(frozen=True, slots=True)
class Choice:
    parts: "Sequence[Tree]"


@dataclass(frozen=True, slots=True)
class Repeat:
    """`part` at least `low` times and at most `high` times; None is without end."""

    part: "Tree"
    low: int
    high: int | None


@dataclass(frozen=True, slots=True)
class LineStart:
    """`^`"""


@dataclass(frozen=True, slots=True)
class LineEnd:
    """`$`"""


Tree = Chars | Sequel | Choice | Repeat | LineStart | LineEnd

_CLASSES: Mapping[str, Callable[[str], bool]] = {
    "d": str.isdecimal,
    "s": str.isspace,
    "w": lambda char: char.isalnum() or char == "_",
}
_CONTROL = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v"}
_COUNT = re.compile(r"\{([0-9]{1,3})(?:(,)([0-9]{1,3})?)?\}")
_QUANTIFIERS = {"*": (0, None), "+": (1, None), "?": (0, 1)}


def read(pattern: str, *, dot_all: bool) -> Tree:
    """The meaning of `pattern`; with `dot_all`, `.` and negated sets take newlines too. RegexError if it has none."""
    if len(pattern) > MAX_PATTERN_CHARS:
        raise RegexError(f"there are more than {MAX_PATTERN_CHARS} characters")
    return _Reader(pattern, dot_all).whole()


def read_literal(text: str) -> Tree:
    """The tree that matches `text` itself."""
    if len(text) > MAX_PATTERN_CHARS:
        raise RegexError(f"there are more than {MAX_PATTERN_CHARS} characters")
    return Sequel([_one(char) for char in text])


class _Reader:
    def __init__(self, pattern: str, dot_all: bool) -> None:
        self._pattern = pattern
        self._dot_all = dot_all
        self._at = 0
        self._depth = 0

    def whole(self) -> Tree:
        tree = self._choice()
        if self._at < len(self._pattern):
            raise RegexError("a ) has no ( before it")
        return tree

    def _choice(self) -> Tree:
        parts = [self._sequel()]
        while self._peek() == "|":
            self._at += 1
            parts.append(self._sequel())
        return parts[0] if len(parts) == 1 else Choice(parts)

    def _sequel(self) -> Tree:
        parts: list[Tree] = []
        while self._peek() not in {"", "|", ")"}:
            parts.append(self._repeated(self._piece()))
        return parts[0] if len(parts) == 1 else Sequel(parts)

    def _repeated(self, part: Tree) -> Tree:
        counts = self._quantifier()
        if counts is None:
            return part
        if isinstance(part, LineStart | LineEnd):
            raise RegexError("^ and $ cannot be repeated")
        if self._peek() == "?":  # prefers the shortest match, which is no other answer to whether there is one
            self._at += 1
        if self._quantifier() is not None:
            raise RegexError("a repetition is repeated; put parentheses around the inner one")
        return Repeat(part, *counts)

    def _quantifier(self) -> tuple[int, int | None] | None:
        char = self._peek()
        if char in _QUANTIFIERS:
            self._at += 1
            return _QUANTIFIERS[char]
        if char != "{":
            return None
        count = _COUNT.match(self._pattern, self._at)
        if count is None:
            raise RegexError("{ wants a count such as {2} or {1,3} behind it; the sign itself is \\{")
        self._at = count.end()
        low = int(count[1])
        high = low if count[2] is None else None if count[3] is None else int(count[3])
        if max(low, high or 0) > MAX_COUNT or (high is not None and high < low):
            raise RegexError(f"{count.group()} is no count: it goes from small to large, up to {MAX_COUNT}")
        return low, high

    def _piece(self) -> Tree:
        char = self._take()
        if char == "(":
            return self._group()
        if char == "[":
            return self._set()
        if char == "\\":
            return self._escape()
        if char in "*+?{":
            raise RegexError(f"{char} has nothing before it to repeat")
        signs: dict[str, Tree] = {
            "^": LineStart(),
            "$": LineEnd(),
            ".": Chars(negated=True, no_newline=not self._dot_all),
        }
        return signs.get(char) or _one(char)

    def _group(self) -> Tree:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise RegexError(f"groups are nested more than {MAX_DEPTH} deep")
        if self._pattern.startswith("?", self._at):
            if not self._pattern.startswith("?:", self._at):
                raise RegexError("of the groups that begin with (? only (?: is known here")
            self._at += 2
        tree = self._choice()
        if self._peek() != ")":
            raise RegexError("a ( is not closed")
        self._at += 1
        self._depth -= 1
        return tree

    def _escape(self) -> Tree:
        char = self._take_escaped()
        if char in _CLASSES:
            return Chars(classes=char)
        if char.lower() in _CLASSES:
            return Chars(classes=char.lower(), negated=True)
        return _one(_meant(char))

    def _set(self) -> Tree:
        negated = self._peek() == "^"
        self._at += negated
        ranges: list[tuple[str, str]] = []
        classes = ""
        first = True
        while first or self._peek() != "]":
            first = False
            char = self._member()
            if len(char) > 1:
                classes += char[1]
            else:
                ranges.append((char, self._range_end(char)))
        self._at += 1
        return Chars(ranges, classes, negated, no_newline=negated and not self._dot_all)

    def _range_end(self, first: str) -> str:
        if self._peek() != "-" or self._pattern.startswith("]", self._at + 1):
            return first
        self._at += 1
        last = self._member()
        if len(last) > 1 or last < first:
            raise RegexError(f"a range in [] begins with {first!r} and does not end behind it")
        return last

    def _member(self) -> str:
        """A character of a set, or a backslash with the letter of a class."""
        if not self._peek():
            raise RegexError("a [ is not closed")
        char = self._take()
        if char == "[" and self._peek() in {":", ".", "="}:
            raise RegexError("named classes such as [:alpha:] are not known here; use \\d, \\s, \\w or ranges")
        if char != "\\":
            return char
        escaped = self._take_escaped()
        if escaped in _CLASSES:
            return "\\" + escaped
        if escaped.lower() in _CLASSES:
            raise RegexError(f"\\{escaped} cannot stand inside []")
        return _meant(escaped)

    def _take_escaped(self) -> str:
        if not self._peek():
            raise RegexError("a backslash has nothing behind it")
        return self._take()

    def _peek(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _take(self) -> str:
        self._at += 1
        return self._pattern[self._at - 1]


def _one(char: str) -> Chars:
    return Chars(((char, char),))


def _meant(char: str) -> str:
    if char in _CONTROL:
        return _CONTROL[char]
    if char.isalnum() or not char.isascii():
        raise RegexError(f"\\{char} is not known here")
    return char
