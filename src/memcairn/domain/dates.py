"""Dates in text: what "yesterday" or "last summer" means, seen from when it was said."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time

from memcairn.domain import periods
from memcairn.domain.date_named import NAMED_RULES
from memcairn.domain.date_reading import CJK, DIGIT, GAP, TO, Reading
from memcairn.domain.date_relative import RELATIVE_RULES
from memcairn.domain.periods import Grain, Period

MAX_DATES = 64
"""A text that names more is a table; the first ones are enough to find it by."""


@dataclass(frozen=True, slots=True)
class DateMention:
    """A stretch of time named in a text: `start` inclusive, `end` exclusive, both UTC; `span` is in characters."""

    start: datetime
    end: datetime
    phrase: str
    span: tuple[int, int]


def find_dates(text: str, said_at: datetime) -> list[DateMention]:
    """Every date or period `text` names, in reading order, resolved against `said_at`. Nonsense dates are left out.

    Days are those of `said_at`'s own time zone (UTC if it has none), whole days at the finest. A date without its year
    ("in March", "on Friday") is the last one that has begun, unless the sentence looks ahead. Ranges ("from 3 to 5
    May") are one mention; mentions never overlap. Never raises; time grows linearly with the text.
    """
    folded = _folded(text)
    awake = _signals(folded)
    if not awake:
        return []
    reading = Reading(text, folded, said_at if said_at.tzinfo else said_at.replace(tzinfo=UTC))
    found = _without_overlaps(_matches(reading, awake))
    found = _joined([_refined(each, reading) for each in found], reading)
    mentions = (_mention(each, reading) for each in found[:MAX_DATES])
    return [mention for mention in mentions if mention is not None]


@dataclass(frozen=True, slots=True)
class _Match:
    """Words shaped like a date; without a period they name a day the calendar does not have."""

    start: int
    end: int
    period: Period | None


@dataclass(frozen=True, slots=True)
class _Found:
    start: int
    end: int
    period: Period


_RULES = (*NAMED_RULES, *RELATIVE_RULES)
_WAKING = frozenset(word for rule in _RULES for word in rule.wakes)
_WORD = re.compile(r"[^\W\d_]+")
_ANY_DIGIT = re.compile(r"\d")
_ANY_CJK = re.compile("[年月昨今明去前后]")

_PART = re.compile(
    rf"\b(?:(?P<early>early|beginning|start|anfang|début|principios)|(?P<mid>mid|middle|mitte|mediados)"
    rf"|(?P<late>late|end|ende|fin|finales))(?:{GAP}|-)(?:in{GAP}|of{GAP}|de{GAP})?(?:the{GAP})?$"
)
_SINCE = re.compile(rf"\b(?:since|seit|depuis|desde){GAP}(?:the{GAP})?$")
_FROM = re.compile(rf"\b(?:from|between|von|zwischen|de|du|entre|desde){GAP}(?:the{GAP})?$")
_CONNECTION = re.compile(rf"{TO}$")
_PLAIN_AND = re.compile(r"\s(?:and|und|et|y)\s")
_WEEKDAY_COMMA = re.compile(rf",?{GAP}(?:the{GAP}|den{GAP}|le{GAP}|el{GAP})?$")


def _folded(text: str) -> str:
    lowered = text.lower()
    if len(lowered) != len(text):  # a few capitals grow when lowered; spans must stay those of the text
        lowered = "".join(low if len(low := char.lower()) == 1 else char for char in text)
    return lowered.replace("’", "'")


def _signals(folded: str) -> set[str]:
    awake = _WAKING.intersection(_WORD.findall(folded))
    signals = set(awake)
    if _ANY_DIGIT.search(folded):
        signals.add(DIGIT)
    if not folded.isascii() and _ANY_CJK.search(folded):
        signals.add(CJK)
    return signals


def _matches(reading: Reading, awake: set[str]) -> Iterable[_Match]:
    for rule in _RULES:
        if rule.wakes.isdisjoint(awake):
            continue
        group = "at" if "at" in rule.pattern.groupindex else 0
        for match in rule.pattern.finditer(reading.folded):
            try:
                period = rule.meaning(match, reading)
            except (ValueError, OverflowError):
                yield _Match(*match.span(group), None)
                continue
            if period is not None:
                yield _Match(*match.span(group), period)


def _without_overlaps(matches: Iterable[_Match]) -> list[_Found]:
    """The longest reading of each place wins, in reading order."""
    kept: list[_Match] = []
    by_length = sorted(matches, key=lambda each: (each.start - each.end, each.start))
    taken: set[int] = set()
    for each in by_length:
        if taken.isdisjoint(range(each.start, each.end)):
            taken.update(range(each.start, each.end))
            kept.append(each)
    real = [_Found(each.start, each.end, each.period) for each in kept if each.period is not None]
    return sorted(real, key=lambda each: each.start)


def _refined(found: _Found, reading: Reading) -> _Found:
    """`early`, `end of` narrow a period to a third; `since` stretches it to the present day."""
    start, period = found.start, found.period
    part = _PART.search(reading.before(start))
    if part and period.grain > Grain.DAY:
        start -= len(part[0])
        period = periods.third_of(period, {"early": 0, "mid": 1, "late": 2}[part.lastgroup or "early"])
    since = _SINCE.search(reading.before(start))
    if since and period.start <= reading.today:
        start -= len(since[0])
        period = Period(period.start, periods.days(reading.today, reading.today).end, period.grain, period.dated)
    return _Found(start, found.end, period)


def _joined(found: list[_Found], reading: Reading) -> list[_Found]:
    """A weekday in front of its date, and the two ends of a range, are one mention."""
    joined: list[_Found] = []
    for each in found:
        pair = _pair(joined[-1], each, reading) if joined else None
        if pair is None:
            joined.append(each)
        else:
            joined[-1] = pair
    return joined


def _pair(left: _Found, right: _Found, reading: Reading) -> _Found | None:
    if right.start - left.end > 12:  # no connecting words are longer
        return None
    between = reading.folded[left.end : right.start]
    if left.period.grain is right.period.grain is Grain.DAY and _WEEKDAY_COMMA.match(between):
        names_weekday = not _ANY_DIGIT.search(reading.folded, left.start, left.end)
        dated = _ANY_DIGIT.search(reading.folded, right.start, right.end)
        return _Found(left.start, right.end, right.period) if names_weekday and dated else None
    opening = _FROM.search(reading.before(left.start))
    if not _CONNECTION.match(between) or (_PLAIN_AND.match(between) and not opening):
        return None
    period = _range(left.period, right.period)
    start = left.start - len(opening[0]) if opening else left.start
    return _Found(start, right.end, period) if period else None


def _range(left: Period, right: Period) -> Period | None:
    """From the first day of `left` to the last of `right`; an end that has no year of its own follows the other."""
    start, end = left.start, right.end
    try:
        if right.dated and not left.dated:
            start = start.replace(year=right.start.year)
            start = start if start < end else start.replace(year=start.year - 1)
        elif not right.dated and end <= start:
            same_week = right.grain is Grain.DAY and (start - right.start).days < periods.DAYS_PER_WEEK
            years_on = start.year - end.year + (end.replace(year=start.year) <= start)
            end = periods.shift_days(end, 7) if same_week else end.replace(year=end.year + years_on)
    except (ValueError, OverflowError):  # 29 February of a year without one; the end of the calendar
        return None
    return Period(start, end, min(left.grain, right.grain), right.dated) if start < end else None


def _mention(found: _Found, reading: Reading) -> DateMention | None:
    zone = reading.said_at.tzinfo
    try:
        start, end = (
            datetime.combine(day, time.min, zone).astimezone(UTC) for day in (found.period.start, found.period.end)
        )
    except (ValueError, OverflowError):  # the first and last days of the calendar, moved out of it by the time zone
        return None
    return DateMention(start, end, reading.text[found.start : found.end], (found.start, found.end))
