"""Texts that say nearly the same stand back, and where sums are nearly tied, what is unlike the rest comes first."""

from collections.abc import Sequence
from dataclasses import replace

from memcairn.domain.pool import Trait
from memcairn.domain.ranking import rank, standing
from memcairn.domain.weights import Weights
from tests.domain.test_ranking import Row, asking, only, order, pool_of

WORDS = only("words")


def shown(rows: Sequence[Row], query: str, *, limit: int = 10, varied: bool = True) -> list[int]:
    return order(rank(pool_of(rows), asking(query), WORDS, limit=limit, varied=varied))


def near_copies(count: int, *, speaker: str = "Ana") -> list[Row]:
    """Texts that differ in one word of nine, each in another place."""
    filler = ("now", "so", "then", "well", "yes", "ok", "right", "please", "sure", "fine", "hey", "listen")
    copies = []
    for number in range(count):
        small_talk = filler[number % len(filler)] * (1 + number // len(filler))
        said = f"send every invoice straight to account alpha bravo {small_talk}"
        copies.append(Row(said, speaker, session=number % 10, position=20 * number))
    return copies


OTHERS = [
    Row("the invoice of the roofer came yesterday morning", session=3, position=900),
    Row("Tom paid the invoice for the piano tuner", session=4, position=901),
    Row("who keeps the folder with every old invoice", session=5, position=902),
]


def test_near_copies_by_one_speaker_let_the_others_pass() -> None:
    said = "Send every invoice straight to account alpha bravo until the end of the term in autumn, {}"
    rows = [Row(said.format(word), position=20 * at) for at, word in enumerate(("please", "right", "fine"))]
    rows += OTHERS

    found = shown(rows, "every invoice account")

    assert found[0] < 3
    assert set(found[1:4]) == {3, 4, 5}
    assert set(found[4:]) == set(range(3)) - {found[0]}


def test_where_one_word_of_a_few_differs_three_have_their_turn() -> None:
    found = shown([*near_copies(6), *OTHERS], "every invoice account")

    assert [row < 6 for row in found] == [True] * 3 + [False] * 3 + [True] * 3


def test_without_variety_the_order_is_that_of_the_sums() -> None:
    rows = [*near_copies(4), *OTHERS]

    assert set(shown(rows, "every invoice account", varied=False)[:4]) == set(range(4))


def test_a_flood_of_near_copies_does_not_capture_the_first_hits() -> None:
    rows = [*near_copies(600), *OTHERS]

    found = shown(rows, "every invoice account", limit=6)

    assert {600, 601, 602} <= set(found)


def test_near_copies_of_many_speakers_have_three_places() -> None:
    rows = [replace(row, speaker=name) for row, name in zip(near_copies(6), "ABCDEF", strict=True)]
    rows += OTHERS

    found = shown(rows, "every invoice account")

    assert len([row for row in found[:6] if row < 6]) == 3


def test_numbers_that_differ_are_not_taken_for_copies() -> None:
    said = "we ran {} kilometres along the river on a very cold morning"
    rows = [Row(said.format(far), session=1, position=far, traits=Trait.HAS_NUMBER) for far in (5, 7, 9)]
    rows += [Row("the river was cold", session=2, position=20)]

    assert set(shown(rows, "kilometres river morning")[:3]) == {0, 1, 2}


def test_short_texts_are_never_near_copies() -> None:
    rows = [Row("Nora lives in Ghent", session=1), Row("Nora lives in Bergen", session=2, position=50), *OTHERS]

    assert set(shown(rows, "Nora lives", limit=2)) == {0, 1}


def test_in_a_near_tie_the_unlike_one_comes_before_the_like_one() -> None:
    rows = [
        Row("violin lesson", session=1, position=0, vector=1),
        Row("violin lesson again", session=2, position=50, vector=1),
        Row("violin lesson tomorrow", session=3, position=90, vector=2),
    ]
    weights = only("words").replacing({"head": 100.0})

    hits = rank(pool_of(rows), asking("violin lesson"), weights)
    plain = rank(pool_of(rows), asking("violin lesson"), weights, varied=False)

    assert order(plain) == [0, 1, 2]
    assert order(hits) == [0, 2, 1]


def test_scores_never_rise_down_the_list() -> None:
    hits = rank(pool_of([*near_copies(6), *OTHERS]), asking("every invoice account"), Weights.default())

    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_what_stands_back_says_so_and_has_its_place_there() -> None:
    pool = pool_of([*near_copies(4), *OTHERS])
    hits = rank(pool, asking("every invoice account"), WORDS, explain=True)

    last = standing(pool, asking("every invoice account"), WORDS, pool.memory_ids[hits[-1].row])

    assert [hit.explanation is not None and hit.explanation.stands_back for hit in hits] == [False] * 6 + [True]
    assert last is not None
    assert last.place == 7
    assert last.hit.explanation == hits[-1].explanation
