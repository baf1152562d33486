"""From the words of a JSON path to its tree.

The grammar is the part of PostgreSQL's SQL/JSON path language (lax mode) that looks at stored values: no variables,
no arithmetic, no methods, no strict mode. Whatever is accepted here means the same there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from memcairn.domain.jsonpath_tree import (
    LAST,
    And,
    AnyElement,
    AnyKey,
    Compare,
    Current,
    Descend,
    Elements,
    Exists,
    Expression,
    IsUnknown,
    Key,
    LikeRegex,
    Literal,
    Not,
    Or,
    Predicate,
    Root,
    StartsWith,
    Step,
    Walk,
    Where,
)
from memcairn.domain.jsonpath_words import MAX_PATH_CHARS, PathError, Word, words_of
from memcairn.domain.like_regex import RegexError, compile_regex

MAX_DEPTH = 32
MAX_DESCENTS = 2
"""How often `.**` may stand in one path: each looks at every value below, and inside a filter their work multiplies."""

MAX_INDEX = 2**31 - 1

_PREDICATES = (Compare, StartsWith, LikeRegex, Exists, And, Or, Not, IsUnknown)
_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
_CONSTANTS = {"true": True, "false": False, "null": None}


@dataclass(frozen=True, slots=True)
class Reading:
    """A path that was understood, and the same path in one spelling that PostgreSQL takes."""

    tree: Expression | Predicate
    text: str


def read(path: str) -> Reading:
    """The meaning of `path`; PathError says what is wrong with it, and no other error is raised."""
    if len(path) > MAX_PATH_CHARS:
        raise PathError(f"it is longer than {MAX_PATH_CHARS} characters", MAX_PATH_CHARS)
    reader = _Reader(words_of(path))
    tree = reader.whole()
    return Reading(tree, reader.text())


class _Reader:
    def __init__(self, words: Sequence[Word]) -> None:
        self._words = words
        self._next = 0
        self._depth = 0
        self._filters = 0
        self._descents = 0
        self._spelled: list[str] = []

    def text(self) -> str:
        return " ".join(self._spelled)

    def whole(self) -> Expression | Predicate:
        if self._is_name("lax"):
            self._take()
        elif self._is_name("strict"):
            raise self._error("strict mode is not known here; leave the word out")
        tree = self._either()
        if self._word.kind != "end":
            raise self._error(f"{self._word.text!r} stands where the path should end")
        return tree

    # Expressions and predicates. Parentheses may hold either, and which one shows only behind them.

    def _either(self) -> Expression | Predicate:
        return self._joined(self._both, "||", Or)

    def _both(self) -> Expression | Predicate:
        return self._joined(self._one, "&&", And)

    def _joined(
        self, part: Callable[[], Expression | Predicate], sign: str, join: Callable[[Sequence[Predicate]], Predicate]
    ) -> Expression | Predicate:
        parts = [part()]
        while self._word.kind == sign:
            self._as_predicate(parts[-1])
            self._take()
            parts.append(part())
        return parts[0] if len(parts) == 1 else join([self._as_predicate(each) for each in parts])

    def _one(self) -> Expression | Predicate:
        if self._word.kind == "!":
            return self._negation()
        if self._is_name("exists"):
            return self._existence()
        start = self._primary()
        if isinstance(start, _PREDICATES):
            return self._maybe_unknown(start)
        return self._test_of(self._with_steps(start))

    def _negation(self) -> Predicate:
        self._take()
        if self._is_name("exists"):
            return Not(self._existence())
        if self._word.kind != "(":
            raise self._error("! wants a condition in parentheses behind it")
        return Not(self._as_predicate(self._in_parentheses(self._either)))

    def _existence(self) -> Predicate:
        self._take()
        if self._word.kind != "(":
            raise self._error("exists wants a path in parentheses behind it")
        return Exists(self._as_expression(self._in_parentheses(self._either)))

    def _maybe_unknown(self, predicate: Predicate) -> Predicate:
        if not self._is_name("is"):
            return predicate
        self._take()
        self._take_name("unknown")
        return IsUnknown(predicate)

    def _primary(self) -> Expression | Predicate:
        word = self._word
        if word.kind == "(":
            return self._in_parentheses(self._either)
        if word.kind == "$":
            self._take()
            if self._word.kind in {"name", "string"} and self._word.at == word.at + 1:
                raise self._error("variables are not known here; write the value into the path")
            return Root()
        if word.kind == "@":
            if not self._filters:
                raise self._error("@ means the value a filter looks at, and stands only inside ? (…)")
            self._take()
            return Current()
        return self._literal()

    def _literal(self) -> Literal:
        word = self._word
        if word.kind == "-":
            self._take()
            number = self._word
            if number.kind != "number" or isinstance(number.value, str):
                raise self._error("- stands only in front of a number; there is no arithmetic here")
            self._take()
            return Literal(-number.value)
        if word.kind in {"string", "number"}:
            self._take()
            return Literal(word.value)
        if word.kind == "name" and word.value in _CONSTANTS:
            self._take()
            return Literal(_CONSTANTS[str(word.value)])
        shown = "the end of the path" if word.kind == "end" else repr(word.text)
        raise self._error(f"{shown} stands where a path ($ or @) or a value should begin")

    def _test_of(self, left: Expression) -> Expression | Predicate:
        if self._word.kind in _COMPARISONS:
            op = self._take().kind
            return Compare(op, left, self._operand())
        if self._is_name("starts"):
            self._take()
            self._take_name("with")
            return StartsWith(left, self._take_string("starts with"))
        if self._is_name("like_regex"):
            return self._regex_test(left)
        return left

    def _operand(self) -> Expression:
        return self._with_steps(self._as_expression(self._primary()))

    def _regex_test(self, left: Expression) -> Predicate:
        self._take()
        at = self._word.at
        pattern = self._take_string("like_regex")
        flags = ""
        if self._is_name("flag"):
            self._take()
            flags = self._take_string("flag")
        try:
            return LikeRegex(left, compile_regex(pattern, flags))
        except RegexError as error:
            raise PathError(f"in the regular expression {pattern!r}, {error}", at) from None

    # Steps.

    def _with_steps(self, source: Expression) -> Expression:
        steps: list[Step] = []
        while self._word.kind in {".", "[", "?"}:
            if isinstance(source, Literal):
                raise self._error("a value has nothing inside it to look up")
            steps.append(self._step())
        if not steps or isinstance(source, Literal):
            return source
        return Walk(source, tuple(steps))

    def _step(self) -> Step:
        kind = self._take().kind
        if kind == ".":
            return self._member()
        if kind == "[":
            return self._elements()
        if self._word.kind != "(":
            raise self._error("? wants a condition in parentheses behind it")
        self._filters += 1
        predicate = self._as_predicate(self._in_parentheses(self._either))
        self._filters -= 1
        return Where(predicate)

    def _member(self) -> Step:
        word = self._word
        if word.kind == "*":
            self._take()
            return AnyKey()
        if word.kind == "**":
            self._take()
            return self._descent()
        if word.kind not in {"name", "string"}:
            raise self._error("a key should follow the dot; one with special characters stands in double quotes")
        # Quoted, a key can be no keyword and no variable.
        self._take(spelled=Word("string", word.value, _quoted(word), word.at).text)
        if self._word.kind == "(":
            raise self._error(f"methods such as .{word.value}() are not known here")
        return Key(str(word.value))

    def _descent(self) -> Step:
        self._descents += 1
        if self._descents > MAX_DESCENTS:
            raise self._error(f".** stands more than {MAX_DESCENTS} times in it")
        if self._word.kind != "{":
            return Descend()
        self._take()
        first = last = self._bound()
        if self._is_name("to"):
            self._take()
            last = self._bound()
        self._take_sign("}")
        return Descend(first, last)

    def _elements(self) -> Step:
        if self._word.kind == "*":
            self._take()
            self._take_sign("]")
            return AnyElement()
        ranges = [self._range()]
        while self._word.kind == ",":
            self._take()
            ranges.append(self._range())
        self._take_sign("]")
        return Elements(tuple(ranges))

    def _range(self) -> tuple[int, int]:
        first = last = self._bound()
        if self._is_name("to"):
            self._take()
            last = self._bound()
        return first, last

    def _bound(self) -> int:
        word = self._word
        if self._is_name("last"):
            self._take()
            return LAST
        if word.kind != "number" or not isinstance(word.value, int) or word.value > MAX_INDEX:
            raise self._error(f"a place is a whole number from 0 to {MAX_INDEX}, or last")
        self._take()
        return word.value

    # Small things.

    def _in_parentheses(self, inside: Callable[[], Expression | Predicate]) -> Expression | Predicate:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._error(f"it is nested more than {MAX_DEPTH} deep")
        self._take()
        found = inside()
        self._take_sign(")")
        self._depth -= 1
        return found

    def _as_predicate(self, found: Expression | Predicate) -> Predicate:
        if isinstance(found, _PREDICATES):
            return found
        raise self._error("a condition is missing here, such as @.key == 1; whether a path leads anywhere is exists(…)")

    def _as_expression(self, found: Expression | Predicate) -> Expression:
        if isinstance(found, _PREDICATES):
            raise self._error("a path or a value is wanted here, not a condition")
        return found

    @property
    def _word(self) -> Word:
        return self._words[self._next]

    def _is_name(self, name: str) -> bool:
        return self._word.kind == "name" and self._word.value == name

    def _take(self, *, spelled: str | None = None) -> Word:
        word = self._word
        self._next += word.kind != "end"
        self._spelled.append(word.text if spelled is None else spelled)
        return word

    def _take_sign(self, sign: str) -> None:
        if self._word.kind != sign:
            raise self._error(f"{sign} is missing")
        self._take()

    def _take_name(self, name: str) -> None:
        if not self._is_name(name):
            raise self._error(f"the word {name!r} is missing")
        self._take()

    def _take_string(self, behind: str) -> str:
        if self._word.kind != "string":
            raise self._error(f"{behind} wants a string in double quotes behind it")
        return str(self._take().value)

    def _error(self, message: str) -> PathError:
        return PathError(message, self._word.at)


def _quoted(word: Word) -> str:
    return word.text if word.kind == "string" else f'"{word.value}"'
