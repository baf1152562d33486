"""A question is read for whom it names, which time it means, what it wants to know, and how its people would say it."""

from datetime import UTC, datetime

import pytest

from memcairn.domain.query import Shape, Understanding, Window, shape_of, understand

ASKED_AT = datetime(2024, 3, 13, 12, tzinfo=UTC)
PEOPLE = ["Margarethe Klein", "Tomás", "user", "assistant", "Rose", "actor-17"]


def read(text: str, speakers: list[str] | None = None) -> Understanding:
    return understand(text, speakers=PEOPLE if speakers is None else speakers, asked_at=ASKED_AT)


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("What is Margarethe's hobby?", ("Margarethe Klein",)),
        ("what is margarethe’s hobby", ("Margarethe Klein",)),
        ("MARGARETHE KLEIN?", ("Margarethe Klein",)),
        ("Did Klein call Tomas?", ("Margarethe Klein", "Tomás")),
        ("Where did Marga go?", ("Margarethe Klein",)),
        ("What did Margareta buy?", ("Margarethe Klein",)),
        ("What does actor-17 like?", ("actor-17",)),
        ("Margarethes Hobby?", ("Margarethe Klein",)),
        ("Did Rose come?", ("Rose",)),
        ("Rose's garden", ("Rose",)),
        ("Which rose did she plant?", ()),
        ("Rose gardens in town", ()),
        ("How many users did the assistant serve?", ()),
        ("How many user roles are there?", ()),
        ("What is a marga?", ()),
        ("Who is Bartholomew?", ()),
        ("", ()),
    ],
)
def test_known_names_are_found_however_they_are_written(question: str, named: tuple[str, ...]) -> None:
    assert read(question).speakers == named


def test_a_first_name_two_people_share_names_both() -> None:
    assert read("What did Ana say?", ["Ana Ruiz", "Ana Torres", "Bo"]).speakers == ("Ana Ruiz", "Ana Torres")


def test_a_short_form_two_people_could_have_names_neither() -> None:
    assert read("What did Ann say?", ["Annika", "Annabel"]).speakers == ()


def test_the_words_that_named_somebody_are_handed_back() -> None:
    assert read("Did Klein call Tomas?").name_words == ("Klein", "Tomas")


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("Where does she live now?", ("now",)),
        ("What does she do at the moment?", ("at", "the", "moment")),
        ("Wo hat sie früher gewohnt?", ("früher",)),
        ("¿Dónde vive ahora?", ("ahora",)),
        ("Which present did she know of?", ()),
    ],
)
def test_words_that_say_now_or_then_are_handed_back(question: str, words: tuple[str, ...]) -> None:
    assert read(question).time_words == words


@pytest.mark.parametrize(
    ("question", "spoken"),
    [
        ("What is Margarethe's hobby?", "What is my hobby?"),
        ("Where does Margarethe Klein live?", "Where does I live?"),
        ("What do Margarethe and Tomás share?", "What do we share?"),
        ("Which of Margarethe's and Tomás' trips was longer?", "Which of our trips was longer?"),
        ("Wo wohnt Margarethe und wie lange ist das her?", "Wo wohnt ich und wie lange ist das her?"),
        ("What is the plan?", "What is the plan?"),
    ],
)
def test_the_question_is_told_from_the_side_of_those_it_names(question: str, spoken: str) -> None:
    assert read(question).spoken == spoken


@pytest.mark.parametrize(
    ("question", "shape"),
    [
        ("When did she move?", Shape.WHEN),
        ("Wann ist Anna umgezogen?", Shape.WHEN),
        ("Quand est-elle partie ?", Shape.WHEN),
        ("¿Cuándo se mudó?", Shape.WHEN),
        ("她什么时候搬家？", Shape.WHEN),
        ("How many cats are there?", Shape.HOW_MANY),
        ("¿Cuántos gatos hay?", Shape.HOW_MANY),
        ("What kinds of tea are sold?", Shape.LIST),
        ("Which instruments does she play?", Shape.LIST),
        ("Where does she live now?", Shape.LATEST | Shape.WHERE),
        ("What is her current job?", Shape.LATEST),
        ("What did you tell Ana?", Shape.TOLD),
        ("Can you suggest a hotel?", Shape.REQUEST),
        ("Give an overview of the project", Shape.SUMMARY),
        ("Was hast du mir empfohlen, was war deine Empfehlung?", Shape.TOLD | Shape.OWN),
        ("Who called?", Shape.WHO),
        ("Wo liegt das Dorf?", Shape.WHERE),
        ("What is my favourite colour?", Shape.OWN),
        ("Where did she live before?", Shape.WHERE | Shape.PAST),
        ("What was her previous job?", Shape.PAST),
        ("Where did Ana use to work?", Shape.WHERE | Shape.PAST),
        ("Wo hat sie früher gewohnt?", Shape.WHERE | Shape.PAST),
        ("Où habitait-elle auparavant ?", Shape.WHERE | Shape.PAST),
        ("¿Dónde vivía antes?", Shape.WHERE | Shape.PAST),
        ("她以前住在哪里？", Shape.WHERE | Shape.PAST),
        ("Tell the story", Shape(0)),
    ],
)
def test_the_shape_of_the_answer_is_read_from_the_question(question: str, shape: Shape) -> None:
    assert shape_of(question) == shape


def test_a_time_in_the_question_becomes_a_window() -> None:
    day = int(datetime(2023, 5, 7, tzinfo=UTC).timestamp())

    assert read("What happened on 7 May 2023?").windows == (Window(day, day + 86_400),)


@pytest.mark.parametrize(
    ("question", "past"),
    [
        ("Where did she live in 2019?", True),
        ("What did she do yesterday?", True),
        ("What is she doing today?", False),
        ("Where will she be in 2031?", False),
        ("Where does she live?", False),
    ],
)
def test_a_time_that_is_over_asks_how_things_stood_then(question: str, past: bool) -> None:
    assert bool(read(question).shape & Shape.PAST) == past


def test_relative_times_are_seen_from_when_the_question_is_asked() -> None:
    (window,) = read("What did she do yesterday?").windows

    assert datetime.fromtimestamp(window.start, UTC) == datetime(2024, 3, 12, tzinfo=UTC)


def test_a_time_of_asking_without_a_zone_is_taken_as_utc() -> None:
    naive = ASKED_AT.replace(tzinfo=None)

    assert understand("yesterday", speakers=(), asked_at=naive) == read("yesterday", [])


@pytest.mark.parametrize(
    "text", ["", " ", "???", "'s", "’", "\u0301", "名前は?", "x" * 50_000, "Ana " * 20_000, "a.b.c"]
)
def test_any_text_is_a_legal_question(text: str) -> None:
    assert set(read(text, ["Ana", "", " ", "'", "名前"]).speakers) <= {"Ana", "名前"}
