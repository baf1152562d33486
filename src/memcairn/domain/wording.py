"""A statement in plain words: phrases that mean one word replaced, numbers and times of day in one spelling."""

import re
import unicodedata

from memcairn.domain.promotion_table import promotion_table

_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_RANKS = (
    "second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth"
).split()
_VALUES = (
    {word: value for value, word in enumerate(_UNITS)}
    | {word: 10 * tens for tens, word in enumerate(_TENS, start=2)}
    | {word: value for value, word in enumerate(_RANKS, start=2)}
    | {"thirtieth": 30, "dozen": 12}
)
_SCALES = {"hundred": 100, "thousand": 1_000}
_ANY_NUMBER = "|".join([*_VALUES, *_SCALES])
_NUMBER_WORDS = re.compile(rf"\b(?:{_ANY_NUMBER})(?:[ -](?:{_ANY_NUMBER}))*\b")
_GROUPED = re.compile(r"(?<=\d),(?=\d{3}\b)")
_ORDINAL = re.compile(r"\b(\d+)(?:st|nd|rd|th)\b")
_PART_OF_HOUR = re.compile(r"\b(half|quarter) (past|to) (\d{1,2})\b")
_MINUTES = {("half", "past"): 30, ("quarter", "past"): 15, ("quarter", "to"): -15, ("half", "to"): -30}
_CLOCK = re.compile(r"\b([01]?\d|2[0-4]):([0-5]\d)\b")
_DAYTIME = re.compile(
    r"\b(\d{1,2})(:[0-5]\d)?\s*(?:(?P<am>a\.?m\b\.?|o'?clock in the morning|in the morning)"
    r"|(?P<pm>p\.?m\b\.?|(?:o'?clock )?(?:in the afternoon|in the evening|at night))|o'?clock\b)"
)
_POINTS = {"noon": "12 pm", "midday": "12 pm", "midnight": "12 am"}
_POINT = re.compile(r"\b(?:noon|midday|midnight)\b")


def plain(text: str) -> str:
    """Lower-case; "half past nine" reads 9:30, "14:00" and "two in the afternoon" 2 pm, "thirty" and "30th" 30."""
    words = unicodedata.normalize("NFKC", text).replace("’", "'").lower().strip()
    for pattern, into in promotion_table().rewrites:
        words = pattern.sub(into, words)
    words = _NUMBER_WORDS.sub(lambda match: str(_value(match[0])), _GROUPED.sub("", words))
    words = _ORDINAL.sub(r"\1", words)
    words = _POINT.sub(lambda match: _POINTS[match[0]], words)
    words = _PART_OF_HOUR.sub(_on_the_clock, words)
    words = _DAYTIME.sub(_with_half, words)
    return _CLOCK.sub(_twelve_hours, words)


def _value(words: str) -> int:
    """Two hundred: 200; twenty five: 25; nineteen ninety (no number of one kind): 109."""
    total, current = 0, 0
    for word in re.split(r"[ -]", words):
        if word in _SCALES:
            current = max(1, current) * _SCALES[word]
            total, current = total + current, 0
        else:
            current += _VALUES[word]
    return total + current


def _on_the_clock(match: re.Match[str]) -> str:
    minutes = (int(match[3]) * 60 + _MINUTES[match[1], match[2]]) % 720
    return f"{minutes // 60 or 12}:{minutes % 60:02}"


def _with_half(match: re.Match[str]) -> str:
    half = " am " if match["am"] else " pm " if match["pm"] else " "
    return f"{match[1]}{match[2] or ''}{half}"


def _twelve_hours(match: re.Match[str]) -> str:
    hour, minute = int(match[1]), match[2]
    half = " pm" if hour > 12 else ""
    shown = str((hour - 1) % 12 + 1)
    return (shown if minute == "00" else f"{shown}:{minute}") + half
