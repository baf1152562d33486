"""What every rule of the date grammar shares: the text being read, the shape of a rule, and pieces of patterns."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime

from memcairn.domain.date_words import DIRECTIONS, QUANTITIES
from memcairn.domain.periods import Period

DIGIT = "#"
"""Stands for any digit among the words that wake a rule."""
CJK = "年"
"""Stands for any of the signs Chinese and Japanese dates are written with."""

_SENTENCE_WINDOW = 240  # characters on each side of a date that may say whether it lies ahead
_SENTENCE_ENDS = ".!?\n"


@dataclass(frozen=True, slots=True)
class Reading:
    """One text being read: `folded` has the characters of `text` in lower case, one for one."""

    text: str
    folded: str
    said_at: datetime

    @property
    def today(self) -> date:
        return self.said_at.date()

    def before(self, at: int, chars: int = 32) -> str:
        return self.folded[max(0, at - chars) : at]

    def after(self, at: int, chars: int = 32) -> str:
        return self.folded[at : at + chars]

    def lies_ahead(self, at: int) -> bool:
        """The sentence around `at` speaks of the future."""
        left, right = max(0, at - _SENTENCE_WINDOW), at + _SENTENCE_WINDOW
        start = max(self.folded.rfind(stop, left, at) for stop in _SENTENCE_ENDS)
        ends = [end for stop in _SENTENCE_ENDS if (end := self.folded.find(stop, at, right)) >= 0]
        return _AHEAD.search(self.folded, max(start, left), min(ends, default=right)) is not None


@dataclass(frozen=True, slots=True)
class Rule:
    """One way to name days.

    `wakes`: words of which the text must hold one before the pattern is tried. `meaning` may answer None: no date
    here. A group named `at` in the pattern narrows what is quoted as the date's phrase.
    """

    wakes: frozenset[str]
    pattern: re.Pattern[str]
    meaning: Callable[[re.Match[str], Reading], Period | None]


def either(words: Iterable[str]) -> str:
    """Longest first, because an alternation takes the first that fits."""
    return "|".join(re.escape(word).replace(r"\ ", GAP) for word in sorted(words, key=len, reverse=True))


GAP = r"[ \t\n]{1,3}"
TO = rf"(?:{GAP}(?:to|until|till|through|and|bis|au|al|a|und|et|y){GAP}(?:the{GAP})?|[ ]?[-–—][ ]?)"
YEAR = r"(?P<year>[12]\d{3})(?![\d%$€£]|[.,:]\d)"
OF_YEAR = (
    rf"(?:,?{GAP}(?:of{GAP}|de{GAP}|del{GAP})?{YEAR}|{GAP}(?:of{GAP})?(?P<year_direction>last|this|next){GAP}year\b)"
)
DIRECTION = rf"(?P<direction>(?:this{GAP})?(?:{either(DIRECTIONS)}))"
QUANTITY = rf"(?P<count>\d{{1,9}}|{either(QUANTITIES)})"
NOT_A_COUNT = (
    r"(?![\d%$€£]|[.,:]\d|[ ](?:people|users|dollars|euros|pounds|bucks|steps|calories|words|miles|met(?:er|re)s|"
    r"points|times|minutes|hours|days|weeks|months|years|percent|kms?|kg|of them)\b)"
)
"""Follows a number that is to be a day or a year."""

_AHEAD = re.compile(
    r"\b(?:will|won't|shall|gonna|going to|plan(?:s|ning|ned)? (?:to|on|for)|upcoming|next|tomorrow|soon|want to|"
    r"hop(?:e|es|ing) to|look(?:s|ing)? forward|can't wait|schedul(?:e|ed|ing)|booked|due|deadline|see you|let's|"
    r"coming up|remind|werde[nt]?|wird)\b|\w'll\b"
)
_UNTIL = re.compile(rf"\b(?:by|until|till|bis){GAP}$")


def direction(match: re.Match[str]) -> int:
    """-1 for "last", 0 for "this", 1 for "next"."""
    return DIRECTIONS[match["direction"].split()[-1]]


def quantity(match: re.Match[str]) -> tuple[int, int]:
    words = " ".join(match["count"].split())
    return QUANTITIES[words] if words in QUANTITIES else (int(words), int(words))


def explicit_year(match: re.Match[str], reading: Reading) -> int | None:
    if match["year"]:
        return int(match["year"])
    if match["year_direction"]:
        return reading.today.year + DIRECTIONS[match["year_direction"]]
    return None


def nearest(candidates: list[Period], match: re.Match[str], reading: Reading) -> Period:
    """Of one date in successive years, oldest first: the last that has begun, or the next if the text looks ahead."""
    at, today = match.start(), reading.today
    if _UNTIL.search(reading.before(at)) or reading.lies_ahead(at):
        chosen = _first(candidate for candidate in candidates if candidate.end > today)
    else:
        chosen = _first(candidate for candidate in reversed(candidates) if candidate.start <= today)
    return Period(chosen.start, chosen.end, chosen.grain, dated=False)


def directed(candidates: list[Period], way: int, today: date) -> Period:
    """Last: the latest that is over. This: the one now, or else of this year. Next: the first that has not begun."""
    if way < 0:
        return _first(candidate for candidate in reversed(candidates) if candidate.end <= today)
    if way > 0:
        return _first(candidate for candidate in candidates if candidate.start > today)
    around = [candidate for candidate in candidates if candidate.start <= today < candidate.end]
    return around[0] if around else _first(each for each in candidates if each.start.year == today.year)


def _first(candidates: Iterable[Period]) -> Period:
    """ValueError near the ends of the calendar, where a year to either side is missing."""
    for candidate in candidates:
        return candidate
    raise ValueError("the calendar ends before such a day")
