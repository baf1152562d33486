"""Dates by name and number: "8 May 2023", "last Friday", "in March", "summer 2022", "the 90s", `2024-03-05`.

All patterns run on lower-cased text, start at a word and repeat nothing without a bound, so that reading time grows
linearly with the text whatever it holds.
"""

import re
from collections.abc import Iterator
from datetime import date

from memcairn.domain import periods
from memcairn.domain.date_reading import (
    CJK,
    DIGIT,
    DIRECTION,
    GAP,
    NOT_A_COUNT,
    OF_YEAR,
    TO,
    YEAR,
    Reading,
    Rule,
    directed,
    direction,
    either,
    explicit_year,
    nearest,
)
from memcairn.domain.date_words import (
    AMBIGUOUS_MONTHS,
    CJK_DAYS,
    CJK_YEARS,
    DECADES,
    DIRECTIONS,
    HOLIDAYS,
    MODAL_MONTHS,
    MONTHS,
    PERSON_MONTHS,
    SEASONS,
    SHORT_WEEKDAYS,
    WEEKDAYS,
)
from memcairn.domain.periods import Grain, Period

_CENTURY_SPLIT = 69  # two-digit years: 69-99 are 1969-1999, as POSIX strptime reads them

_MONTH = rf"(?P<month>{either(MONTHS)})"
_NTH = r"(?:st|nd|rd|th|er|\.|º|ª)?"
_MONTH_CONTEXT = re.compile(
    rf"(?:\b(?:in|since|until|till|during|throughout|between|early|mid|late|im|en|seit|depuis|desde|anfang|mitte|ende)"
    rf"(?:{GAP}|-)|\b(?:end|start|beginning|middle|half|month|rest|most){GAP}of{GAP}"
    rf"|\b(?:from|between){GAP}(?:{either(MONTHS)})(?:{GAP}\d{{4}})?{TO})$"
)
_BY = re.compile(rf"\b(?:by|before|after){GAP}$")
_FROM = re.compile(rf"\b(?:from|von|de|du|desde){GAP}$")
_THEN_TO = re.compile(rf"(?:{GAP}\d{{4}})?{TO}(?:{either(MONTHS)})\b")
_CLAUSE_GOES_ON = re.compile(
    r"\s{0,2}(?:$|[.,;:!?)\n—–-]|(?:we|i|he|she|they|it|and|or|for|when|with|this|last|next|to|until|till|through|of)\b)"
)
_RECURRING = re.compile(rf"\b(?:every|each|any|most|some|per|black|good|cyber){GAP}$")
_ONE_DAY_WORD = re.compile(rf"\bon{GAP}$")
_SOMEONES = re.compile(rf"\b(?:my|your|his|her|our|their){GAP}(?:(?:early|mid|late)(?:{GAP}|-))?$")


def _years_around(today: date, reach: int = 1) -> Iterator[int]:
    yield from range(today.year - reach, today.year + reach + 1)


def _day_numbers(match: re.Match[str], reading: Reading) -> Period | None:
    """One or several days of a named month: `May 8, 2023`, `3-5 May`, `le 8 mai`."""
    if not _is_day_of_month(match, reading):
        return None
    month, first, last = MONTHS[match["month"]], int(match["day"]), int(match["last_day"] or match["day"])
    year = explicit_year(match, reading)
    if year is not None:
        return periods.days(date(year, month, first), date(year, month, last))
    found = []
    for year in _years_around(reading.today, 8):  # a 29 February is never further away than eight years
        try:
            found.append(periods.days(date(year, month, first), date(year, month, last)))
        except ValueError:
            continue
    return nearest(found, match, reading) if found else None


def _month(match: re.Match[str], reading: Reading) -> Period | None:
    month, today = MONTHS[match["month"]], reading.today
    year = explicit_year(match, reading)
    if year is not None:
        return periods.month(year, month)
    candidates = [periods.month(near, month) for near in _years_around(today)]
    if match["direction"]:
        return directed(candidates, direction(match), today)
    return nearest(candidates, match, reading) if _is_month(match, reading) else None


def _is_month(match: re.Match[str], reading: Reading) -> bool:
    name, start = match["month"], match.start("month")
    if name not in AMBIGUOUS_MONTHS:
        return True
    before, after = reading.before(start, 40), reading.after(match.end(), 40)
    in_context = (
        _MONTH_CONTEXT.search(before)
        or (_FROM.search(before) and _THEN_TO.match(after))
        or (_BY.search(before) and (name not in PERSON_MONTHS or reading.lies_ahead(start)))
    )
    if not in_context:
        return False
    return name not in MODAL_MONTHS or reading.text[start].isupper() or _CLAUSE_GOES_ON.match(after) is not None


def _is_day_of_month(match: re.Match[str], reading: Reading) -> bool:
    """Not "chapter 3 may surprise you" or "may 3 of us come"."""
    start = match.start("month")
    if match["month"] not in MODAL_MONTHS or reading.text[start].isupper() or explicit_year(match, reading):
        return True
    return _CLAUSE_GOES_ON.match(reading.after(match.end())) is not None


def _weekday(match: re.Match[str], reading: Reading) -> Period | None:
    name, start, today = match["weekday"], match.start("weekday"), reading.today
    wanted = WEEKDAYS[name]
    since = (today.weekday() - wanted) % 7
    if match["week_direction"]:
        week = periods.week_of(today, DIRECTIONS[match["week_direction"]])
        return periods.one_day(periods.shift_days(week.start, wanted))
    before = reading.before(start)
    if name in SHORT_WEEKDAYS and not (
        reading.text[start].isupper() and (match["direction"] or _ONE_DAY_WORD.search(before))
    ):
        return None
    way = match["direction"] or match["direction_after"]
    if way is None:
        if _RECURRING.search(before):
            return None
        passed = periods.one_day(periods.shift_days(today, -(since or 7)))
        return nearest([passed, periods.one_day(periods.shift_days(passed.start, 7 if since else 14))], match, reading)
    return periods.one_day(_directed_weekday(DIRECTIONS[way.split()[-1]], wanted, today))


def _directed_weekday(way: int, wanted: int, today: date) -> date:
    """Last: the most recent before today. This: the first from today on. Next: the one of next ISO week."""
    if way < 0:
        return periods.shift_days(today, -((today.weekday() - wanted) % 7 or 7))
    if way == 0:
        return periods.shift_days(today, (wanted - today.weekday()) % 7)
    return periods.shift_days(periods.week_of(today, 1).start, wanted)


def _ordinal_day(match: re.Match[str], reading: Reading) -> Period | None:
    """`on the 21st`, of the nearest month that has one."""
    found = []
    for month in range(reading.today.month - 2, reading.today.month + 3):
        first = periods.month(reading.today.year, month).start
        try:
            found.append(periods.one_day(first.replace(day=int(match["day"]))))
        except ValueError:
            continue
    return nearest(found, match, reading) if found else None


def _season(match: re.Match[str], reading: Reading) -> Period | None:
    year, first_month = explicit_year(match, reading), SEASONS[match["season"]]
    if year is not None:
        return periods.season(year, first_month)
    if match.start() == match.start("at") and not match["direction"]:
        return None
    candidates = [periods.season(near, first_month) for near in _years_around(reading.today, 2)]
    if match["direction"]:
        return directed(candidates, direction(match), reading.today)
    return nearest(candidates, match, reading)


def _holiday(match: re.Match[str], reading: Reading) -> Period | None:
    month, day = HOLIDAYS[" ".join(match["holiday"].split())]
    if match["year"]:
        return periods.one_day(date(int(match["year"]), month, day))
    if match.start() == match.start("at") and not match["direction"]:
        return None
    candidates = [periods.one_day(date(near, month, day)) for near in _years_around(reading.today)]
    if match["direction"]:
        return directed(candidates, direction(match), reading.today)
    return nearest(candidates, match, reading)


def _year(match: re.Match[str], _: Reading) -> Period:
    return periods.year(int(match["year"]))


def _year_span(match: re.Match[str], _: Reading) -> Period | None:
    first, last = int(match["year"]), int(match["last_year"])
    return Period(date(first, 1, 1), date(last + 1, 1, 1), Grain.YEAR) if first < last else None


def _decade(match: re.Match[str], reading: Reading) -> Period | None:
    if _SOMEONES.search(reading.before(match.start())):
        return None
    if match["word"]:
        return periods.decade(DECADES[match["word"]])
    digits = match["digits"]
    if len(digits) == 4:
        return periods.decade(int(digits))
    return periods.decade(int(digits) + (1900 if int(digits) > 20 else 2000))


def _numeric(match: re.Match[str], _: Reading) -> Period:
    groups = match.groupdict()
    day = groups.get("day")
    year, month = _full_year(match["year"]), int(match["month"])
    return periods.month(year, month) if day is None else periods.one_day(date(year, month, int(day)))


def _slashed(match: re.Match[str], _: Reading) -> Period:
    """Month first, unless that cannot be: the American reading of an English text."""
    first, second, year = int(match["first"]), int(match["second"]), _full_year(match["year"])
    month, day = (second, first) if first > periods.MONTHS_PER_YEAR else (first, second)
    return periods.one_day(date(year, month, day))


def _full_year(digits: str) -> int:
    number = int(digits)
    if len(digits) > 2:
        return number
    return number + (1900 if number >= _CENTURY_SPLIT else 2000)


def _cjk(match: re.Match[str], reading: Reading) -> Period | None:
    if match["near"]:
        return periods.one_day(periods.shift_days(reading.today, CJK_DAYS[match["near"]]))
    if match["near_year"]:
        year = reading.today.year + CJK_YEARS[match["near_year"]]
        return periods.month(year, int(match["near_month"])) if match["near_month"] else periods.year(year)
    if match["year"]:
        if not match["month"]:
            return periods.year(int(match["year"]))
        return _numeric(match, reading)
    found = [periods.one_day(date(year, int(match["m"]), int(match["d"]))) for year in _years_around(reading.today)]
    return nearest(found, match, reading)


_DAY = r"(?P<day>\d{1,2})"
_MONTH_DAY = (
    rf"\b{_MONTH}\.?{GAP}(?:the{GAP})?{_DAY}(?:st|nd|rd|th)?(?:{TO}(?P<last_day>\d{{1,2}})(?:st|nd|rd|th)?)?"
    rf"{NOT_A_COUNT}(?:{OF_YEAR})?"
)
_DAY_MONTH = (
    rf"(?<![\w.:/,$-]){_DAY}{_NTH}(?:{TO}(?P<last_day>\d{{1,2}}){_NTH})?{GAP}(?:of{GAP}|de{GAP})?"
    rf"{_MONTH}\b(?:{OF_YEAR})?"
)
_WEEKDAY = (
    rf"\b(?:{DIRECTION}{GAP})?(?P<weekday>{either(WEEKDAYS)})\b"
    rf"(?:{GAP}(?:of{GAP})?(?P<week_direction>last|this|next){GAP}week\b"
    rf"|{GAP}(?P<direction_after>dernier|passé|prochain|pasado|próximo)\b)?"
)
_SEASON = (
    rf"\b(?:(?:in|over|during|since|throughout|until|by){GAP}(?:the{GAP})?(?:(?:early|mid|late){GAP})?)?"
    rf"(?P<at>(?:{DIRECTION}{GAP})?(?P<season>{either(SEASONS)})\b(?:{OF_YEAR})?)"
)
_HOLIDAY = (
    rf"\b(?:(?:on|at|since|until|by|before|after|for|over){GAP})?"
    rf"(?P<at>(?:{DIRECTION}{GAP})?(?P<holiday>{either(HOLIDAYS)})\b(?:,?{GAP}(?:of{GAP}|in{GAP})?{YEAR})?)"
)
_YEAR_AFTER = (
    r"\b(?:in|since|during|by|until|till|before|after|around|circa|early|mid|late|year|(?:end|start|beginning|middle|half)"
    rf"{GAP}of|en|desde|depuis|seit|jahr|année|año)(?:{GAP}|-)(?:the{GAP}year{GAP})?(?P<at>{YEAR}{NOT_A_COUNT})(?!\w)"
)
_YEAR_SPAN = (
    rf"\b(?:from|between|in){GAP}(?P<at>(?P<year>[12]\d{{3}}){TO}(?P<last_year>[12]\d{{3}}){NOT_A_COUNT})(?!\w)"
)
_DECADE = (
    r"(?:\bthe[ ]|\b(?:early|mid|late)[ -]|\b(?=[12]\d{3}s))'?"
    rf"(?P<at>(?P<digits>(?:1\d|20)\d0|[0-9]0)'?s|(?P<word>{either(DECADES)}))\b"
)
_NO_NUMBER = r"(?![\d]|[./-]\d)"
_YEAR_FIRST = r"(?<![\d./-])(?P<year>[12]\d{3})(?P<sep>[-/.])(?P<month>\d{1,2})(?P=sep)(?P<day>\d{1,2})" + _NO_NUMBER
_YEAR_MONTH = r"(?<![\w./-])(?P<year>[12]\d{3})-(?P<month>0[1-9]|1[0-2])(?![\w/-]|\.\d)"
_DAY_FIRST = (
    r"(?<![\d./-])(?P<day>\d{1,2})(?P<sep>[.-])[ ]?(?P<month>\d{1,2})(?P=sep)[ ]?(?P<year>[12]\d{3})(?![\d]|[./-]\d)"
)
_SLASHED = r"(?<![\d./-])(?P<first>\d{1,2})/(?P<second>\d{1,2})/(?P<year>[12]\d{3}|\d{2})" + _NO_NUMBER
_CJK = (
    r"(?P<near_year>" + either(CJK_YEARS) + r")(?:的?(?P<near_month>\d{1,2})月)?|(?P<near>" + either(CJK_DAYS) + r")"
    r"|(?P<year>[12１２]\d{3})年(?:[ ]?(?P<month>\d{1,2})月(?:[ ]?(?P<day>\d{1,2})[日号])?)?"
    r"|(?<!\d)(?P<m>\d{1,2})月[ ]?(?P<d>\d{1,2})[日号]"
)

NAMED_RULES = (
    Rule(frozenset(MONTHS), re.compile(_MONTH_DAY), _day_numbers),
    Rule(frozenset(MONTHS), re.compile(_DAY_MONTH), _day_numbers),
    Rule(frozenset(MONTHS), re.compile(rf"\b(?:{DIRECTION}{GAP})?{_MONTH}\b(?:{OF_YEAR})?"), _month),
    Rule(frozenset(WEEKDAYS), re.compile(_WEEKDAY), _weekday),
    Rule(frozenset(SEASONS), re.compile(_SEASON), _season),
    Rule(frozenset({"christmas", "boxing", "year", "valentine", "halloween"}), re.compile(_HOLIDAY), _holiday),
    Rule(
        frozenset({DIGIT}),
        re.compile(rf"\bon{GAP}(?P<at>the{GAP}{_DAY}(?:st|nd|rd|th))(?=[.,;!?)]|$|{GAP}at\b)"),
        _ordinal_day,
    ),
    Rule(frozenset({DIGIT}), re.compile(_YEAR_SPAN), _year_span),
    Rule(frozenset({DIGIT}), re.compile(_YEAR_AFTER), _year),
    Rule(frozenset({DIGIT, *DECADES}), re.compile(_DECADE), _decade),
    Rule(frozenset({DIGIT}), re.compile(_YEAR_FIRST), _numeric),
    Rule(frozenset({DIGIT}), re.compile(_YEAR_MONTH), _numeric),
    Rule(frozenset({DIGIT}), re.compile(_DAY_FIRST), _numeric),
    Rule(frozenset({DIGIT}), re.compile(_SLASHED), _slashed),
    Rule(frozenset({CJK}), re.compile(_CJK), _cjk),
)
