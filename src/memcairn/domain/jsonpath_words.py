"""The words of a JSON path: strings, numbers, names and signs."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_PATH_CHARS = 2_000
MAX_NUMBER_CHARS = 40


class PathError(ValueError):
    """What is wrong with a path, as the end of a sentence; `at` counts characters from 0."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at


@dataclass(frozen=True, slots=True)
class Word:
    """`kind` is `string`, `number`, `name`, `end` or the sign itself; `text` is what PostgreSQL may be given for it."""

    kind: str
    value: str | int | float
    text: str
    at: int


_BLANK = re.compile(r"[ \t\n\r\f\v]*")
_NUMBER = re.compile(r"(?:(?:0|[1-9][0-9]*)(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_NAME = re.compile(r"[^\W\d]\w*")
_SIGN = re.compile(r"\*\*|==|!=|<>|<=|>=|&&|\|\||[$@.*?()\[\]{},<>!-]")
_PLAIN = re.compile(r"[^\"'\\]+")
_ESCAPE = re.compile(r"\\(?:u\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_NAMED_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_SURROGATE_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def words_of(path: str) -> list[Word]:
    """The words of `path`, ending with one of kind `end`; PathError where there is none."""
    return [*_words(path), Word("end", "", "", len(path))]


def _words(path: str) -> Iterator[Word]:
    at = _skip_blank(path, 0)
    while at < len(path):
        word, at = _word_at(path, at)
        yield word
        at = _skip_blank(path, at)


def _skip_blank(path: str, at: int) -> int:
    blank = _BLANK.match(path, at)
    return at if blank is None else blank.end()


def _word_at(path: str, at: int) -> tuple[Word, int]:
    if path[at] in "\"'":
        value, end = _string(path, at)
        return Word("string", value, json.dumps(value, ensure_ascii=False), at), end
    number = _NUMBER.match(path, at)
    if number is not None:
        return _number(path, number), number.end()
    name = _NAME.match(path, at)
    if name is not None:
        return Word("name", name.group(), name.group(), at), name.end()
    sign = _SIGN.match(path, at)
    if sign is None:
        raise PathError(f"{path[at]!r} is no part of a path", at)
    kind = {"<>": "!="}.get(sign.group(), sign.group())
    return Word(kind, kind, kind, at), sign.end()


def _number(path: str, match: re.Match[str]) -> Word:
    text, at, end = match.group(), match.start(), match.end()
    if len(text) > MAX_NUMBER_CHARS:
        raise PathError(f"a number is longer than {MAX_NUMBER_CHARS} characters", at)
    if end < len(path) and (path[end].isalnum() or path[end] in "_."):
        raise PathError(f"the number {text!r} runs into {path[end]!r}", at)
    value = int(text) if text.isdecimal() else float(text)
    if not math.isfinite(value):
        raise PathError(f"the number {text!r} is too large", at)
    return Word("number", value, text, at)


def _string(path: str, start: int) -> tuple[str, int]:
    """The string that opens at `start`, in double or single quotes, and where it ends."""
    quote, at = path[start], start + 1
    pieces: list[str] = []
    while at < len(path) and path[at] != quote:
        plain = _PLAIN.match(path, at)
        if plain is not None:
            pieces.append(plain.group())
            at = plain.end()
        elif path[at] == "\\":
            piece, at = _escape(path, at)
            pieces.append(piece)
        else:
            pieces.append(path[at])
            at += 1
    if at == len(path):
        raise PathError("a string is not closed", start)
    value = _SURROGATE_PAIR.sub(_joined, "".join(pieces))
    if _UNSTORABLE.search(value):
        raise PathError("a string holds NUL or half of a surrogate pair, which no metadata does", start)
    return value, at + 1


def _escape(path: str, at: int) -> tuple[str, int]:
    match = _ESCAPE.match(path, at)
    if match is None:
        raise PathError("a backslash has nothing behind it", at)
    braced, four, two, single = match.groups()
    if single is not None:
        if single in "ux":
            raise PathError(f"\\{single} wants hexadecimal digits behind it", at)
        return _NAMED_ESCAPES.get(single, single), match.end()
    code = int(braced or four or two, 16)
    if code > 0x10FFFF:
        raise PathError(f"there is no character {code:X}", at)
    return chr(code), match.end()


def _joined(pair: re.Match[str]) -> str:
    return pair.group().encode("utf-16", "surrogatepass").decode("utf-16")
