"""Metadata merges level by level."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcairn.domain.merge import merge

PLAIN = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
OBJECTS = st.recursive(
    st.dictionaries(st.sampled_from("abc"), PLAIN, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), PLAIN | inner | st.lists(PLAIN, max_size=2), max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("old", "new", "merged"),
    [
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}}, {"a": {"x": 1, "y": 3}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {"x": 1}}, {"a": 0}, {"a": 0}),
        ({"a": 1}, {"a": {"x": 1}}, {"a": {"x": 1}}),
        ({"a": 1}, {"a": None}, {"a": None}),
        ({"a": "long"}, {"a": ""}, {"a": ""}),
        ({"a": {"x": 1}}, {"a": {}}, {"a": {"x": 1}}),
        (None, {"a": 1}, {"a": 1}),
        ({"a": 1}, None, {"a": 1}),
        ({"a": 1}, {}, {"a": 1}),
    ],
)
def test_objects_merge_and_everything_else_replaces(old: Any, new: Any, merged: dict[str, Any]) -> None:
    assert merge(old, new) == merged


@given(OBJECTS, OBJECTS)
def test_merging_twice_is_merging_once(old: dict[str, Any], new: dict[str, Any]) -> None:
    once = merge(old, new)

    assert merge(once, new) == once


@given(OBJECTS, OBJECTS)
def test_no_key_is_ever_lost(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert merge(old, new).keys() == old.keys() | new.keys()


def test_changing_the_result_changes_neither_side() -> None:
    old, new = {"a": {"x": [1]}}, {"b": {"y": [2]}}

    merged = merge(old, new)
    merged["a"]["x"].append(9)
    merged["b"]["y"].append(9)

    assert (old, new) == ({"a": {"x": [1]}}, {"b": {"y": [2]}})
