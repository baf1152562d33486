"""Texts become the same terms whatever their case, inflection, accents or script."""

import random
import threading

import numpy as np
import pytest

from memcairn.domain.events import EventKind
from memcairn.domain.pool import Trait
from memcairn.store.index.analysis import (
    MAX_QUERY_TERMS,
    MAX_TERM_CHARS,
    SEGMENT_ABOVE_CHARS,
    analyse,
    analyse_query,
    segments,
    term_id,
    term_ids,
    traits_of,
)


def found_by(query: str, text: str) -> bool:
    """Whether every term of the query stands in the text."""
    terms = set(analyse(text))
    asked = analyse_query(query)
    return bool(asked) and all(terms & set(term.alternatives) for term in asked)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("adopted dogs", "We are adopting a dog."),
        ("ZOE'S PAINTINGS", "zoe painted it"),
        ("cafe", "We met at the Café."),
        ("Häuser", "Das Haus steht am See und ist alt."),
        ("häuser", "Die Hauser waren alt und die Strasse war leer."),
        ("strasse", "Die Straße ist lang"),
        ("maisons", "La maison est dans la rue des fleurs"),
        ("école", "Les écoles sont fermées pour les vacances"),
        ("canciones", "La canción es para los niños"),
        ("ninos", "Los niños están en casa"),
        ("猫", "我喜欢猫和狗"),
        ("喜欢猫", "我喜欢猫和狗"),
        ("東京", "彼は東京に住んでいます"),
        ("カフェ", "新しいカフェに行った"),
        ("서울", "저는 서울에 살아요"),
        ("हिन्दी", "मैं हिन्दी बोलता हूँ"),
        ("Привет", "привет, как дела"),
        ("it’s Anna’s bike", "Anna's bikes"),
        ("ﬁnance", "finance"),
        ("ＩＢＭ", "ibm"),
    ],
)
def test_a_query_finds_the_text_that_says_it_in_another_form(query: str, text: str) -> None:
    assert found_by(query, text)


@pytest.mark.parametrize(("query", "text"), [("cat", "The dog sleeps"), ("狗", "我喜欢猫"), ("東京", "京都に住む")])
def test_a_query_does_not_find_what_the_text_does_not_say(query: str, text: str) -> None:
    assert not found_by(query, text)


def test_terms_come_in_reading_order_with_repetitions() -> None:
    assert analyse("Dogs, cats; dogs!") == ["dog", "cat", "dog"]


def test_words_that_carry_no_content_are_left_out_of_queries_only() -> None:
    asked = [term.alternatives[0] for term in analyse_query("When did she go to the museum?")]

    assert asked == ["go", "museum"]
    assert "did" in analyse("When did she go?")


def test_words_without_content_are_those_of_the_language_of_the_question() -> None:
    english = [term.alternatives[0] for term in analyse_query("What did his son do in Las Vegas?")]
    french = [term.alternatives[0] for term in analyse_query("Que fait son chien dans la rue ?")]

    assert "son" in english
    assert french == ["chien", "ru"]


@pytest.mark.parametrize("query", ["who is he", "to be or not to be", "wo ist es"])
def test_a_query_of_nothing_but_such_words_keeps_them(query: str) -> None:
    assert analyse_query(query)


def test_dropped_names_leave_the_query_unless_nothing_else_is_asked() -> None:
    dropped = analyse_query("What is Zoë's hobby?", drop=["zoë"])
    alone = analyse_query("Zoë?", drop=["Zoë"])

    assert [term.alternatives[0] for term in dropped] == ["hobbi"]
    assert [term.alternatives[0] for term in alone] == ["zoe"]


def test_a_word_asked_twice_is_one_term() -> None:
    assert len(analyse_query("dog dogs DOG")) == 1


def test_a_very_long_query_keeps_its_longest_words() -> None:
    words = [f"w{number}" for number in range(1000)] + ["extraordinarily"]

    asked = analyse_query(" ".join(words))

    assert len(asked) == MAX_QUERY_TERMS
    assert "extraordinarili" in asked[-1].alternatives


@pytest.mark.parametrize(
    "text", ["", "???", "🎉🎉", " \n\t", '* AND OR NOT "', "C++ - $ %", "a'b\"c;--", "\u0301\u200b"]
)
def test_any_text_is_legal_and_its_terms_are_words_only(text: str) -> None:
    terms = analyse(text) + [word for term in analyse_query(text) for word in term.alternatives]

    assert all(term and not set(term) & set("\"'*()-+:;^ ") for term in terms)


def test_an_endless_word_is_cut() -> None:
    assert [len(term) for term in analyse("a1" * 5_000)] == [MAX_TERM_CHARS]


def test_term_ids_are_stable_and_in_order() -> None:
    assert term_ids(["dog", "cat", "dog"]).tolist() == [term_id("dog"), term_id("cat"), term_id("dog")]
    assert term_id("dog") == 0x812C397D
    assert term_ids([]).dtype == np.uint32


def test_threads_share_the_stems_safely() -> None:
    words = [f"{stem}{ending}" for stem in ("walk", "paint", "adopt") for ending in ("ed", "ing", "s")] * 50
    results: list[list[str]] = []

    def work(seed: int) -> None:
        shuffled = random.Random(seed).sample(words, len(words))
        results.append(sorted(analyse(" ".join(shuffled))))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all(result == results[0] for result in results)


def test_a_short_text_is_one_segment() -> None:
    assert segments("One. Two. Three.") == ["One. Two. Three."]


def test_a_long_text_is_cut_between_sentences() -> None:
    text = " ".join(f"This is sentence number {number} of a long story." for number in range(60))

    pieces = segments(text)

    assert len(pieces) > 3
    assert all(piece.endswith(".") for piece in pieces)
    assert " ".join(pieces) == text


@pytest.mark.parametrize("text", ["word " * 400, "x" * 2_000, "長い文章です。" * 200, "line\n" * 400, "a" * 601])
def test_long_texts_of_every_kind_are_cut_without_loss(text: str) -> None:
    pieces = segments(text)

    assert all(0 < len(piece) <= SEGMENT_ABOVE_CHARS for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.split())


def test_a_blank_text_stays_one_segment() -> None:
    assert segments(" " * 700) == [" " * 700]


@pytest.mark.parametrize(
    ("text", "trait"),
    [
        ("How are you doing today?", Trait.QUESTION),
        ("你去过北京吗？", Trait.QUESTION),
        ("I saw her last Tuesday.", Trait.HAS_TIME),
        ("We moved in 2019.", Trait.HAS_TIME),
        ("Wir waren gestern schwimmen", Trait.HAS_TIME),
        ("我昨天去了公园", Trait.HAS_TIME),
        ("I have three kids", Trait.HAS_NUMBER),
        ("It cost 40 dollars", Trait.HAS_NUMBER),
        ("我有三只猫", Trait.HAS_NUMBER),
        ("I like tea, coffee, and cake", Trait.HAS_LIST),
        ("- milk\n- eggs\n- flour", Trait.HAS_LIST),
        ("我有猫、狗、鸟", Trait.HAS_LIST),
        ("Haha nice", Trait.SHORT),
        ("猫が好き", Trait.SHORT),
        ("From now on I prefer trains", Trait.STANDING),
        ("Ich fahre immer mit dem Zug", Trait.STANDING),
        ("I moved to Lisbon", Trait.PERSONAL),
        ("Nous avons deux chats", Trait.PERSONAL),
        ("我搬家了", Trait.PERSONAL),
        ("You look great!", Trait.REMARK),
        ("¿Cómo estás tú?", Trait.REMARK),
        ("你真好", Trait.REMARK),
    ],
)
def test_a_text_shows_its_traits(text: str, trait: Trait) -> None:
    assert trait in traits_of(text)


def test_a_plain_sentence_has_none() -> None:
    assert traits_of("The sister adopted a dog from the shelter.", EventKind.USER_MESSAGE) == Trait(0)


def test_what_an_assistant_says_is_marked() -> None:
    assert Trait.BY_ASSISTANT in traits_of("You could try the museum.", EventKind.ASSISTANT_MESSAGE)
