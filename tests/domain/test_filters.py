"""Filters: paths joined by and/or with the meaning these words have."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcairn.domain.errors import Invalid
from memcairn.domain.filters import MAX_DEPTH, MAX_PATHS, parse_filter

FOO = {"jsonpath": '$[*] ? (@.foo == "bar")'}
BIG = {"jsonpath": "$[*] ? (@.n > 3)"}


def nested(depth: int) -> dict[str, Any]:
    node: dict[str, Any] = FOO
    for _ in range(depth - 1):
        node = {"and": [node]}
    return node


@pytest.mark.parametrize(
    ("raw", "metadata", "expected"),
    [
        ({}, {"foo": "bar"}, True),
        ({}, None, True),
        (FOO, {"foo": "bar"}, True),
        (FOO, {"foo": "baz"}, False),
        (FOO, {}, False),
        (FOO, None, False),
        ({"jsonpath": "$"}, None, False),
        ({"and": [FOO, BIG]}, {"foo": "bar", "n": 4}, True),
        ({"and": [FOO, BIG]}, {"foo": "bar", "n": 3}, False),
        ({"or": [FOO, BIG]}, {"foo": "baz", "n": 4}, True),
        ({"or": [FOO, BIG]}, {"foo": "baz", "n": 3}, False),
        ({**FOO, "or": [BIG, {"jsonpath": "$.yes"}]}, {"foo": "bar", "yes": 0}, True),
        ({**FOO, "or": [BIG, {"jsonpath": "$.yes"}]}, {"foo": "baz", "yes": 0}, False),
        ({"or": [FOO, {"and": [BIG, {"jsonpath": "$.yes"}]}]}, {"foo": "bar"}, True),
        ({"or": [{}, FOO]}, None, True),
        ({"jsonpath": None, "and": None, "or": [FOO]}, {"foo": "bar"}, True),
        ({"where": {"or": [FOO, BIG]}}, {"n": 4}, True),
        ({"where": None, "start_date": "2023-06-01"}, None, True),
    ],
)
def test_keys_of_a_node_are_and_ed_and_lists_mean_what_they_are_called(
    raw: dict[str, Any], metadata: dict[str, Any] | None, expected: bool
) -> None:
    assert parse_filter(raw).matches(metadata) is expected


@pytest.mark.parametrize(
    ("raw", "pointer"),
    [
        ({"jsonpth": "$"}, "/metadata"),
        ({"where": FOO, "jsonpath": "$"}, "/metadata"),
        ({"where": {"jsonpath": "nonsense"}}, "/metadata/where/jsonpath"),
        ({"where": []}, "/metadata/where"),
        ({"jsonpath": 3}, "/metadata/jsonpath"),
        ({"jsonpath": ""}, "/metadata/jsonpath"),
        ({"and": FOO}, "/metadata/and"),
        ({"and": []}, "/metadata/and"),
        ({"or": "abc"}, "/metadata/or"),
        ({"or": [FOO, {"and": [{"jsonpath": "$["}]}]}, "/metadata/or/1/and/0/jsonpath"),
        ({"or": [FOO, "x"]}, "/metadata/or/1"),
        ({"start_date": "yesterday"}, "/metadata/start_date"),
        ({"end_date": 3}, "/metadata/end_date"),
        (nested(MAX_DEPTH + 1), "/metadata" + "/and/0" * MAX_DEPTH),
        ({"or": [FOO] * (MAX_PATHS + 1)}, "/metadata"),
    ],
)
def test_a_filter_that_cannot_be_meant_is_refused_at_its_place(raw: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_filter(raw)

    assert (refused.value.code, refused.value.pointer) == ("invalid_filter", pointer)


def test_the_deepest_filter_allowed_still_works() -> None:
    assert parse_filter(nested(MAX_DEPTH)).matches({"foo": "bar"})


def test_a_day_alone_is_its_first_moment_and_a_zone_is_taken_into_account() -> None:
    read = parse_filter({"start_date": "2023-06-01", "end_date": "2023-06-30T23:59:59+02:00"})

    assert read.start == datetime(2023, 6, 1, tzinfo=UTC)
    assert read.end == datetime(2023, 6, 30, 21, 59, 59, tzinfo=UTC)
    assert not read.selects


@pytest.mark.parametrize(
    ("raw", "selects"),
    [({}, False), ({"and": [{}, {}]}, False), ({"or": [{}, FOO]}, False), ({"and": [{}, FOO]}, True), (FOO, True)],
)
def test_a_filter_knows_whether_it_can_turn_anything_away(raw: dict[str, Any], selects: bool) -> None:
    assert parse_filter(raw).selects is selects


LEAVES = st.sampled_from(["a", "b", "c"]).map(lambda key: {"jsonpath": f"$.{key}"})
NODES = st.recursive(
    st.one_of(st.just({}), LEAVES),
    lambda inner: st.dictionaries(st.sampled_from(["and", "or"]), st.lists(inner, min_size=1, max_size=3), min_size=1),
    max_leaves=10,
)


def meant(node: dict[str, Any], present: set[str]) -> bool:
    holds = [node["jsonpath"][2:] in present] if "jsonpath" in node else []
    holds += [all(meant(part, present) for part in node["and"])] if "and" in node else []
    holds += [any(meant(part, present) for part in node["or"])] if "or" in node else []
    return all(holds)


@given(NODES, st.sets(st.sampled_from(["a", "b", "c"])))
def test_any_tree_is_read_as_logic(node: dict[str, Any], present: set[str]) -> None:
    assert parse_filter(node).matches(dict.fromkeys(present, 1)) is meant(node, present)
