"""What a summary keeps of a conversation."""

import dataclasses
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memcairn.domain.events import Event, EventKind
from memcairn.domain.summaries import (
    MAX_SENTENCE_CHARS,
    MAX_SUMMARY_CHARS,
    Utterance,
    name_shown,
    shortened,
    speaker_shown,
    summarise,
)
from tests.build import at, make

PLANS = (
    "Ann: Morning! How are you?",
    "Ben: Fine, thanks.",
    "Ann: I've decided to take the job at Northwind, I start on 3 March.",
    "Ben: Oh wow.",
    "Ann: I will move to Lisbon in February, the flat has two rooms.",
    "Ben: Nice. Remember that I'm allergic to peanuts when you invite me.",
)


def said(*lines: str, kind: EventKind = EventKind.USER_MESSAGE) -> list[Utterance]:
    """`Name: words`, one an hour."""
    return [
        Utterance(name, text, at(9) + timedelta(hours=hour), kind)
        for hour, (name, text) in enumerate(line.split(": ", 1) for line in lines)
    ]


def test_decisions_plans_and_wishes_stay_and_pleasantries_go() -> None:
    summary = summarise(None, said(*PLANS))

    assert "I've decided to take the job at Northwind, I start on 3 March." in summary
    assert "I'm allergic to peanuts" in summary
    assert "How are you" not in summary
    assert "Fine" not in summary
    assert "Oh wow" not in summary


def test_every_line_tells_the_day_and_the_speaker() -> None:
    lines = summarise(None, said(*PLANS)).splitlines()

    assert lines[0].startswith("2026-01-01 Ann: ")
    assert all(line.startswith(("2026-01-01 Ann: ", "2026-01-01 Ben: ")) for line in lines)


def test_sentences_stand_in_the_order_they_were_said() -> None:
    summary = summarise(None, said(*PLANS))

    assert summary.index("Northwind") < summary.index("peanuts")


def test_the_next_summary_keeps_the_best_of_the_last_one_beside_what_is_new() -> None:
    first = summarise(None, said(*PLANS))
    later = [
        dataclasses.replace(each, said_at=at(day=9))
        for each in said(
            "Ann: The landlord wants 900 euros of rent from me.",
            "Ben: That is a fair price.",
            "Ann: We agreed that I sign the contract on Friday.",
            "Ben: Good luck with it!",
        )
    ]

    second = summarise(first, later)

    assert "2026-01-01 Ann: I've decided to take the job at Northwind" in second
    assert "2026-01-09 Ann: " in second
    assert "sign the contract on Friday" in second


def test_a_long_conversation_never_outgrows_the_limit_and_never_loses_its_end() -> None:
    summary = ""
    for week in range(30):
        turns = said(
            f"Ann: In week {week} I ran {week + 10} kilometres along the river near Town{week}.",
            f"Ben: My brother bought {week + 3} chairs at the market of Village{week}.",
            "Ann: That sounds good to me.",
        )
        summary = summarise(summary, turns)
        assert 0 < len(summary) <= MAX_SUMMARY_CHARS

    assert "Town29" in summary or "Village29" in summary


def test_what_an_assistant_goes_on_about_weighs_less_than_what_people_say() -> None:
    people = said("Ann: I moved to a flat near the harbour of Porto.")
    advice = said("assistant: You can visit a museum near the harbour of Porto.", kind=EventKind.ASSISTANT_MESSAGE)

    summary = summarise(None, [*advice, *people])

    assert "I moved to a flat" in summary
    assert "You can visit" not in summary


def test_saying_it_again_takes_no_second_place() -> None:
    summary = summarise(
        None,
        said(
            "Ann: The wedding of Clara is on 4 July in Porto.",
            "Ann: The wedding of Clara is on 4 July in Porto!",
            "Ben: My exam at the conservatory is on 9 July.",
            "Ben: I practise the cello for three hours.",
        ),
    )

    assert summary.count("wedding of Clara") == 1
    assert "exam" in summary


@pytest.mark.parametrize(
    "lines",
    [
        ("安: 我昨天搬到了里斯本，三月三日开始在北风公司工作。", "本: 好的。", "安: 我对花生过敏，请不要放花生。"),
        ("Anna: Ich bin gestern nach Lissabon gezogen.", "Ben: Schön!", "Anna: Wir treffen uns am 3. März um 19 Uhr."),
        ("Анна: Вчера я переехала в Лиссабон.", "Бен: Да.", "Анна: Встретимся 3 марта в 19:00 у вокзала."),
    ],
)
def test_other_languages_are_weighed_by_the_same_signs(lines: Sequence[str]) -> None:
    summary = summarise(None, said(*lines))

    assert summary
    assert lines[1].split(": ")[1] not in summary
    assert not all(line.split(": ")[1] in summary for line in lines)


@pytest.mark.parametrize("text", ["ok", "Lisbon", "🎉🎉", "???", "...", "1", "。"])
def test_even_a_trifle_gives_a_summary_if_there_is_nothing_else(text: str) -> None:
    assert text.rstrip() in summarise(None, said(f"Ann: {text}"))


def test_code_and_the_signs_of_headings_and_lists_are_no_sentences() -> None:
    answer = (
        "## Plan\n- **Deploy** the budget tracker before 15 April.\n```python\nprice = 12 * people[0]\n```\n"
        "app.run(port=5000, debug=True)\nThe tests of the tracker run every night at 3."
    )

    summary = summarise(None, said(f"Ann: {answer}"))

    assert "Deploy the budget tracker before 15 April." in summary
    assert "price" not in summary
    assert "app.run" not in summary


def test_code_is_summarised_where_there_is_nothing_else() -> None:
    assert "price = 12" in summarise(None, said("Ann: ```\nprice = 12\n```"))


def test_a_single_long_sentence_is_cut_short() -> None:
    sentence = "I walked along the river and " * 8 + "came home"

    summary = summarise(None, said(f"Ann: {sentence}"))

    assert summary.endswith("…")
    assert len(summary) < len(sentence)


def test_blank_input_changes_nothing() -> None:
    assert summarise(None, said("Ann:  \n ")) == ""
    assert summarise("2026-01-01 Ann: I moved.", said("Ann:  ")) == "2026-01-01 Ann: I moved."


def test_free_prose_of_another_summariser_is_carried_on_too() -> None:
    summary = summarise(
        "Ann accepted a job at Northwind in Lisbon.\n\n9999-99-99 Ann: She starts on 3 March.", said(*PLANS[3:])
    )

    assert "Ann accepted a job at Northwind in Lisbon." in summary


def test_abbreviations_end_no_sentence() -> None:
    summary = summarise(
        None, said("Ann: I saw Dr. Miller on 3 May. It rained.", "Ben: Was it in St. Andrews? I like rain.")
    )

    assert "I saw Dr. Miller on 3 May." in summary


# The first text of a run builds tables of the library, which takes longer than it allows.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
_WORDS = st.lists(
    st.sampled_from("I moved to Lisbon. Ann ok! 3 March? agreed, 我 搬到 里斯本。 cat:\n \t “so” Dr. 🎉".split(" ")),
    max_size=40,
).map(" ".join)
_UTTERANCES = st.lists(
    st.builds(
        Utterance,
        st.sampled_from(["Ann", "Ben", "assistant"]),
        _TEXTS | _WORDS,
        st.just(at(9)),
        st.sampled_from(EventKind),
    ),
    min_size=1,
    max_size=8,
)


@UNHURRIED
@given(_UTTERANCES, st.none() | _TEXTS)
def test_a_summary_is_bounded_repeatable_and_empty_only_for_blank_input(
    utterances: list[Utterance], previous: str | None
) -> None:
    summary = summarise(previous, utterances)

    assert summary == summarise(previous, utterances)
    if any(each.text.strip() for each in utterances):
        assert summary.strip()
        assert len(summary) <= MAX_SUMMARY_CHARS + MAX_SENTENCE_CHARS
    else:
        assert summary == (previous or "")


@UNHURRIED
@given(st.lists(st.integers(0, 10_000), min_size=2, max_size=12, unique=True))
def test_a_summary_never_repeats_the_whole_conversation(numbers: list[int]) -> None:
    lines = [f"I bought {number} apples on the market." for number in numbers]

    summary = summarise(None, said(*(f"Ann: {line}" for line in lines)))

    assert not all(line in summary for line in lines)


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"name": "Ann Lee"}, "Ann Lee"),
        ({"name": "system:\nAnn"}, "system Ann"),
        ({"actor_id": "ann"}, "ann"),
        ({"actor_id": "session:s1"}, "user"),
        ({"actor_id": "session:s1", "role": "human"}, "human"),
        ({"actor_id": "session:s1", "kind": EventKind.ASSISTANT_MESSAGE, "role": "ai"}, "assistant"),
        ({"name": "::"}, "user"),
    ],
)
def test_a_speaker_has_a_name_people_can_read(fields: dict[str, object], shown: str) -> None:
    assert speaker_shown(make(Event, **fields)) == shown


def test_an_actor_that_stands_for_a_session_has_no_name() -> None:
    assert name_shown("session:s1") == "user"


def test_shortening_stops_at_a_word_border() -> None:
    assert shortened("one two three", 13) == "one two three"
    assert shortened("one two three", 12) == "one two…"
    assert shortened("onetwothree", 5) == "onet…"
