"""Dates in text, read on Thursday 25 May 2023."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memcairn.domain.dates import MAX_DATES, find_dates

THURSDAY = datetime(2023, 5, 25, 13, 14, tzinfo=UTC)


def _read(text: str, said_at: datetime = THURSDAY) -> list[tuple[str, str, str]]:
    """Phrase, first day and last day of every mention."""
    return [
        (each.phrase, f"{each.start:%Y-%m-%d}", f"{each.end - timedelta(days=1):%Y-%m-%d}")
        for each in find_dates(text, said_at)
    ]


def _only(text: str) -> tuple[str, str]:
    [(_, first, last)] = _read(text)
    return first, last


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("We met on 8 May 2023", "2023-05-08"),
        ("May 8, 2023 was the day", "2023-05-08"),
        ("on the 8th of May", "2023-05-08"),
        ("May the 4th", "2023-05-04"),
        ("due 2023-05-08", "2023-05-08"),
        ("at 2023-05-08T10:00:00Z", "2023-05-08"),
        ("2023/5/8", "2023-05-08"),
        ("05/08/2022", "2022-05-08"),
        ("25/12/2022", "2022-12-25"),
        ("25.12.2022", "2022-12-25"),
        ("am 3. Mai 2022", "2022-05-03"),
        ("le 8 février 2023", "2023-02-08"),
        ("el 8 de mayo de 2023", "2023-05-08"),
        ("2024年3月5日に会った", "2024-03-05"),
        ("5月8日见面", "2023-05-08"),
        ("Friday, 8 May 2020", "2020-05-08"),
        ("yesterday", "2023-05-24"),
        ("last night", "2023-05-24"),
        ("the day before yesterday", "2023-05-23"),
        ("today's lunch", "2023-05-25"),
        ("tomorrow", "2023-05-26"),
        ("gestern", "2023-05-24"),
        ("昨日", "2023-05-24"),
        ("three days ago", "2023-05-22"),
        ("il y a trois jours", "2023-05-22"),
        ("24 hours ago", "2023-05-24"),
        ("last Friday", "2023-05-19"),
        ("We talked on Friday", "2023-05-19"),
        ("I'll call on Friday", "2023-05-26"),
        ("this Friday", "2023-05-26"),
        ("next Friday", "2023-06-02"),
        ("next Sun", "2023-06-04"),
        ("Tuesday next week", "2023-05-30"),
        ("letzten Freitag", "2023-05-19"),
        ("lundi dernier", "2023-05-22"),
        ("last Christmas", "2022-12-25"),
        ("on the 21st.", "2023-05-21"),
        ("on 29 February", "2020-02-29"),
    ],
)
def test_words_for_one_day_name_that_day(text: str, day: str) -> None:
    assert _only(text) == (day, day)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("in 2022", "2022-01-01", "2022-12-31"),
        ("May 2021", "2021-05-01", "2021-05-31"),
        ("We met in March.", "2023-03-01", "2023-03-31"),
        ("I will go in March", "2024-03-01", "2024-03-31"),
        ("in March of last year", "2022-03-01", "2022-03-31"),
        ("last December", "2022-12-01", "2022-12-31"),
        ("2023-07", "2023-07-01", "2023-07-31"),
        ("去年3月", "2022-03-01", "2022-03-31"),
        ("next month", "2023-06-01", "2023-06-30"),
        ("last week", "2023-05-15", "2023-05-21"),
        ("the week before last", "2023-05-08", "2023-05-14"),
        ("this weekend", "2023-05-27", "2023-05-28"),
        ("this past weekend", "2023-05-20", "2023-05-21"),
        ("two weekends ago", "2023-05-13", "2023-05-14"),
        ("two weeks ago", "2023-05-08", "2023-05-14"),
        ("vor zwei Wochen", "2023-05-08", "2023-05-14"),
        ("hace dos semanas", "2023-05-08", "2023-05-14"),
        ("a few days ago", "2023-05-20", "2023-05-23"),
        ("three years ago", "2020-01-01", "2020-12-31"),
        ("last summer", "2022-06-01", "2022-08-31"),
        ("in the summer of 2021", "2021-06-01", "2021-08-31"),
        ("last winter", "2022-12-01", "2023-02-28"),
        ("the 90s", "1990-01-01", "1999-12-31"),
        ("back in the eighties", "1980-01-01", "1989-12-31"),
        ("early 2022", "2022-01-01", "2022-05-01"),
        ("the end of last month", "2023-04-21", "2023-04-30"),
        ("for the last two weeks", "2023-05-11", "2023-05-25"),
        ("earlier this year", "2023-01-01", "2023-05-25"),
        ("See you in two weeks!", "2023-06-05", "2023-06-11"),
        ("the other day", "2023-05-18", "2023-05-24"),
    ],
)
def test_words_for_a_period_name_all_its_days(text: str, first: str, last: str) -> None:
    assert _only(text) == (first, last)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("from 3 to 5 May", "2023-05-03", "2023-05-05"),
        ("May 3-5, 2022", "2022-05-03", "2022-05-05"),
        ("between March and May 2022", "2022-03-01", "2022-05-31"),
        ("from April to June", "2023-04-01", "2023-06-30"),
        ("between November and February 2022", "2021-11-01", "2022-02-28"),
        ("from 2015 to 2017", "2015-01-01", "2017-12-31"),
        ("Monday to Wednesday", "2023-05-22", "2023-05-24"),
        ("since 2019", "2019-01-01", "2023-05-25"),
        ("ever since last May", "2022-05-01", "2023-05-25"),
    ],
)
def test_a_range_is_one_mention_from_its_first_to_its_last_day(text: str, first: str, last: str) -> None:
    assert _only(text) == (first, last)


@pytest.mark.parametrize(
    "text",
    [
        "you may go",
        "it may 8 times out of 10 work",
        "the mood I was in may pass",
        "option 3 may work",
        "they march on",
        "April is my sister",
        "a letter from June",
        "wait a second",
        "the sun is out and I love this sun",
        "she sat down",
        "every Friday",
        "Black Friday deals",
        "she is in her 20s",
        "we need 2000 people",
        "it cost 1999 dollars in 2000 steps",
        "I learned it in two weeks",
        "call 555-1234 or 192.168.1.200",
        "spring water and fall damage",
        "mon ami va bien",
        "ein Wochenende ohne Plan",
    ],
)
def test_words_that_only_look_like_dates_are_none(text: str) -> None:
    assert _read(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "999999999 days ago",
        "99999999999999 days ago",
        "999999999 years from now",
        "in the year 0000",
        "in 10000",
        "31 April 2022",
        "Feb 29 2023",
        "2023-13-45",
        "99/99/2023",
        "13月40日",
        "from 31 to 3 August",
    ],
)
def test_days_the_calendar_does_not_have_are_left_out(text: str) -> None:
    assert _read(text) == []


def test_several_dates_come_in_reading_order_with_their_places() -> None:
    text = "Yesterday I booked a trip for 3 June 2023, the first since 2021."

    mentions = find_dates(text, THURSDAY)

    assert [each.phrase for each in mentions] == ["Yesterday", "3 June 2023", "since 2021"]
    assert [text[slice(*each.span)] for each in mentions] == [each.phrase for each in mentions]


def test_the_day_is_the_one_of_the_speakers_own_time_zone() -> None:
    in_tokyo = datetime(2023, 5, 25, 1, 0, tzinfo=timezone(timedelta(hours=9)))

    [today] = find_dates("today", in_tokyo)

    assert today.start == datetime(2023, 5, 24, 15, 0, tzinfo=UTC)
    assert today.start.tzinfo is UTC


def test_a_time_without_zone_is_read_as_utc() -> None:
    [today] = find_dates("today", THURSDAY.replace(tzinfo=None))

    assert today.start == datetime(2023, 5, 25, tzinfo=UTC)


@pytest.mark.parametrize("year", [1, 9999])
@pytest.mark.parametrize(
    "text", ["last May", "on 29 February", "next Friday", "last year", "since spring 1200", "Monday"]
)
def test_at_the_ends_of_the_calendar_what_lies_beyond_is_left_out(text: str, year: int) -> None:
    for each in find_dates(text, datetime(year, 1, 1, tzinfo=UTC)):
        assert each.start < each.end


def test_a_table_of_dates_gives_the_first_ones_only() -> None:
    assert len(find_dates("8 May 2023; " * 2000, THURSDAY)) == MAX_DATES


@pytest.mark.parametrize(
    "unit",
    [
        "may ",
        "1 ",
        "from ",
        " ",
        "last ",
        "2022-",
        "1/",
        "the ",
        "年",
        "1年",
        "end of the ",
        "İ",
        "8 May to ",
        "Friday to ",
    ],
)
def test_repeating_half_a_date_thirty_thousand_characters_long_ends(unit: str) -> None:
    mentions = find_dates((unit * 32_000)[:32_000], THURSDAY)

    assert len(mentions) <= MAX_DATES


_PIECES = st.sampled_from(
    "from between to and until last next this the of in on since early end 8 May march 2023 31 99999 years ago Friday "
    "weekend week month day summer 90s christmas a few two 年 月 日 3月 - / . , 's İ ’".split(" ")
)


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=200), st.lists(_PIECES, max_size=25).map(" ".join)), st.datetimes())
def test_any_text_at_any_time_gives_sound_mentions_or_none(text: str, said_at: datetime) -> None:
    mentions = find_dates(text, said_at)

    for each in mentions:
        assert each.start < each.end
        assert text[slice(*each.span)] == each.phrase
    spans = [each.span for each in mentions]
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
