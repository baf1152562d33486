"""Dates by distance: "yesterday", "two weeks ago", "next month", "the week before last", "later this year".

Patterns keep to the same bounds as those of `date_named`.
"""

import re
from datetime import date, timedelta

from memcairn.domain import periods
from memcairn.domain.date_reading import DIRECTION, GAP, QUANTITY, Reading, Rule, direction, either, nearest, quantity
from memcairn.domain.date_words import NEAR_DAYS, UNITS
from memcairn.domain.periods import Grain, Period

_UNIT = rf"(?P<unit>{either(UNITS)})"
_STARTS_IN = re.compile(
    rf"(?:\b(?:is|are|be|ready|back|starts?|begins?|leaves?|leaving|happening|due|coming)|'s|'re){GAP}$"
)


def _near_day(match: re.Match[str], reading: Reading) -> Period:
    return periods.one_day(periods.shift_days(reading.today, NEAR_DAYS[" ".join(match[0].split())]))


def _ago(match: re.Match[str], reading: Reading) -> Period | None:
    least, most = quantity(match)
    return _at_distance(UNITS[match["unit"]], -most, -least, reading)


def _from_now(match: re.Match[str], reading: Reading) -> Period | None:
    least, most = quantity(match)
    return _at_distance(UNITS[match["unit"]], least, most, reading)


def _in_future(match: re.Match[str], reading: Reading) -> Period | None:
    """`in two weeks` is a date only where the sentence looks ahead; elsewhere it is how long something took."""
    at = match.start()
    if reading.lies_ahead(at) or _STARTS_IN.search(reading.before(at)):
        return _from_now(match, reading)
    return None


def _at_distance(unit: str, first: int, last: int, reading: Reading) -> Period | None:
    """As exact as the words: days to the day, weeks to the week around it, months and years to whole ones."""
    today = reading.today
    if unit == "day":
        return periods.days(periods.shift_days(today, first), periods.shift_days(today, last))
    if unit == "week":
        start, end = periods.shift_days(today, 7 * first - 3), periods.shift_days(today, 7 * last + 4)
        return Period(start, end, Grain.WEEK)
    if unit == "weekend":
        return periods.weekend_of(today, first)
    if unit == "month":
        early, late = (periods.month(today.year, today.month + count) for count in (first, last))
        return Period(early.start, late.end, Grain.MONTH)
    if unit in ("year", "decade"):
        years = 10 if unit == "decade" else 1
        early, late = (periods.year(today.year + years * count) for count in (first, last))
        return Period(early.start, late.end, Grain.YEAR)
    step = timedelta(hours=first) if unit == "hour" else timedelta(minutes=first)
    return periods.one_day((reading.said_at + step).date())


def _directed_unit(match: re.Match[str], reading: Reading) -> Period | None:
    """`last week`, `this year`, `next weekend`; with a number or "past" it is a stretch that touches today."""
    unit, way, today = UNITS[match["unit"]], direction(match), reading.today
    if match["count"] or ("past" in match["direction"] and unit != "weekend"):
        most = quantity(match)[1] if match["count"] else 1
        return _touching_today(unit, most, way, today)
    if match["unit"] in ("weeks", "months", "years"):
        return None
    return _calendar_unit(unit, way, today)


def _calendar_unit(unit: str, offset: int, today: date) -> Period | None:
    if unit == "week":
        return periods.week_of(today, offset)
    if unit == "weekend":
        return periods.weekend_of(today, offset)
    if unit == "month":
        return periods.month(today.year, today.month + offset)
    return periods.year(today.year + offset) if unit == "year" else None


def _touching_today(unit: str, count: int, way: int, today: date) -> Period | None:
    days_each = {"day": 1, "week": 7, "weekend": 7, "month": 30.44, "year": 365.25, "decade": 3652.5}.get(unit)
    if days_each is None or way == 0:
        return None
    length = round(days_each * count)
    if way < 0:
        return Period(periods.shift_days(today, -length), periods.shift_days(today, 1), Grain.DAY)
    return Period(today, periods.shift_days(today, length + 1), Grain.DAY)


def _second_neighbour(match: re.Match[str], reading: Reading) -> Period | None:
    """`the week before last`, `the weekend after next`."""
    offset = -2 if match["second"].startswith("before") else 2
    if match["unit"] == "night":
        return periods.one_day(periods.shift_days(reading.today, offset))
    return _calendar_unit(UNITS[match["unit"]], offset, reading.today)


def _edge(match: re.Match[str], reading: Reading) -> Period | None:
    whole = _calendar_unit(UNITS[match["unit"]], 0, reading.today)
    part = {"end": 2, "beginning": 0, "start": 0, "middle": 1}[match["edge"]]
    return periods.third_of(whole, part) if whole else None


def _rest(match: re.Match[str], reading: Reading) -> Period | None:
    """`earlier this week` ends today, `later this year` begins today."""
    whole, today = _calendar_unit(UNITS[match["unit"]], 0, reading.today), reading.today
    if whole is None:
        return None
    if match["side"] == "earlier":
        return Period(whole.start, periods.shift_days(today, 1), Grain.DAY)
    return Period(today, whole.end, Grain.DAY)


def _other_day(_: re.Match[str], reading: Reading) -> Period:
    return periods.days(periods.shift_days(reading.today, -7), periods.shift_days(reading.today, -1))


def _weekend(match: re.Match[str], reading: Reading) -> Period:
    around = [periods.weekend_of(reading.today, offset) for offset in (-1, 0)]
    return nearest(around, match, reading)


_NEAR_WORDS = frozenset(re.findall(r"\w+", " ".join(NEAR_DAYS))) - {"the", "this", "last", "day", "before", "after"}
_NEAR = rf"\b(?:{either(NEAR_DAYS)})\b"
_BACK = rf"\b{QUANTITY}{GAP}{_UNIT}{GAP}ago\b"
_BACK_BEFORE = rf"\b(?:vor|hace|il{GAP}y{GAP}a){GAP}{QUANTITY}{GAP}{_UNIT}\b"
_FORWARD = rf"\b{QUANTITY}{GAP}{_UNIT}{GAP}from{GAP}(?:now|today)\b"
_FORWARD_IN = rf"\bin{GAP}{QUANTITY}{GAP}{_UNIT}\b"
_DIRECTED = rf"\b{DIRECTION}{GAP}(?:{QUANTITY}{GAP})?{_UNIT}\b"
_SECOND = rf"\bthe{GAP}(?P<unit>night|week|weekend|month|year){GAP}(?P<second>before{GAP}last|after{GAP}next)\b"
_EDGE = rf"\b(?P<edge>end|beginning|start|middle){GAP}of{GAP}the{GAP}(?P<unit>week|month|year)\b"
_REST = rf"\b(?P<side>earlier|later){GAP}this{GAP}(?P<unit>week|month|year)\b"
_LAST_DAYS = rf"\bthe{GAP}other{GAP}(?:day|night)\b"
_THE_WEEKEND = rf"\b(?:over|on|at|during|for){GAP}(?P<at>the{GAP}weekend)\b(?!{GAP}(?:before|after))"

RELATIVE_RULES = (
    Rule(_NEAR_WORDS, re.compile(_NEAR), _near_day),
    Rule(frozenset({"ago"}), re.compile(_BACK), _ago),
    Rule(frozenset({"vor", "hace", "il"}), re.compile(_BACK_BEFORE), _ago),
    Rule(frozenset({"from"}), re.compile(_FORWARD), _from_now),
    Rule(frozenset(UNITS), re.compile(_FORWARD_IN), _in_future),
    Rule(frozenset(UNITS), re.compile(_DIRECTED), _directed_unit),
    Rule(frozenset(UNITS), re.compile(_SECOND), _second_neighbour),
    Rule(frozenset(UNITS), re.compile(_EDGE), _edge),
    Rule(frozenset(UNITS), re.compile(_REST), _rest),
    Rule(frozenset({"other"}), re.compile(_LAST_DAYS), _other_day),
    Rule(frozenset({"weekend"}), re.compile(_THE_WEEKEND), _weekend),
)
