"""The parts of the index in memory: ids, inverted lists and vector codes, each by itself."""

import numpy as np
import pytest

from memcairn.domain.ids import new_id
from memcairn.store.index.codes import sign_bits
from memcairn.store.index.ids import joined_ids, packed_ids
from memcairn.store.index.pools import RowFeatures, merged, pool_of
from memcairn.store.index.postings import postings_of

ODD = ["", "m1", "0190A0B1-0000-7000-8000-000000000000", "0190a0b1000070008000000000000000", "x" * 36, "é" * 36]


def test_ids_come_back_as_they_were_given() -> None:
    given = [new_id(), *ODD, new_id()]

    packed = packed_ids(given)

    assert packed.at(np.arange(len(given))) == given


def test_ids_are_taken_and_joined_in_the_order_asked_for() -> None:
    given = [new_id(), *ODD, new_id()]
    packed = packed_ids(given)
    backwards = np.arange(len(given))[::-1]

    both = joined_ids([packed.taken(backwards), packed])

    assert both.at(np.arange(len(both))) == given[::-1] + given


def test_ids_are_spelt_one_by_one_as_in_a_list() -> None:
    given = [new_id(), *ODD, new_id()]
    packed = packed_ids(given)

    assert list(packed) == given
    assert [packed[place] for place in range(-len(given), len(given))] == given + given
    assert list(packed[1:3]) == given[1:3]
    assert given[2] in packed
    assert new_id() not in packed
    with pytest.raises(IndexError):
        packed[len(given)]


def test_a_term_is_found_in_every_row_that_holds_it_once_each() -> None:
    postings = postings_of(np.array([7, 7, 9, 9, 7, 5], dtype=np.uint32), np.array([0, 3, 3, 6], dtype=np.int32))

    held = postings.find(np.array([7], dtype=np.uint32))

    assert held is not None
    assert held.slots.tolist() == [0, 2]
    assert held.impacts[0] > held.impacts[1]


def test_one_of_several_spellings_is_enough_and_counts_once() -> None:
    postings = postings_of(np.array([7, 9, 9, 5], dtype=np.uint32), np.array([0, 2, 3, 4], dtype=np.int32))

    held = postings.find(np.array([3, 7, 9], dtype=np.uint32))

    assert held is not None
    assert held.slots.tolist() == [0, 1]


@pytest.mark.parametrize("words", [[], [7]])
def test_a_term_that_stands_nowhere_is_not_found(words: list[int]) -> None:
    postings = postings_of(np.array(words, dtype=np.uint32), np.array([0, len(words)], dtype=np.int32))

    assert postings.find(np.array([0xFFFFFFFF], dtype=np.uint32)) is None


@pytest.mark.parametrize("dimensions", [1, 8, 63, 64, 65, 384])
def test_signs_differ_where_they_differ(dimensions: int) -> None:
    rng = np.random.default_rng(dimensions)
    one, other = rng.standard_normal((2, dimensions)).astype(np.float32)

    bits = sign_bits(np.stack([one, other]))

    assert np.bitwise_count(bits[:, 0] ^ bits[:, 1]).sum() == np.count_nonzero((one > 0) != (other > 0))


def test_a_pool_is_the_same_whatever_order_its_rows_were_read_in() -> None:
    names = ["b", None, "a", "b", None, "b"]
    rows = [_row(f"m{number}", session, number % 2) for number, session in enumerate(names)]
    backwards = rows[::-1]

    pools = [
        pool_of(rows, model="", dimensions=2),
        pool_of(backwards, model="", dimensions=2),
        merged([pool_of(backwards[:3], model="", dimensions=2), pool_of(rows[:3], model="", dimensions=2)]),
    ]

    assert [pool.memory_ids for pool in pools] == [["m4", "m1", "m2", "m0", "m3", "m5"]] * 3
    assert [(pool.session_ids, pool.sessions.tolist()) for pool in pools] == [(["a", "b"], [-1, -1, 0, 1, 1, 1])] * 3


def _row(memory_id: str, session_id: str | None, position: int) -> RowFeatures:
    fields = {"source": memory_id, "speaker": None, "kind": "episodic", "type": "message", "traits": 0}
    packed = {"occurred_at": 0, "terms": b"", "vector": None, "model": None}
    return RowFeatures(memory_id, 0, session_id=session_id, position=position, **fields, **packed)  # type: ignore[arg-type]  # mixed values
