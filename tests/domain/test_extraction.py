"""What one event says: the words as said, and the statements in it that last."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memcairn.domain.candidates import MESSAGE, Candidate
from memcairn.domain.events import Event, EventKind, EventStatus
from memcairn.domain.extraction import MAX_TYPED, extract
from memcairn.domain.memories import Entity, MemoryKind
from memcairn.domain.rules import rule_book

THURSDAY = datetime(2023, 5, 25, 13, 14, tzinfo=UTC)


def _event(
    content: str,
    *,
    kind: EventKind = EventKind.USER_MESSAGE,
    name: str | None = "Alice",
    session_id: str = "s1",
    at: datetime = THURSDAY,
) -> Event:
    return Event(
        org_id="org",
        event_id="e1",
        session_id=session_id,
        position=7,
        actor_id="user_1",
        kind=kind,
        content=content,
        name=name,
        role=None,
        token_count=1,
        metadata={},
        role_id=None,
        team_id=None,
        status=EventStatus.PENDING,
        error=None,
        occurred_at=at,
        created_at=at,
        updated_at=at,
    )


def _typed(content: str, kind: EventKind = EventKind.USER_MESSAGE) -> list[Candidate]:
    return [each for each in extract(_event(content, kind=kind)) if each.type != MESSAGE]


def _said(content: str, type_: str) -> list[str]:
    return [each.text for each in _typed(content) if each.type == type_]


@pytest.mark.parametrize(
    "content",
    [
        "ok",
        "thanks!",
        "Got it, thanks a lot!",
        "haha",
        "hahahaha lol",
        "yesss",
        "👍👍",
        "!!!",
        "   ",
        "\x00",
        "Danke schön!",
        "merci beaucoup",
        "muchas gracias",
        "спасибо",
        "好的",
        "ありがとうございます",
    ],
)
def test_a_bare_acknowledgement_leaves_nothing(content: str) -> None:
    assert extract(_event(content)) == []


@pytest.mark.parametrize("content", ["42", "Thanks, I will call", "no, the blue one", "ok but not on Sunday", "Lisbon"])
def test_anything_of_substance_is_kept(content: str) -> None:
    assert [each.text for each in extract(_event(content)) if each.type == MESSAGE] == [content]


def test_the_message_keeps_the_words_as_said_with_speaker_time_and_what_was_found_in_them() -> None:
    content = "We saw Rosa's dog  yesterday\x00 in Lisbon 🐕"

    [message, *_] = extract(_event(content))

    assert message.text == "We saw Rosa's dog  yesterday in Lisbon 🐕"
    assert (message.kind, message.speaker, message.observed_at) == (MemoryKind.EPISODIC, "Alice", THURSDAY)
    assert (message.event_id, message.session_id, message.position) == ("e1", "s1", 7)
    assert message.entities == [Entity("Rosa", "PERSON"), Entity("Lisbon", "PLACE")]
    assert message.tags == ("pets",)
    assert message.metadata["dates"] == [
        {"phrase": "yesterday", "start": "2023-05-24T00:00:00+00:00", "end": "2023-05-25T00:00:00+00:00"}
    ]


@pytest.mark.parametrize(
    ("content", "text", "slot", "value"),
    [
        ("I live in Lisbon.", "Alice lives in Lisbon", "home", "lisbon"),
        ("btw i live in lisbon now", "Alice lives in lisbon", "home", "lisbon"),
        ("We live in New York City, near the park", "Alice lives in New York City", "home", "new york city"),
        ("I moved from Porto to Braga", "Alice lives in Braga", "home", "braga"),
        ("I live in Lisbon, what about you?", "Alice lives in Lisbon", "home", "lisbon"),
        ("I live not in Porto but in Lisbon", "Alice lives in Lisbon", "home", "lisbon"),
        ("I no longer live in Paris", "Alice no longer lives in Paris", "home", "not paris"),
        ("I'm from Sweden", "Alice is from Sweden", "origin", "sweden"),
        ("I work at Acme Corp", "Alice works at Acme Corp", "employer", "acme corp"),
        ("I work at a clinic in town", "Alice works at a clinic", "employer", "clinic"),
        ("I work as a night nurse", "Alice works as a night nurse", "job", "night nurse"),
        ("I'm a software engineer", "Alice is a software engineer", "job", "software engineer"),
        ("My name is Ana Silva", "Alice's name is Ana Silva", "name", "ana silva"),
        ("I am 34 years old", "Alice is 34 years old", "age", "34"),
        ("My birthday is on May 5th", "Alice's birthday is May 5th", "birthday", "may 5th"),
        ("I'm single", "Alice is single", "relationship", "single"),
        ("My dog is called Rex", "Alice's dog is called Rex", "dog.name", "rex"),
        ("My email is ana@example.org", "Alice's email is ana@example.org", "email", "ana example org"),
        ("My sister lives in Oslo", "Alice's sister lives in Oslo", "sister.home", "oslo"),
        ("My friend Tom lives in Bonn", "Alice's friend Tom lives in Bonn", "friend_tom.home", "bonn"),
        ("My friend lives in Bonn", "Alice's friend lives in Bonn", None, None),
        ("My wife's name is Julia", "Alice's wife is called Julia", "wife.name", "julia"),
        ("I'm allergic to peanuts", "Alice is allergic to peanuts", None, None),
    ],
)
def test_a_stated_fact_becomes_a_sentence_about_the_speaker(
    content: str, text: str, slot: str | None, value: str | None
) -> None:
    [fact] = [each for each in _typed(content) if each.type == "fact"]

    assert (fact.text, fact.slot, fact.value) == (text, slot, value)
    assert fact.kind is MemoryKind.SEMANTIC
    assert 0.0 < fact.confidence <= 1.0


def test_one_sentence_may_state_two_facts() -> None:
    assert _said("I live in Lisbon and work at Acme Corp", "fact") == [
        "Alice lives in Lisbon",
        "Alice works at Acme Corp",
    ]


@pytest.mark.parametrize(
    ("content", "facts"),
    [
        (
            "I live in Bergen and I'm allergic to hazelnuts.",
            [("Alice lives in Bergen", "bergen"), ("Alice is allergic to hazelnuts", None)],
        ),
        (
            "My name is Ana and I work at Ferrovia",
            [("Alice works at Ferrovia", "ferrovia"), ("Alice's name is Ana", "ana")],
        ),
        ("I moved to Oslo because we had a baby", [("Alice lives in Oslo", "oslo")]),
    ],
)
def test_a_fact_ends_where_the_speaker_goes_on_to_something_else(
    content: str, facts: list[tuple[str, str | None]]
) -> None:
    assert [(each.text, each.value) for each in _typed(content) if each.type == "fact"] == facts


@pytest.mark.parametrize(
    ("content", "text", "value"),
    [
        ("I love hiking", "Alice loves hiking", "positive"),
        ("I really enjoy cooking for my kids because it is fun", "Alice enjoys cooking for their kids", "positive"),
        ("I'm so into jazz", "Alice is into jazz", "positive"),
        ("I don't like olives", "Alice doesn't like olives", "negative"),
        ("I can't stand loud music!", "Alice can't stand loud music", "negative"),
        ("I'm not a fan of horror movies", "Alice is not a fan of horror movies", "negative"),
        ("I prefer tea over coffee", "Alice prefers tea over coffee", None),
        ("My favorite color is blue", "Alice's favourite color is blue", "blue"),
        ("My sister loves gardening", "Alice's sister loves gardening", None),
        ("I love the book I bought", "Alice: I love the book I bought", "positive"),
    ],
)
def test_a_liking_or_dislike_becomes_a_preference_with_its_polarity(content: str, text: str, value: str | None) -> None:
    [preference] = [each for each in _typed(content) if each.type == "preference"]

    assert (preference.text, preference.value) == (text, value)


def test_liking_and_disliking_one_thing_fill_the_same_slot() -> None:
    [liked], [disliked] = _typed("I like olives"), _typed("I hate olives")

    assert liked.slot == disliked.slot == "attitude:olives"
    assert disliked.metadata["polarity"] == "negative"


@pytest.mark.parametrize(
    ("content", "type_", "kind"),
    [
        ("We decided to use Postgres", "decision", MemoryKind.SEMANTIC),
        ("Decision: ship on Friday", "decision", MemoryKind.SEMANTIC),
        ("Let's go with option B", "decision", MemoryKind.SEMANTIC),
        ("From now on, answer in German", "norm", MemoryKind.SEMANTIC),
        ("Never deploy on Fridays", "norm", MemoryKind.SEMANTIC),
        ("Our policy is to reply within a day", "norm", MemoryKind.SEMANTIC),
        ("To reset the router, press the button for ten seconds", "procedure", MemoryKind.PROCEDURAL),
        ("First boil the water, then add the pasta", "procedure", MemoryKind.PROCEDURAL),
        ("I graduated in 2019", "event", MemoryKind.EPISODIC),
        ("We went to the lake last summer", "event", MemoryKind.EPISODIC),
    ],
)
def test_sentences_without_a_form_of_their_own_are_quoted_with_their_speaker(
    content: str, type_: str, kind: MemoryKind
) -> None:
    [candidate] = _typed(content)

    assert (candidate.type, candidate.kind, candidate.text) == (type_, kind, f"Alice: {content}")


@pytest.mark.parametrize(
    "content",
    [
        "Do you live in Oslo?",
        "Should I say I live in Oslo?",
        "If I live in Rome I will be happy",
        "I wish I was vegan",
        "Maybe I prefer tea",
        "He said I live in a cave",
        'She keeps saying "I live in Madrid" to everybody',
        "> I live in Madrid",
        "I'd love to go",
        "I love you guys!",
        "I like that",
        "I'm 5 minutes away",
        "I live in a small house",
        "I work at night",
        "call me later",
        "Never mind",
        "You must be tired",
        "I used to live in Rome",
        "Always on the go",
        "I bought a car",
    ],
)
def test_questions_conditions_quotations_and_idioms_state_nothing(content: str) -> None:
    assert _typed(content) == []


@pytest.mark.parametrize(
    "content",
    [
        "Actually, I prefer tea",
        "I moved to Porto",
        "I no longer live in Paris",
        "We decided to use Postgres instead of MySQL",
        "My birthday is not in May but in June",
        "Sorry, my name is Bob",
    ],
)
def test_an_explicit_correction_is_marked_as_one(content: str) -> None:
    assert any(each.corrects for each in _typed(content))


@pytest.mark.parametrize("content", ["I prefer tea", "I live in Lisbon", "It is not easy but I love hiking"])
def test_a_plain_statement_corrects_nothing(content: str) -> None:
    assert [each.corrects for each in _typed(content)] == [False]


@pytest.mark.parametrize("kind", [EventKind.ASSISTANT_MESSAGE, EventKind.TOOL_RESULT, EventKind.APP_EVENT])
def test_assistants_and_tools_are_heard_only_where_they_state_a_decision_or_a_norm_outright(kind: EventKind) -> None:
    content = "I love hiking. I live in Lisbon. Always wear a helmet. We decided to use Postgres."

    candidates = extract(_event(content, kind=kind, name=None))

    assert [each.type for each in candidates] == [MESSAGE, "decision"]
    assert candidates[0].speaker in {"assistant", "tool", "app"}


def test_the_same_message_on_another_day_or_in_another_session_is_another_episode() -> None:
    first = _event("I am home again")
    another_day = _event("I am home again", at=THURSDAY.replace(day=26))
    another_session = _event("I am home again", session_id="s2")

    digests = {extract(event)[0].digest for event in (first, another_day, another_session)}

    assert len(digests) == 3


def test_the_same_fact_in_other_letters_on_another_day_has_the_same_digest() -> None:
    first = extract(_event("I live in Lisbon."))[1]
    again = extract(_event("well, I LIVE in lisbon!!", session_id="s2", at=THURSDAY.replace(day=26)))[1]

    assert first.digest == again.digest
    assert first.slot_key == again.slot_key == "alice|home"


def test_two_speakers_saying_the_same_are_told_apart() -> None:
    assert (
        extract(_event("Never deploy on Fridays"))[1].digest
        != extract(_event("Never deploy on Fridays", name="Bob"))[1].digest
    )


def test_a_long_list_of_statements_is_cut_at_the_limit() -> None:
    content = ". ".join(f"I love hobby{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(100))

    assert len(_typed(content)) == MAX_TYPED


def test_every_rule_of_the_table_is_woken_by_its_own_cues_and_rated_between_nothing_and_certain() -> None:
    book = rule_book()

    assert all(rule in book.waking(frozenset({cue})) for rule in book.rules for cue in rule.cues)
    assert all(0.0 < rule.confidence < 1.0 for rule in book.rules)
    assert {rule.type for rule in book.rules} == {"preference", "fact", "decision", "norm", "procedure", "event"}


@pytest.mark.parametrize(
    "unit",
    ["I ", "I live in ", "I love a ", "not a ", '"', "never ", "First a", "my favorite x ", "A", "ha", ". "],
)
def test_repeating_half_a_statement_thirty_thousand_characters_long_ends(unit: str) -> None:
    content = (unit * 32_000)[:32_000]

    assert all(each.text for each in extract(_event(content)))


_PIECES = st.sampled_from(
    (
        "I my we live in at Lisbon love don't like olives always never sister dog is called Rex actually if ? . , ! \" "
        "' not but birthday May 5 old 34 decided to first then every day moved from favourite colour name as a nurse"
    ).split(" ")
)


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=200), st.lists(_PIECES, max_size=25).map(" ".join)), st.sampled_from(EventKind))
def test_any_text_gives_the_same_sound_candidates_every_time(content: str, kind: EventKind) -> None:
    event = _event(content, kind=kind)

    candidates = extract(event)

    assert candidates == extract(event)
    assert all(each.text.strip() and 0.0 < each.confidence <= 1.0 for each in candidates)
    assert len({each.digest for each in candidates}) == len(candidates)
    assert all((each.slot is None) == (each.value is None) for each in candidates)


def test_an_actor_that_stands_for_its_session_lends_no_name_to_what_it_says() -> None:
    said = replace(_event("I live in Porto.", name=None), actor_id="session:s3")

    stated = extract(said)

    assert [(each.text, each.speaker) for each in stated[1:]] == [("User lives in Porto", "User")]
