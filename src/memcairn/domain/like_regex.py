"""Regular expressions whose cost grows with the text and no faster, whatever the pattern.

A pattern becomes an automaton that reads each character once (Thompson 1968) and remembers the moves it has made, so
nothing like `(a+)+$` can make it try again and again. It answers whether there is a match, and nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass

from memcairn.domain.regex_reading import Chars, Choice, LineEnd, LineStart, Repeat, Sequel, Tree, read, read_literal
from memcairn.domain.regex_reading import RegexError as RegexError

MAX_STATES = 1_000
"""Places one automaton may have: `[a-z]{200}` has about 200."""

MAX_REMEMBERED = 5_000
"""Moves kept before all are forgotten: bounds the memory of a pattern that meets ever new situations."""

FLAGS = "imsq"
_STATES_PER_UNIT = 8
_CHARS_PER_UNIT = 16
_END = ""


@dataclass(slots=True)
class _State:
    """A place in the automaton. Without `reads` it is passed at once, if `check` allows it there."""

    reads: Chars | None = None
    check: LineStart | LineEnd | None = None
    then: tuple[int, ...] = ()


_Places = frozenset[int]
_Move = tuple[_Places, bool]
"""Where reading a character leads, and whether the pattern had matched before it was read."""


class Regex:
    """A compiled pattern. It may be used by several threads at once."""

    __slots__ = ("_accept", "_fold", "_moves", "_multiline", "_start", "_states")

    def __init__(self, tree: Tree, *, fold: bool, multiline: bool) -> None:
        self._states: list[_State] = []
        self._fold = fold
        self._multiline = multiline
        self._moves: dict[tuple[_Places, bool, str], _Move] = {}
        self._accept = self._add(_State())
        self._start = self._build(tree, self._accept)

    def found_in(self, text: str, spend: Callable[[int], object] = lambda _units: None) -> bool:
        """Whether the pattern matches anywhere in `text`. `spend` is told the work as it is done, and may raise."""
        spend(len(text) // _CHARS_PER_UNIT)
        places: _Places = frozenset((self._start,))
        at_line_start = True
        for char in text:
            places, matched = self._move(places, at_line_start, char, spend)
            if matched:
                return True
            at_line_start = self._multiline and char == "\n"
        return self._move(places, at_line_start, _END, spend)[1]

    def _move(self, places: _Places, at_line_start: bool, char: str, spend: Callable[[int], object]) -> _Move:
        key = (places, at_line_start, char)
        known = self._moves.get(key)
        if known is None:
            known = self._moved(places, at_line_start, char, spend)
            if len(self._moves) >= MAX_REMEMBERED:
                self._moves.clear()
            self._moves[key] = known
        return known

    def _moved(self, places: _Places, at_line_start: bool, char: str, spend: Callable[[int], object]) -> _Move:
        at_line_end = char == _END or (self._multiline and char == "\n")
        reached, waiting = set(places), list(places)
        following = {self._start}
        while waiting:
            state = self._states[waiting.pop()]
            if state.reads is not None:
                if char != _END and state.reads.has(char, fold=self._fold):
                    following.update(state.then)
            elif _allowed(state.check, at_line_start=at_line_start, at_line_end=at_line_end):
                waiting += [place for place in state.then if place not in reached]
                reached.update(state.then)
        spend(len(reached) // _STATES_PER_UNIT)
        return frozenset(following), self._accept in reached

    # Building goes from the end to the beginning: each part is given the place it leads to and returns where it begins.

    def _build(self, tree: Tree, then: int) -> int:
        match tree:
            case Chars():
                return self._add(_State(reads=tree, then=(then,)))
            case LineStart() | LineEnd():
                return self._add(_State(check=tree, then=(then,)))
            case Sequel(parts):
                for part in reversed(parts):
                    then = self._build(part, then)
                return then
            case Choice(parts):
                return self._add(_State(then=tuple(self._build(part, then) for part in parts)))
            case Repeat(part, low, high):
                return self._build_repeat(part, low, high, then)

    def _build_repeat(self, part: Tree, low: int, high: int | None, then: int) -> int:
        if high is None:
            again = self._add(_State())
            self._states[again].then = (self._build(part, again), then)
            then = again
        else:
            beyond = then
            for _ in range(high - low):
                then = self._add(_State(then=(self._build(part, then), beyond)))
        for _ in range(low):
            then = self._build(part, then)
        return then

    def _add(self, state: _State) -> int:
        if len(self._states) == MAX_STATES:
            raise RegexError("the counts make it too large; use smaller ones, or * and +")
        self._states.append(state)
        return len(self._states) - 1


def compile_regex(pattern: str, flags: str = "") -> Regex:
    """The automaton of a `like_regex` pattern; RegexError if it breaks the rules of `regex_reading`.

    Flags: `i` ignores case, `m` lets ^ and $ match at line breaks, `s` lets . match them, `q` takes the pattern
    literally.
    """
    unknown = [flag for flag in flags if flag not in FLAGS]
    if unknown:
        raise RegexError(f"the flag {unknown[0]!r} is not one of {', '.join(FLAGS)}")
    tree = read_literal(pattern) if "q" in flags else read(pattern, dot_all="s" in flags)
    return Regex(tree, fold="i" in flags, multiline="m" in flags and "q" not in flags)


def _allowed(check: LineStart | LineEnd | None, *, at_line_start: bool, at_line_end: bool) -> bool:
    if check is None:
        return True
    return at_line_start if isinstance(check, LineStart) else at_line_end
