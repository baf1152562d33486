"""Reads a request body as JSON, and only as JSON that every part of the product can hold.

The standard library's C parser does the work. What it lets pass is found in three cheap ways: byte tests over the body
tell which checks it needs, the parser's hooks leave a mark where a rule is broken, and one walk over the parsed value
finds the mark and the path to it. A body that breaks nothing pays for the byte tests and one hook per object.
"""

import codecs
import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from memcairn.domain.errors import Invalid

MAX_DEPTH = 64
MAX_POINTER_CHARS = 512
"""A longer pointer is cut back to the nearest place above it that fits."""

_MAX_INT = 2**63 - 1
_MIN_INT = -(2**63)
_SAFE_DIGITS = 18
"""Integers of this many digits always fit 64 bits; -2^63 and 2^63-1 have 19."""
_LOCATED_CHARS = 2**20
"""How far into a broken body its pointer is looked for: about 0.1 s of work, the most a hostile body may cost."""

# Every digit becomes "0": one substring test then tells whether any integer needs a closer look. Both steps run at
# about 2 GB/s, where the hook on every integer would cost as much as parsing.
_DIGITS_ALIKE = bytes(ord("0") if byte in b"0123456789" else byte for byte in range(256))
_LONG_INTEGER = b"0" * (_SAFE_DIGITS + 1)
_CHECKED_ESCAPES = (rb"\u0000", rb"\ud", rb"\uD")

_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{},:]', re.DOTALL)
_SHOWN_CHARS = 40


@dataclass(frozen=True, slots=True)
class _Mark:
    """Stands in the parsed value where a rule was broken; `key` is set when a member of the object here is at fault."""

    sentence: str
    key: str | None = None


class _RuleError(Exception):
    """Carries a broken rule up from its value; each container on the way adds its key, innermost first."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.path: list[str | int] = []


def parse(body: bytes) -> Any:
    """The value `body` holds, with NUL characters taken out of its strings and keys.

    Refused with `Invalid` and the JSON pointer of the place: malformed JSON, bytes that are not UTF-8, NaN and
    Infinity, integers outside 64 bits, floats that overflow, more than `MAX_DEPTH` levels, halves of surrogate pairs, a
    key given twice in one object. Takes time linear in the length of `body`, whatever it holds.
    """
    body = body.removeprefix(codecs.BOM_UTF8)
    if not body.strip():
        raise Invalid("The request has no body; send a JSON document.", pointer="")
    text, bad_encoding = _decode(body)
    hooks = _Hooks()
    try:
        value = _load(body, text, hooks)
    except json.JSONDecodeError as error:
        raise (Invalid(bad_encoding, pointer="") if bad_encoding else _malformed(text, error)) from None
    except RecursionError:
        raise _too_deep(text) from None
    may_be_deep = isinstance(value, dict | list) and body.count(b"[") + body.count(b"{") > MAX_DEPTH
    if may_be_deep and _deeper_than(value, MAX_DEPTH):
        raise _too_deep(text)
    has_escapes = b"\\" in body and any(escape in body for escape in _CHECKED_ESCAPES)
    if hooks.marks or bad_encoding or has_escapes:
        return _cleaned(value, bad_encoding)
    return value


def pointer_to(path: Iterable[str | int]) -> str:
    """The RFC 6901 pointer of a path of keys and positions; "" is the whole document.

    A path that is too long, or leads through a key that is no valid Unicode, ends at the last place before that.
    """
    pointer = ""
    for step in path:
        longer = f"{pointer}/{str(step).replace('~', '~0').replace('/', '~1')}"
        if len(longer) > MAX_POINTER_CHARS or not _is_unicode(longer):
            break
        pointer = longer
    return pointer


def _decode(body: bytes) -> tuple[str, str | None]:
    """The text, and what is wrong with its encoding; bad bytes travel on as lone surrogates, for the walk to place."""
    try:
        return body.decode(), None
    except UnicodeDecodeError as error:
        offence = f"Byte {error.start} of the body (0x{body[error.start]:02x})"
        return body.decode(errors="surrogateescape"), f"{offence} is not valid UTF-8; JSON travels as UTF-8."


class _Hooks:
    """What the C parser calls; `marks` counts the broken rules it left behind in the value."""

    def __init__(self) -> None:
        self.marks = 0

    def constant(self, name: str) -> _Mark:
        return self._mark(f"{name} is not JSON; leave the value out or send null.")

    def integer(self, digits: str) -> int | _Mark:
        if len(digits) <= _SAFE_DIGITS + 2 and _MIN_INT <= int(digits) <= _MAX_INT:
            return int(digits)
        return self._mark(f"The number {_shown(digits)} does not fit 64 bits; send it as a string.")

    def real(self, digits: str) -> float | _Mark:
        number = float(digits)
        if math.isfinite(number):
            return number
        return self._mark(f"The number {_shown(digits)} is too large for a 64-bit float; send it as a string.")

    def members(self, pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Mark:
        content = dict(pairs)
        if len(content) == len(pairs):
            return content
        key = _first_repeated(key for key, _ in pairs)
        return self._mark(f'The key "{_shown(key)}" is given twice in one object; keep one.', key)

    def _mark(self, sentence: str, key: str | None = None) -> _Mark:
        self.marks += 1
        return _Mark(sentence, key)


def _load(body: bytes, text: str, hooks: _Hooks) -> Any:
    return json.loads(
        text,
        parse_int=hooks.integer if _LONG_INTEGER in body.translate(_DIGITS_ALIKE) else None,
        parse_float=hooks.real,
        parse_constant=hooks.constant,
        object_pairs_hook=hooks.members,
    )


def _malformed(text: str, error: json.JSONDecodeError) -> Invalid:
    pointer = pointer_to(_path_at(text, error.pos)) if error.pos <= _LOCATED_CHARS else ""
    where = f"line {error.lineno}, column {error.colno}"
    return Invalid(f"The body is not valid JSON: {error.msg} at {where}.", pointer=pointer)


def _too_deep(text: str) -> Invalid:
    path = _path_at(text, _LOCATED_CHARS, stop_below=MAX_DEPTH)
    pointer = pointer_to(path) if len(path) == MAX_DEPTH else ""
    return Invalid(f"The body nests deeper than {MAX_DEPTH} levels; flatten it.", pointer=pointer)


def _deeper_than(value: Any, depth: int) -> bool:
    level = [value]
    for _ in range(depth):
        below: list[Any] = []
        for container in level:
            for child in container.values() if type(container) is dict else container:
                kind = type(child)
                if kind is dict or kind is list:
                    below.append(child)
        if not below:
            return False
        level = below
    return True


def _cleaned(value: Any, bad_encoding: str | None) -> Any:
    try:
        return _clean(value)
    except _RuleError as found:
        pointer = pointer_to(reversed(found.path))
        raise Invalid(bad_encoding or found.sentence, pointer=pointer) from None


def _clean(value: Any) -> Any:
    """`value` without NUL characters, changed in place; recursion is safe because the depth has been checked."""
    if type(value) is str:
        return _clean_text(value)
    if type(value) is list:
        for position, child in enumerate(value):
            value[position] = _clean_child(position, child)
    elif type(value) is dict:
        return _clean_members(value)
    elif type(value) is _Mark:
        found = _RuleError(value.sentence)
        if value.key is not None:
            found.path.append(value.key)
        raise found
    return value


def _clean_child(step: str | int, child: Any) -> Any:
    try:
        return _clean(child)
    except _RuleError as found:
        found.path.append(step)
        raise


def _clean_members(members: dict[str, Any]) -> dict[str, Any]:
    content = {_clean_text(key): _clean_child(key, child) for key, child in members.items()}
    if len(content) < len(members):
        raise _RuleError("Two keys of one object are the same once their NUL characters are taken out; keep one.")
    return content


def _clean_text(text: str) -> str:
    if not _is_unicode(text):
        half = next(char for char in text if "\ud800" <= char <= "\udfff")
        raise _RuleError(f"U+{ord(half):04X} alone is half of a character; send the whole pair, or leave it out.")
    return text.replace("\0", "")


def _is_unicode(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _path_at(text: str, end: int, *, stop_below: int | None = None) -> list[str | int]:
    """The path of the value around position `end` of a text that may be broken there.

    With `stop_below`, the path of the first container inside that many others, or a shorter path if there is none.
    """
    steps: list[str | int | None] = []
    for match in _TOKEN.finditer(text, 0, end):
        piece = match.group()
        if piece in "[{":
            if len(steps) == stop_below:
                break
            steps.append(0 if piece == "[" else None)
        elif piece in "]}":
            del steps[-1:]
        elif steps and piece == ",":
            steps[-1] = steps[-1] + 1 if isinstance(steps[-1], int) else None
        elif steps and steps[-1] is None and piece != ":":
            steps[-1] = piece
    return [step if isinstance(step, int) else _key(step) for step in steps if step is not None]


def _key(token: str) -> str:
    try:
        return str(json.loads(token, strict=False))
    except ValueError:
        return token.strip('"')


def _first_repeated(keys: Iterable[str]) -> str:
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            break
        seen.add(key)
    return key


def _shown(text: str) -> str:
    cut = text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "…"
    return cut.encode("utf-8", "backslashreplace").decode()
