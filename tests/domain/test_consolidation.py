"""What candidates do to what is known."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memcairn.domain.candidates import NEGATED, Candidate, digest_of, slot_key
from memcairn.domain.consolidation import (
    Add,
    Decision,
    Drop,
    Known,
    LookupKeys,
    Strengthen,
    consolidate,
    lookup_keys,
)
from memcairn.domain.memories import MemoryKind, MemoryStatus

START = datetime(2023, 5, 1, tzinfo=UTC)
NOW = START + timedelta(days=365)


def _day(number: int) -> datetime:
    return START + timedelta(days=number)


def _candidate(
    text: str = "Alice likes tea",
    *,
    event: str = "e1",
    day: int = 1,
    type_: str = "fact",
    home: str | None = None,
    speaker: str = "Alice",
    corrects: bool = False,
    kind: MemoryKind = MemoryKind.SEMANTIC,
) -> Candidate:
    """`home` fills the slot of that name, and the text with it."""
    said = text if home is None else f"{speaker} lives in {home}"
    return Candidate(
        event_id=event,
        session_id="s1",
        position=1,
        kind=kind,
        type=type_,
        text=said,
        speaker=speaker,
        confidence=0.9,
        observed_at=_day(day),
        digest=digest_of(said, speaker, type_),
        slot=None if home is None else "home",
        value=home,
        corrects=corrects,
    )


def _known(candidate: Candidate, memory_id: str = "m1", **changes: object) -> Known:
    known = Known(
        memory_id=memory_id,
        kind=candidate.kind,
        type=candidate.type,
        text=candidate.text,
        speaker=candidate.speaker,
        digest=candidate.digest,
        observed_at=candidate.observed_at,
        slot=candidate.slot,
        value=candidate.value,
        source_event_ids=(candidate.event_id,),
    )
    return replace(known, **changes)  # type: ignore[arg-type]  # field names are given by the tests below


def _one(candidate: Candidate, *known: Known, similar: Sequence[Known] = ()) -> Decision:
    [decision] = consolidate([candidate], known, NOW, {0: similar})
    return decision


def _written(known: Sequence[Known], decisions: Sequence[Decision]) -> list[Known]:
    """What a store would hold after carrying out the decisions."""
    held = {each.memory_id: each for each in known}
    for decision in decisions:
        if isinstance(decision, Strengthen):
            old = held[decision.memory_id]
            held[old.memory_id] = replace(old, source_event_ids=(*old.source_event_ids, decision.event_id))
        elif isinstance(decision, Add):
            if decision.supersedes:
                closed = {"status": MemoryStatus.SUPERSEDED, "valid_to": decision.candidate.observed_at}
                superseded = held[decision.supersedes]
                held[decision.supersedes] = replace(superseded, **closed)  # type: ignore[arg-type]  # as above
            added = _known(decision.candidate, decision.memory_id, status=decision.status)
            held[added.memory_id] = replace(added, valid_to=decision.candidate.valid_to)
    return list(held.values())


def test_something_new_is_added() -> None:
    candidate = _candidate()

    assert _one(candidate) == Add("new-0", candidate)


def test_hearing_it_twice_makes_it_stronger_not_double() -> None:
    again = _candidate(event="e2", day=9)

    assert _one(again, _known(_candidate())) == Strengthen("m1", "e2", again)


def test_the_same_event_again_changes_nothing() -> None:
    decision = _one(_candidate(), _known(_candidate()))

    assert isinstance(decision, Drop)
    assert "already" in decision.reason


def test_two_repetitions_in_one_batch_are_one_memory_heard_twice() -> None:
    first, second = _candidate(event="e1"), _candidate(event="e2", day=2)

    assert consolidate([first, second], [], NOW) == [Add("new-0", first), Strengthen("new-0", "e2", second)]


def test_a_later_value_of_a_slot_supersedes_the_earlier_one() -> None:
    moved = _candidate(home="porto", event="e2", day=9)

    assert _one(moved, _known(_candidate(home="lisbon"))) == Add("new-0", moved, supersedes="m1")


def test_another_persons_value_supersedes_nothing() -> None:
    bobs = _candidate(home="porto", event="e2", day=9, speaker="Bob")

    assert _one(bobs, _known(_candidate(home="lisbon"))) == Add("new-0", bobs)


def test_the_case_of_a_name_makes_no_other_speaker() -> None:
    moved = _candidate(home="porto", event="e2", day=9, speaker="ALICE")

    assert _one(moved, _known(_candidate(home="lisbon"))) == Add("new-0", moved, supersedes="m1")


def test_an_old_statement_that_arrives_late_is_added_already_closed() -> None:
    late = _candidate(home="lisbon", event="e2", day=1)

    decision = _one(late, _known(_candidate(home="porto", day=9)))

    assert decision == Add("new-0", replace(late, valid_to=_day(9)), status=MemoryStatus.SUPERSEDED)


def test_a_late_statement_is_closed_by_the_first_that_followed_it() -> None:
    porto = _known(_candidate(home="porto", day=5), "m1", status=MemoryStatus.SUPERSEDED, valid_to=_day(9))
    braga = _known(_candidate(home="braga", event="e3", day=9), "m2")
    late = _candidate(home="lisbon", event="e2", day=1)

    decision = _one(late, braga, porto)

    assert decision == Add("new-0", replace(late, valid_to=_day(5)), status=MemoryStatus.SUPERSEDED)


def test_an_old_repetition_strengthens_the_memory_that_held_then() -> None:
    lisbon = _known(_candidate(home="lisbon"), "m1", status=MemoryStatus.SUPERSEDED, valid_to=_day(9))
    porto = _known(_candidate(home="porto", event="e3", day=9), "m2")
    late = _candidate(home="lisbon", event="e2", day=4)

    assert _one(late, lisbon, porto) == Strengthen("m1", "e2", late)


def test_coming_back_to_an_old_value_is_news() -> None:
    lisbon = _known(_candidate(home="lisbon"), "m1", status=MemoryStatus.SUPERSEDED, valid_to=_day(9))
    porto = _known(_candidate(home="porto", event="e3", day=9), "m2")
    back = _candidate(home="lisbon", event="e4", day=20)

    assert _one(back, lisbon, porto) == Add("new-0", back, supersedes="m2")


def test_the_same_value_in_other_words_is_a_repetition() -> None:
    at_work = replace(_candidate("Alice is employed by Acme", event="e2", day=3), slot="employer", value="acme")
    known = replace(_candidate("Alice works at Acme"), slot="employer", value="acme")

    assert _one(at_work, _known(known)) == Strengthen("m1", "e2", at_work)


def test_saying_what_no_longer_holds_supersedes_that_value_and_no_other() -> None:
    denial = _candidate(home=NEGATED + "paris", event="e2", day=9, corrects=True)

    assert _one(denial, _known(_candidate(home="paris"))) == Add("new-0", denial, supersedes="m1")
    assert _one(denial, _known(_candidate(home="porto"))) == Add("new-0", denial)


def test_a_new_value_leaves_alone_what_was_denied_of_another() -> None:
    denial = _known(_candidate(home=NEGATED + "paris"), "m1")
    porto = _known(_candidate(home="porto", event="e3", day=2), "m2")
    moved = _candidate(home="rome", event="e4", day=9)

    assert _one(moved, porto, denial) == Add("new-0", moved, supersedes="m2")


@pytest.mark.parametrize("status", [MemoryStatus.DECAYED, MemoryStatus.ACTIVE])
def test_what_has_faded_is_strengthened_when_it_is_heard_again(status: MemoryStatus) -> None:
    again = _candidate(event="e2", day=9)

    assert _one(again, _known(_candidate(), status=status)) == Strengthen("m1", "e2", again)


@pytest.mark.parametrize("home", [None, "lisbon"])
def test_what_a_person_has_archived_is_added_anew_when_it_is_heard_again(home: str | None) -> None:
    again = _candidate(home=home, event="e2", day=9)

    archived = _known(_candidate(home=home), status=MemoryStatus.ARCHIVED)

    assert _one(again, archived) == Add("new-0", again)


def test_a_value_whose_time_has_run_out_is_not_superseded_again() -> None:
    moved = _candidate(home="porto", event="e2", day=9)

    assert _one(moved, _known(_candidate(home="lisbon"), valid_to=_day(5))) == Add("new-0", moved)


_LONG = "Alice: please answer every question of ours about the garden project in short plain German sentences"


def test_nearly_the_same_words_are_a_repetition() -> None:
    again = _candidate(_LONG + " today", event="e2", day=2, type_="norm")

    assert _one(again, similar=[_known(_candidate(_LONG, type_="norm"))]) == Strengthen("m1", "e2", again)


@pytest.mark.parametrize(
    ("changed", "type_", "speaker"),
    [
        (_LONG.replace("please", "never"), "norm", "Alice"),
        (_LONG + " 5", "norm", "Alice"),
        (_LONG + " today", "decision", "Alice"),
        (_LONG + " today", "norm", "Bob"),
    ],
)
def test_a_denial_a_number_another_type_or_speaker_makes_it_another_statement(
    changed: str, type_: str, speaker: str
) -> None:
    other = _candidate(changed, event="e2", day=2, type_=type_, speaker=speaker)

    assert _one(other, similar=[_known(_candidate(_LONG, type_="norm"))]) == Add("new-0", other)


def test_episodes_are_not_merged_for_being_alike() -> None:
    episode = _candidate(_LONG + " today", event="e2", day=2, kind=MemoryKind.EPISODIC)

    known = _known(_candidate(_LONG, kind=MemoryKind.EPISODIC))

    assert _one(episode, similar=[known]) == Add("new-0", episode)


def test_an_explicit_correction_supersedes_the_most_similar_statement_of_its_type() -> None:
    correction = _candidate("Alice: actually we decided to use Postgres", event="e3", day=9, corrects=True)
    meant = _known(_candidate("Alice: we decided to use MySQL"), "m1")
    other = _known(_candidate("Alice: we will paint the garden fence", event="e2"), "m2")

    assert _one(correction, similar=[other, meant]) == Add("new-0", correction, supersedes="m1")


def test_without_a_correction_a_similar_statement_stands_beside_the_other() -> None:
    beside = _candidate("Alice: we decided to use Postgres", event="e3", day=9)

    assert _one(beside, similar=[_known(_candidate("Alice: we decided to use MySQL"))]) == Add("new-0", beside)


def test_a_correction_that_is_like_nothing_known_is_added() -> None:
    correction = _candidate("Alice: actually the fence stays green", event="e3", day=9, corrects=True)

    assert _one(correction, similar=[_known(_candidate("Bob owns three boats"))]) == Add("new-0", correction)


def test_a_correction_never_reaches_forward_in_time() -> None:
    correction = _candidate("Alice: actually we decided to use Postgres", event="e3", day=1, corrects=True)
    later = _known(_candidate("Alice: we decided to use MySQL", day=9))

    assert _one(correction, similar=[later]) == Add("new-0", correction)


def test_vector_similarity_can_show_what_a_correction_means() -> None:
    correction = _candidate("Alice: actually the data goes into Postgres", event="e3", day=9, corrects=True)
    known = _known(_candidate("Alice: MySQL is our store"))

    assert _one(correction, similar=[known]) == Add("new-0", correction)
    assert _one(correction, similar=[replace(known, similarity=0.8)]) == Add("new-0", correction, supersedes="m1")


def test_a_batch_sees_its_own_changes_in_order() -> None:
    lisbon = _candidate(home="lisbon", event="e1", day=1)
    porto = _candidate(home="porto", event="e2", day=2)
    braga = _candidate(home="braga", event="e3", day=3)

    assert consolidate([lisbon, porto, braga], [], NOW) == [
        Add("new-0", lisbon),
        Add("new-1", porto, supersedes="new-0"),
        Add("new-2", braga, supersedes="new-1"),
    ]


def test_memories_are_named_by_the_caller() -> None:
    ids = (f"id-{number}" for number in count())

    decisions = consolidate([_candidate(), _candidate("Alice likes coffee")], [], NOW, new_id=lambda: next(ids))

    assert [each.memory_id for each in decisions if isinstance(each, Add)] == ["id-0", "id-1"]


def test_look_up_keys_name_the_digest_the_slot_and_the_event() -> None:
    candidate = _candidate(home="lisbon")

    assert lookup_keys(candidate) == LookupKeys(candidate.digest, slot_key("alice", "home"), "e1")
    assert lookup_keys(_candidate()).slot_key is None


_HOMES = ("lisbon", "porto", "braga", NEGATED + "porto", None)
_EVENTS = st.lists(
    st.tuples(st.integers(0, 6), st.sampled_from(_HOMES), st.sampled_from(["tea", "tea with milk"]), st.booleans()),
    max_size=12,
)


@settings(max_examples=200, deadline=None)
@given(_EVENTS, st.integers(1, 4))
def test_a_repeated_run_changes_nothing_and_one_value_of_a_slot_holds_at_most(
    events: list[tuple[int, str | None, str, bool]], size: int
) -> None:
    candidates = [
        _candidate(f"Alice likes {drink}", event=f"e{index}", day=day, home=home, corrects=corrects)
        for index, (day, home, drink, corrects) in enumerate(events)
    ]
    ids = (f"id-{number}" for number in count())
    known: list[Known] = []
    for start in range(0, len(candidates), size):
        batch = candidates[start : start + size]
        known = _written(known, consolidate(batch, known, NOW, new_id=lambda: next(ids)))

    again = consolidate(candidates, known, NOW)

    assert all(isinstance(decision, Drop) for decision in again)
    holding = [each for each in known if each.slot and each.status is MemoryStatus.ACTIVE]
    assert sum(not (each.value or "").startswith(NEGATED) for each in holding) <= 1
    assert sorted(event for each in known for event in each.source_event_ids) == sorted(
        candidate.event_id for candidate in candidates
    )
