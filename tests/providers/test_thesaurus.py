"""Words of like meaning, from the vectors that are in the package."""

from dataclasses import replace

import numpy as np
import pytest

from memcairn.core.kin import NOBODY, kin_of
from memcairn.providers.base import NoThesaurus
from memcairn.providers.static import StaticEmbedder
from memcairn.providers.thesaurus import LEAST_LIKENESS, MIN_CHARS, MOST_RELATED, RelatedWords, StaticThesaurus
from memcairn.store.index.analysis import QueryTerm, analyse_query, term_id


@pytest.fixture(scope="module")
def thesaurus() -> StaticThesaurus:
    return StaticThesaurus(StaticEmbedder())


@pytest.mark.parametrize(
    ("word", "near"), [("doctor", "medical"), ("married", "wife"), ("instrument", "guitar"), ("libro", "book")]
)
def test_words_of_like_meaning_are_near(thesaurus: StaticThesaurus, word: str, near: str) -> None:
    found = thesaurus.related(word)

    assert near in [each.word for each in found]
    assert word not in [each.word for each in found]
    assert len(found) <= MOST_RELATED
    assert [each.likeness for each in found] == sorted((each.likeness for each in found), reverse=True)
    assert all(LEAST_LIKENESS <= each.likeness <= 1.0001 for each in found)


def test_a_word_outside_the_vocabulary_is_placed_by_its_pieces(thesaurus: StaticThesaurus) -> None:
    assert "dog" not in [each.word for each in thesaurus.related("photographers")]
    assert "photograph" in [each.word[:10] for each in thesaurus.related("photographers")]


@pytest.mark.parametrize("word", ["", "2026", "a1b2", "?", "\x00", "東京x1"])
def test_what_is_no_word_has_no_relatives(thesaurus: StaticThesaurus, word: str) -> None:
    assert thesaurus.related(word) == ()


def test_other_forms_of_a_word_are_no_kin_of_it(thesaurus: StaticThesaurus) -> None:
    [term] = analyse_query("movies")

    kin = kin_of(thesaurus, term)

    assert term_id("movi") not in kin.ids.tolist()
    assert term_id("film") in kin.ids.tolist()
    assert len(kin.ids) == len(kin.likeness)


def test_scripts_without_spaces_have_no_words_to_look_up(thesaurus: StaticThesaurus) -> None:
    assert [kin_of(thesaurus, term) for term in analyse_query("喜欢猫")] == [NOBODY, NOBODY]


def test_without_a_thesaurus_nothing_is_kin() -> None:
    assert kin_of(NoThesaurus(), QueryTerm(("doctor",), "doctor")) == NOBODY


def test_words_looked_up_beforehand_are_those_that_would_be_found(thesaurus: StaticThesaurus) -> None:
    prepared = StaticThesaurus(StaticEmbedder(), RelatedWords.load())
    words = StaticEmbedder().vocabulary(min_chars=MIN_CHARS)[0][::37]

    assert [prepared.related(word) for word in words] == [thesaurus.related(word) for word in words]


def test_nearly_all_whole_words_are_looked_up_beforehand() -> None:
    table = RelatedWords.load()

    assert len(table.asked) == len(table.rows) > 8_000


def test_a_table_made_by_other_vectors_is_not_used(thesaurus: StaticThesaurus) -> None:
    table = RelatedWords.load()
    wrong = replace(table, rows=np.zeros_like(table.rows), vectors_digest="of others")

    assert StaticThesaurus(StaticEmbedder(), wrong).related("doctor") == thesaurus.related("doctor")
