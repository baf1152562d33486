"""Ranking adds up evidence: each signal lifts what it should, none hides a row, and the figures mean something."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType

import numpy as np
import pytest
from numpy.typing import NDArray

from memcairn.domain.errors import Invalid
from memcairn.domain.lexical import Frequencies, Kin
from memcairn.domain.pool import Pool, Trait
from memcairn.domain.query import Shape, Understanding, Window
from memcairn.domain.ranking import MAX_SCORE, Ranked, RankQuery, rank
from memcairn.domain.weights import SIGNALS, Weights
from memcairn.store.index.analysis import analyse, analyse_query, term_ids

DIMENSIONS = 8
NOON = int(datetime(2024, 5, 1, 12, tzinfo=UTC).timestamp())
DAY = 86_400


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a pool, as a test likes to write it; `vector` names the axis it points along."""

    text: str
    speaker: str = "Ana"
    session: int = 0
    position: int | None = None
    said_at: int = NOON
    traits: Trait = field(default=Trait(0))
    memory: str | None = None
    source: str | None = None
    segment: int = 0
    vector: int | None = None


def pool_of(rows: Sequence[Row]) -> Pool:
    terms = [term_ids(analyse(row.text)) for row in rows]
    speakers = sorted({row.speaker for row in rows})
    vectors = np.zeros((len(rows), DIMENSIONS), dtype=np.float32)
    for at, row in enumerate(rows):
        if row.vector is not None:
            vectors[at, row.vector] = 1
    return Pool(
        memory_ids=[row.memory or f"m{at}" for at, row in enumerate(rows)],
        segments=np.array([row.segment for row in rows], dtype=np.int32),
        sources=[row.source or f"e{at}" for at, row in enumerate(rows)],
        sessions=np.array([row.session for row in rows], dtype=np.int32),
        session_ids=[f"s{number}" for number in range(10)],
        positions=np.array([at if row.position is None else row.position for at, row in enumerate(rows)], np.int64),
        speakers=np.array([speakers.index(row.speaker) for row in rows], dtype=np.int32),
        speaker_names=speakers,
        occurred_at=np.array([row.said_at for row in rows], dtype=np.int64),
        traits=np.array([int(row.traits) for row in rows], dtype=np.int32),
        kinds=np.zeros(len(rows), dtype=np.int32),
        kind_names=["episodic"],
        types=np.zeros(len(rows), dtype=np.int32),
        type_names=["event"],
        term_ids=np.concatenate([np.zeros(0, np.uint32), *terms]),
        offsets=np.cumsum([0, *(len(ids) for ids in terms)]).astype(np.int64),
        vectors=vectors,
    )


def asking(text: str = "", *, vector: int | None = None, **found: object) -> RankQuery:
    direction: NDArray[np.float32] | None = None
    if vector is not None:
        direction = np.eye(DIMENSIONS, dtype=np.float32)[vector]
    understanding = Understanding(**found)  # type: ignore[arg-type] # tests name the fields they need
    return RankQuery([term_ids(term.alternatives) for term in analyse_query(text)], direction, understanding)


def order(hits: Sequence[Ranked]) -> list[int]:
    return [hit.row for hit in hits]


WEIGHTS = Weights.default()
OSLO = Row("Ana lives in Oslo", session=1, traits=Trait.TYPED)
FILLER = [
    Row("the weather is fine", session=7),
    Row("good morning everybody", session=7),
    Row("see you later then", session=7),
]


def only(*signals: str) -> Weights:
    """These signals at 1, every other one off."""
    return WEIGHTS.replacing({signal: float(signal in signals) for signal in SIGNALS})


def test_the_row_with_the_words_asked_for_comes_first() -> None:
    pool = pool_of([*FILLER, Row("my violin lessons start soon", session=8)])

    hits = rank(pool, asking("violin lessons"), WEIGHTS)

    assert hits[0].row == 3
    assert hits[0].score >= 0.4
    assert len(hits) == 4


def test_a_rare_word_says_more_than_a_common_one() -> None:
    pool = pool_of([Row("music again"), Row("music today"), Row("music and more"), Row("violin at last")])

    assert rank(pool, asking("music violin"), only("words"))[0].row == 3


def test_the_answer_that_repeats_no_word_is_found_beside_its_question() -> None:
    pool = pool_of(
        [*FILLER, Row("Which instrument do you play?", session=8), Row("Violin, since childhood", session=8)]
    )

    assert order(rank(pool, asking("instrument"), only("words_near"), limit=2)) == [3, 4]


def test_the_context_of_a_turn_ends_with_its_session() -> None:
    pool = pool_of([Row("which instrument"), Row("violin", session=1), Row("hello", session=1)])

    (first, *_), *_ = [rank(pool, asking("instrument"), only("words_near"), explain=True)]

    assert first.row == 0
    assert rank(pool, asking("instrument"), only("words_near"))[1].fused == 0


def test_turns_far_apart_in_their_session_are_no_neighbours() -> None:
    pool = pool_of([Row("which instrument", position=1), Row("violin", position=90)])

    assert rank(pool, asking("instrument"), only("words_near", "words_around"))[1].fused == 0


def test_a_row_outside_any_session_stands_alone() -> None:
    pool = pool_of([Row("which instrument", position=-1), Row("violin", position=-1)])

    assert rank(pool, asking("instrument"), only("words_near", "after", "reply", "session"))[1].fused == 0


def test_meaning_finds_what_words_do_not() -> None:
    pool = pool_of([*FILLER, Row("she bought a fiddle", session=8, vector=1), Row("hm", session=9, vector=2)])

    hits = rank(pool, asking("violin", vector=1), WEIGHTS)

    assert hits[0].row == 3
    assert hits[0].similarity == pytest.approx(1)
    assert hits[1].similarity == 0


def test_a_word_of_like_meaning_is_evidence_in_a_row_and_beside_it() -> None:
    pool = pool_of([*FILLER, Row("our physician retires", session=8), Row("what a pity", session=8)])
    near = Kin(term_ids(analyse("physician")), np.array([0.6], dtype=np.float32))
    query = replace(asking("doctor"), kin=[near])

    found, beside = rank(pool, query, only("kin"), explain=True), rank(pool, query, only("kin_near"))

    assert found[0].row == 3
    assert found[0].explanation is not None
    assert found[0].explanation.arms["kin"].rank == 1
    assert set(order(beside)[:2]) == {3, 4}
    assert order(rank(pool, asking("doctor"), only("kin"))) == [0, 1, 2, 3, 4]


def test_a_row_that_holds_the_word_itself_gains_nothing_by_its_kin() -> None:
    pool = pool_of([Row("the doctor is a physician"), Row("a physician", session=1), *FILLER])
    query = replace(asking("doctor"), kin=[Kin(term_ids(["physician"]), np.array([0.6], dtype=np.float32))])

    assert order(rank(pool, query, only("kin")))[0] == 1


def test_a_word_that_is_kin_to_two_terms_counts_for_both() -> None:
    pool = pool_of([Row("the clinic"), Row("the nurse", session=1), *FILLER])
    likeness = np.array([0.5, 0.5], dtype=np.float32)
    both, one = term_ids(["clinic", "hospital"]), term_ids(["clinic", "nurs"])
    query = replace(asking("doctor medicine"), kin=[Kin(both, likeness), Kin(one, likeness)])

    hits = rank(pool, query, only("kin"), explain=True)

    assert [hit.explanation.arms["kin"].value for hit in hits[:2] if hit.explanation] == pytest.approx([1.0, 0.5])


def test_a_row_without_a_vector_takes_part_by_its_words() -> None:
    pool = pool_of([Row("a fiddle", vector=1), *FILLER, Row("the violin is mine", session=9)])

    assert set(order(rank(pool, asking("violin", vector=1), WEIGHTS, limit=2))) == {0, 4}


def test_the_one_named_is_preferred_and_nobody_is_hidden() -> None:
    pool = pool_of([Row("I love tea", "Ana"), Row("I love tea", "Ben", session=1)])

    hits = rank(pool, asking("tea", speakers=("Ben",)), WEIGHTS)

    assert order(hits) == [1, 0]


def test_a_name_the_pool_does_not_know_changes_nothing() -> None:
    pool = pool_of([Row("I love tea", "Ana"), Row("I love tea", "Ben", session=1)])

    assert order(rank(pool, asking("tea", speakers=("Zoe",)), WEIGHTS)) == [0, 1]


def test_what_was_said_in_the_time_asked_for_is_preferred_and_soon_after_next() -> None:
    rows = [Row(f"we went hiking {days}", session=days // 10, said_at=NOON + days * DAY) for days in (0, 50, 10, 80)]
    window = Window(NOON + 50 * DAY - 60, NOON + 50 * DAY + 60)
    late = Window(NOON + 5 * DAY, NOON + 6 * DAY)

    assert rank(pool_of(rows), asking("hiking", windows=(window,)), WEIGHTS)[0].row == 1
    assert rank(pool_of(rows), asking("hiking", windows=(late,)), WEIGHTS)[0].row == 2


@pytest.mark.parametrize(
    ("signal", "shape", "trait"),
    [
        ("when", Shape.WHEN, Trait.HAS_TIME),
        ("how_many", Shape.HOW_MANY, Trait.HAS_NUMBER),
        ("list", Shape.LIST, Trait.HAS_LIST),
        ("told", Shape.TOLD, Trait.BY_ASSISTANT),
    ],
)
def test_the_shape_of_the_question_prefers_rows_that_can_answer_it(signal: str, shape: Shape, trait: Trait) -> None:
    pool = pool_of([Row("tea for two"), Row("tea for me", session=1, traits=trait)])

    assert order(rank(pool, asking("tea", shape=shape), only("words", signal))) == [1, 0]
    assert order(rank(pool, asking("tea"), only("words", signal))) == [0, 1]


def test_how_things_stand_now_is_told_by_later_rows() -> None:
    pool = pool_of([Row("I live in Rome"), Row("I live in Oslo", session=1, said_at=NOON + DAY)])

    assert order(rank(pool, asking("live", shape=Shape.LATEST), only("words", "latest"))) == [1, 0]


def test_people_know_best_about_themselves() -> None:
    pool = pool_of([Row("your hobby is chess", traits=Trait.BY_ASSISTANT), Row("my hobby is chess", session=1)])

    assert order(rank(pool, asking("hobby", shape=Shape.OWN), only("words", "people"))) == [1, 0]
    assert order(rank(pool, asking("hobby", shape=Shape.OWN | Shape.TOLD), only("words", "people"))) == [0, 1]


def test_what_was_superseded_stands_below_what_replaced_it_and_is_still_found() -> None:
    pool = pool_of([Row("I live in Rome", traits=Trait.OUTDATED), OSLO, *FILLER])

    for question in ("live", "live in Rome", "rome live rome"):
        assert order(rank(pool, asking(question), WEIGHTS, limit=2)) == [1, 0]


def test_a_question_about_the_past_prefers_what_held_then() -> None:
    pool = pool_of([Row("I live in Rome", traits=Trait.OUTDATED), OSLO, *FILLER])

    assert order(rank(pool, asking("live", shape=Shape.PAST), only("words", "former"), limit=2)) == [0, 1]
    assert order(rank(pool, asking("weather", shape=Shape.PAST), WEIGHTS))[0] == 2


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("live", 1),  # said anew since
        ("bakery", 0),  # the outdated text alone knows of it
        ("address", 1),  # no word of the question says which part of the text is meant
    ],
)
def test_a_text_outdated_in_one_thing_still_tells_the_others(question: str, first: int) -> None:
    old = Row("I live in Rome above a bakery", traits=Trait.OUTDATED, vector=1)
    pool = pool_of([old, replace(OSLO, vector=1), *FILLER])

    assert rank(pool, asking(question, vector=1), WEIGHTS)[0].row == first


def test_what_others_say_outdates_nobody() -> None:
    pool = pool_of([Row("I live in Rome", traits=Trait.OUTDATED), replace(OSLO, speaker="Ben")])

    assert rank(pool, asking("live rome"), WEIGHTS)[0].row == 0


@pytest.mark.parametrize(
    ("later", "first"),
    [
        (replace(OSLO, said_at=NOON + 1, position=0), 1),
        (replace(OSLO, said_at=NOON - 1, position=0), 0),
        (replace(OSLO, session=0, position=0), 0),  # read from the very words that are outdated
    ],
)
def test_only_what_was_said_later_takes_the_place(later: Row, first: int) -> None:
    old = Row("I live in Rome", position=0, traits=Trait.OUTDATED)

    assert rank(pool_of([old, later]), asking("live rome"), WEIGHTS)[0].row == first


def test_raw_text_not_yet_processed_takes_part() -> None:
    pool = pool_of([*FILLER, Row("the violin arrived", session=8, traits=Trait.PENDING)])

    assert rank(pool, asking("violin"), WEIGHTS)[0].row == 3


def test_a_session_that_talks_about_it_lifts_its_turns() -> None:
    talk = [Row("violin", session=1), Row("violin strings", session=1), Row("violin bow", session=1)]
    pool = pool_of([Row("nothing here"), *talk, Row("nothing there", session=1, position=60)])

    hits = {hit.row: hit.fused for hit in rank(pool, asking("violin"), only("words", "session"))}

    assert hits[4] > hits[0]


def test_pieces_of_one_text_are_one_hit_by_the_best_piece() -> None:
    pieces = [Row(text, memory="long", source="e", position=5, segment=at, session=1) for at, text in
              enumerate(["intro", "the violin part", "outro"])]  # fmt: skip
    pool = pool_of([*FILLER, *pieces])

    hits = rank(pool, asking("violin"), WEIGHTS)

    assert order(hits)[0] == 4
    assert len(hits) == 4


def test_what_was_concluded_from_a_text_does_not_stand_beside_it() -> None:
    typed = Row("Ana plays the violin", source="e9", position=3, session=1, traits=Trait.TYPED)
    pool = pool_of([*FILLER, Row("I play the violin", source="e9", position=3, session=1), typed])

    hits = rank(pool, asking("violin"), WEIGHTS)

    assert sorted(order(hits)) in ([0, 1, 2, 3], [0, 1, 2, 4])


@pytest.mark.parametrize(("question", "shown"), [("violin", 1), ("violin every morning", 0)])
def test_a_statement_is_shown_for_its_source_where_it_answers_as_well(question: str, shown: int) -> None:
    said = Row("I play the violin every morning", source="e9", position=3, session=1)
    typed = Row("Ana plays the violin", source="e9", position=3, session=1, traits=Trait.TYPED)

    hits = rank(pool_of([said, typed, *FILLER]), asking(question), WEIGHTS)

    assert hits[0].row == shown


def test_what_was_concluded_from_a_turn_is_context_for_its_neighbours() -> None:
    moved = Row("I moved to Oslo!", source="e9", position=0, session=1)
    typed = Row("Ana lives in Oslo", source="e9", position=0, session=1, traits=Trait.TYPED)
    pool = pool_of([moved, typed, Row("The flat has no heating", session=1, position=1)])

    hits = {hit.row: hit.fused for hit in rank(pool, asking("lives"), only("words_near"))}

    assert hits[2] > 0


def test_the_same_words_by_the_same_person_come_once() -> None:
    pool = pool_of([Row("I love tea!"), Row("i love TEA", session=1), Row("I love tea", "Ben", session=2)])

    assert sorted(order(rank(pool, asking("tea"), WEIGHTS))) == [0, 2]


def test_the_mask_hides_rows_and_keeps_them_as_context() -> None:
    pool = pool_of([*FILLER, Row("Which instrument?", session=8), Row("Fiddle, always", session=8)])
    mask = np.array([True, True, True, False, True])

    hits = rank(pool, asking("instrument"), WEIGHTS, mask=mask)

    assert hits[0].row == 4
    assert 3 not in order(hits)


def test_nothing_allowed_is_no_hits() -> None:
    assert rank(pool_of(FILLER), asking("weather"), WEIGHTS, mask=np.zeros(3, dtype=np.bool_)) == []


def test_limits_cut_the_same_order_short() -> None:
    pool = pool_of([Row(f"tea number {number}", session=number % 9) for number in range(100)])
    every = order(rank(pool, asking("tea 55"), WEIGHTS, limit=100))

    assert len(every) == 100
    assert order(rank(pool, asking("tea 55"), WEIGHTS, limit=3)) == every[:3]
    assert rank(pool, asking("tea"), WEIGHTS, limit=0) == []


@pytest.mark.parametrize("query", [asking(), asking("violin"), asking(vector=3), asking("weather", vector=0)])
@pytest.mark.parametrize("rows", [[], FILLER[:1], FILLER, [Row("")], [Row("", vector=0), Row("")]])
def test_any_pool_and_any_query_can_be_ranked(query: RankQuery, rows: list[Row]) -> None:
    pool = pool_of(rows)

    hits = rank(pool, query, WEIGHTS, explain=True)

    assert len({hit.row for hit in hits}) == len(hits)
    assert bool(hits) == bool(rows)
    assert all(np.isfinite(hit.fused) and 0 <= hit.score <= MAX_SCORE < 0.99 for hit in hits)


def test_a_pool_without_vectors_is_searched_by_words() -> None:
    filled = pool_of([*FILLER, Row("violin", session=8)])
    bare = replace(filled, vectors=np.zeros((4, 0), np.float32))

    assert rank(bare, asking("violin", vector=1), WEIGHTS)[0].row == 3


def test_scores_fall_with_the_order_and_say_how_good_the_search_went() -> None:
    pool = pool_of([*FILLER, Row("my violin lessons start soon", session=8), Row("lessons learned", session=9)])

    good = rank(pool, asking("violin lessons"), WEIGHTS)
    vague = rank(pool, asking("quantum violin chromodynamics seminar"), WEIGHTS)

    assert [hit.score for hit in good] == sorted((hit.score for hit in good), reverse=True)
    assert vague[0].score < good[0].score


def test_the_same_likeness_says_more_among_few_texts_than_among_many() -> None:
    few = pool_of([Row("the fiddle arrived", vector=1), *FILLER])
    many = pool_of([Row("the fiddle arrived", vector=1), *(Row(f"filler {n}", session=n % 9) for n in range(400))])
    query = RankQuery([], np.full(DIMENSIONS, DIMENSIONS**-0.5, dtype=np.float32))

    small, large = rank(few, query, WEIGHTS)[0], rank(many, query, WEIGHTS)[0]

    assert small.similarity == large.similarity
    assert small.score > large.score


def test_among_few_texts_hundredths_of_likeness_decide_little() -> None:
    pool = pool_of([Row("one"), Row("two", session=1)])
    pool.vectors[0, :2] = 0.6, 0.8
    pool.vectors[1, :2] = 0.58, (1 - 0.58**2) ** 0.5

    first, second = rank(pool, asking(vector=0), only("meaning_whole"))

    assert 0 < first.fused - second.fused < 0.1


def test_candidates_of_a_large_scope_are_weighed_by_its_frequencies() -> None:
    pool = pool_of([Row("music again"), Row("violin again", session=1), Row("violin indeed", session=2)])
    query = asking("music violin")
    in_scope = RankQuery(query.terms, None, Understanding(), Frequencies(np.array([90_000, 40]), 100_000))

    assert rank(pool, query, only("words"))[0].row == 0
    assert rank(pool, in_scope, only("words"))[0].row == 1


def test_an_explanation_adds_up_to_the_fused_value() -> None:
    pool = pool_of([*FILLER, Row("Which instrument?", session=8, vector=1), Row("The violin", "Ben", session=8)])
    query = asking("instrument", vector=1, speakers=("Ben",), shape=Shape.WHEN)

    for hit in rank(pool, query, WEIGHTS, explain=True):
        assert hit.explanation is not None
        arms, factors = hit.explanation.arms, hit.explanation.factors
        total = sum(arm.contribution for arm in arms.values()) + sum(factors.values())
        assert total == pytest.approx(hit.fused, abs=1e-5)


def test_an_explanation_tells_the_place_in_each_arm() -> None:
    pool = pool_of([Row("violin and bow", vector=2), Row("violin", session=1, vector=1), Row("bow", session=2)])

    hits = rank(pool, asking("bow", vector=1), WEIGHTS, explain=True)
    second = next(hit for hit in hits if hit.row == 1)

    assert second.explanation is not None
    assert second.explanation.arms["meaning"].rank == 1
    assert second.explanation.arms["words"].rank == 3
    assert second.explanation.coverage == 0


def test_every_signal_can_be_switched_off() -> None:
    pool = pool_of([*FILLER, Row("violin?", "Ben", session=8, vector=1, traits=Trait.QUESTION | Trait.SHORT)])
    query = asking("violin", vector=1, speakers=("Ben",), windows=(Window(0, 2**40),), shape=Shape(0xFF))

    for signal in SIGNALS:
        (first, *_) = rank(pool, query, WEIGHTS.without(signal), explain=True)
        assert first.explanation is not None
        assert signal not in {**first.explanation.arms, **first.explanation.factors}
    assert {hit.fused for hit in rank(pool, query, WEIGHTS.without(*SIGNALS))} == {0.0}


def test_a_signal_nobody_knows_is_refused() -> None:
    with pytest.raises(Invalid, match="moonlight"):
        WEIGHTS.without("moonlight")


def test_the_shipped_weights_are_whole_and_say_where_they_come_from() -> None:
    assert set(WEIGHTS.signals) == set(SIGNALS)
    assert isinstance(WEIGHTS.signals, MappingProxyType)
    assert WEIGHTS.provenance


def test_a_question_of_very_many_words_keeps_the_rarest() -> None:
    common = [Row("tea " + " ".join(f"w{number}" for number in range(60))) for _ in range(3)]
    pool = pool_of([*common, Row("violin", session=8)])
    query = asking("violin " + " ".join(f"w{number}" for number in range(60)))

    assert 3 in order(rank(pool, query, only("words")))
    assert rank(pool, query, only("words"), explain=True)[-1].fused > 0


def test_a_pool_that_is_searched_again_and_again_gives_the_same_hits() -> None:
    rows = [*FILLER, Row("my violin lessons start soon", session=8), Row("violin violin", session=9)]
    kin = [Kin(term_ids(analyse(words)), np.array([0.9, 0.5], np.float32)) for words in ("lessons start", "fine later")]
    query = replace(asking("violin weather", vector=1), kin=kin)
    first = rank(pool_of(rows), query, WEIGHTS, explain=True)
    lasting = pool_of(rows)

    for _ in range(5):
        assert rank(lasting, query, WEIGHTS, explain=True) == first


def test_what_is_derived_from_a_pool_is_made_once_and_only_where_it_is_worth_it() -> None:
    pool = pool_of(FILLER)
    made: list[int] = []

    def derive(of: Pool) -> int:
        made.append(len(of))
        return len(made)

    assert [pool.later(derive, from_time=3) for _ in range(4)] == [None, None, 1, 1]
    assert pool.once(derive) == 1
    assert replace(pool, segments=pool.segments).once(derive) == 2
