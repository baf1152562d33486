"""Names found in text by their shape."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memcairn.domain.entities import MAX_ENTITIES, find_entities


def _named(text: str) -> list[tuple[str, str]]:
    return [(entity.name, entity.type) for entity in find_entities(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "I work at Acme Corp in Lisbon with Alice Smith.",
            [("Acme Corp", "ORG"), ("Lisbon", "PLACE"), ("Alice Smith", "PERSON")],
        ),
        ("I studied at the University of Oxford", [("University of Oxford", "ORG")]),
        ("We stayed near Lake Como", [("Lake Como", "PLACE")]),
        ("I moved from San Francisco to New York", [("San Francisco", "PLACE"), ("New York", "PLACE")]),
        ("Thanks, Hugo! That helped", [("Hugo", "PERSON")]),
        ("I saw Dr. Brown", [("Dr. Brown", "PERSON")]),
        ("ask @bob_9 about it", [("@bob_9", "PERSON")]),
        ("O'Brien came with Émile Zola", [("Émile Zola", "PERSON")]),
        ("I love Minecraft", [("Minecraft", "CONCEPT")]),
        ("she speaks in Spanish", [("Spanish", "CONCEPT")]),
    ],
)
def test_names_come_with_the_kind_their_surroundings_suggest(text: str, expected: list[tuple[str, str]]) -> None:
    assert _named(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Nothing here has a name.",
        "Wow, that is cool. Sure! Ok.",
        "I saw it on Monday in March",
        "THIS WHOLE LINE IS SHOUTED",
        "write to me@example.com",
        "Ich habe heute den Hund zum Tierarzt gebracht und dann Brot, Milch, Butter, Wein und Käse im Laden gekauft",
    ],
)
def test_capitals_that_are_no_names_are_passed_over(text: str) -> None:
    assert _named(text) == []


def test_a_capital_at_the_start_of_a_sentence_counts_when_the_word_has_it_elsewhere_too() -> None:
    assert _named("Rosa loves tea.") == []
    assert _named("Rosa loves tea. Ask with Rosa.") == [("Rosa", "PERSON")]


def test_a_name_is_listed_once_with_its_best_known_kind() -> None:
    assert _named("Great talk, I like Nora. Yesterday I met Nora again.") == [("Nora", "PERSON")]


def test_both_kinds_of_apostrophe_end_a_name() -> None:
    assert _named("we saw Rosa's house") == _named("we saw Rosa’s house") == [("Rosa", "PERSON")]


def test_a_list_of_names_is_cut_at_the_limit() -> None:
    text = " and ".join(f"with Anna{chr(97 + index)}" for index in range(26))

    assert len(find_entities(text)) == MAX_ENTITIES


@pytest.mark.parametrize("unit", ["A", "A ", "A of ", "@", "@a.", "A'", "Dr. ", "A-", "É’s "])
def test_repeating_half_a_name_thirty_thousand_characters_long_ends(unit: str) -> None:
    assert len(find_entities((unit * 32_000)[:32_000])) <= MAX_ENTITIES


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from("Aa Bb.É’'@-&! of\nDr1ß"), max_size=120))
def test_any_text_gives_distinct_non_empty_names(text: str) -> None:
    names = [entity.name.casefold() for entity in find_entities(text)]

    assert all(name.strip() for name in names)
    assert len(names) == len(set(names))
