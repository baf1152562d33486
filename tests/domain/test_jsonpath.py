"""JSON paths mean what they mean in PostgreSQL's lax mode."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcairn.domain.errors import Invalid
from memcairn.domain.jsonpath import Budget, parse_path

BOOK = {
    "foo": "bar",
    "n": 3,
    "yes": True,
    "nothing": None,
    "tags": ["red", "blue"],
    "system": {"entities": [{"Label": "DATE", "Matches": [{"Start": 4}]}, {"Label": "ORG"}]},
    "with space": {"to": 1},
    "grid": [[1, 2], [3]],
    "text": "First line\nsecond LINE",
}


def found(path: str, document: Any = None) -> bool:
    return parse_path(path).exists(BOOK if document is None else document)


@pytest.mark.parametrize(
    "path",
    [
        "$",
        "lax $.foo",
        '$[*] ? (@.foo == "bar")',
        "$[*] ? (@.foo == 'bar')",
        '$ ? (@."foo" == "b\\u0061r")',
        "$.system.entities[*] ? (@.Label == 'DATE')",
        "$.system.entities ? (@.Label == 'ORG')",
        "$.system.entities.Matches.Start ? (@ > 3.5)",
        '$."with space".to',
        "$.tags[1] ? (@ == 'blue')",
        "$.tags[last] ? (@ == 'blue')",
        "$.tags[0, 5 to 9] ? (@ == 'red')",
        "$.foo[0]",
        "$.foo[*]",
        "$.* ? (@ == 3)",
        "$.** ? (@ == 4)",
        "$.**{3 to last} ? (@.Start == 4)",
        "$.grid[*] ? (@ == 3)",
        "$ ? (@.grid[*] == 3)",
        "$ ? (@.n > 2 && @.yes == true)",
        "$ ? (@.n > 9 || @.foo starts with 'b')",
        "$ ? (!(@.n > 9))",
        "$ ? (!exists(@.missing))",
        "$ ? (exists(@.tags[*] ? (@ == 'red')))",
        "$ ? (@.n == 3.0)",
        "$ ? (@.n > -1e2)",
        "$ ? (@.n != 4)",
        "$ ? (@.n <> 4)",
        "$ ? (@.nothing == null)",
        "$ ? (@.foo != null)",
        "$ ? ((@.foo > 3) is unknown)",
        "$ ? (@.foo == $.foo)",
        "$ ? (@.text like_regex '^second' flag 'm')",
        "$ ? (@.text like_regex 'line$' flag 'i')",
        "$ ? (@.text like_regex 'line.second' flag 's')",
        "$ ? ((@.tags[*]) == 'red')",
    ],
)
def test_a_path_that_leads_somewhere_matches(path: str) -> None:
    assert found(path)


@pytest.mark.parametrize(
    "path",
    [
        "$.missing",
        "$.foo.bar",
        "$.tags[7]",
        "$.tags[1 to 0]",
        "$[*] ? (@.foo == 'baz')",
        "$ ? (@.yes == 1)",
        "$ ? (@.n == '3')",
        "$ ? (@.foo > 3)",
        "$ ? (!(@.foo > 3))",
        "$ ? (@.nothing < 1)",
        "$ ? (@.missing != 1)",
        "$ ? (@.system == 1)",
        "$ ? (@.n starts with '3')",
        "$ ? (@.n like_regex '3')",
        "$ ? (@.text like_regex 'line.second')",
        "$.**{last} ? (@.Label == 'DATE')",
        "$.**{1} ? (@ == 4)",
        "$.foo.*",
        "$ ? (@.n > 2 && @.foo > 2)",
        "$ ? (@.n > 9 || @.foo > 2)",
    ],
)
def test_a_path_that_leads_nowhere_does_not(path: str) -> None:
    assert not found(path)


@pytest.mark.parametrize("path", ["$.foo == 'baz'", "!($.n == 3)", "exists($.missing)", "($.foo > 3) is unknown"])
def test_a_bare_condition_yields_a_truth_value_and_so_always_matches(path: str) -> None:
    assert found(path)
    assert found(path, {})


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "the end of the path stands where"),
        ("foo", "'foo' stands where"),
        ("$.", "a key should follow"),
        ("$..foo", "a key should follow"),
        ("$.foo bar", "should end"),
        ("$.foo-bar", "should end"),
        ("$[", "a place is a whole number"),
        ("$[1.5]", "a place is a whole number"),
        ("$[-1]", "a place is a whole number"),
        ("$[9999999999]", "a place is a whole number"),
        ("$[0", "] is missing"),
        ("$ ? @.a", "? wants a condition in parentheses"),
        ("$ ? (@.a)", "a condition is missing"),
        ("$ ? (@.a && @.b == 1)", "a condition is missing"),
        ("$ ? (@.a = 1)", "'=' is no part of a path"),
        ("$ ? (@.a == )", "stands where a path"),
        ("$ ? (@.a == 1", ") is missing"),
        ("$ ? ((@.a == 1) == 2)", ") is missing"),
        ("$ ? (exists @.a)", "exists wants"),
        ("$ ? (exists(@.a == 1))", "a path or a value is wanted"),
        ("$ ? (!@.a)", "! wants a condition"),
        ("$ ? (@.a == 'x)", "a string is not closed"),
        ("$ ? (@.a == 'x\\u12')", "hexadecimal"),
        ("$ ? (@.a == '\\u{110000}')", "no character"),
        ("$ ? (@.a == '\\ud800')", "surrogate"),
        ("$ ? (@.a == '\\u0000')", "NUL"),
        ("$ ? (@.a == 01)", "runs into"),
        ("$ ? (@.a == 1_000)", "runs into"),
        ("$ ? (@.a == 1e999)", "too large"),
        ("$ ? (@.a == -'x')", "- stands only in front of a number"),
        ("$ ? (@.a == 'x'.b)", "a value has nothing inside"),
        ("$ ? (@.a starts 'x')", "the word 'with' is missing"),
        ("$ ? (@.a starts with 1)", "starts with wants a string"),
        ("$ ? (@.a like_regex '(')", "is not closed"),
        ("$ ? (@.a like_regex 'a' flag 'x')", "the flag 'x'"),
        ("$ ? ((@.a == 1) is true)", "the word 'unknown' is missing"),
        ("@.a", "stands only inside"),
        ("$name", "variables"),
        ("strict $.a", "strict mode"),
        ("$.a.size()", "methods"),
        ("$.**.**.**", "more than 2 times"),
        ("$" + ".a" * 1_000, "longer than 2000"),
        ("$" + " ? (@" * 40, "nested more than 32"),
        ("(" * 40, "nested more than 32"),
    ],
)
def test_a_path_that_cannot_be_read_is_refused_with_the_reason(path: str, reason: str) -> None:
    with pytest.raises(Invalid, match=r"cannot be read") as refused:
        parse_path(path)

    assert reason in refused.value.message
    assert refused.value.code == "invalid_filter"


def test_a_path_is_spelled_anew_from_its_words() -> None:
    spelled = parse_path("lax  $.to[*]?(@.a=='it\\'s\"')").text

    assert spelled == 'lax $ . "to" [ * ] ? ( @ . "a" == "it\'s\\"" )'
    assert parse_path(spelled).text == spelled


def test_work_beyond_the_budget_is_refused() -> None:
    wide = {"a": list(range(500))}

    with pytest.raises(Invalid) as refused:
        parse_path("$ ? (@.a[*] == $.a[*].b || @.a[*] > $.a[*])").exists({"a": [1] * 500}, Budget(10_000))

    assert refused.value.code == "filter_too_costly"
    assert parse_path("$.a[*] ? (@ == 499)").exists(wide, Budget(10_000))


def test_a_regular_expression_spends_of_the_budget() -> None:
    path = parse_path("$ ? (@ like_regex '(a?){200}b')")

    with pytest.raises(Invalid) as refused:
        path.exists("ac" * 5_000, Budget(100))

    assert refused.value.code == "filter_too_costly"


WORDS = [
    "$", "@", ".", "..", ".*", ".**", "[*]", "[", "]", "0", "to", "last", "?", "(", ")", "==", "!=", "<>", "<", ">=",
    "&&", "||", "!", "exists", "like_regex", "flag", "starts", "with", "is", "unknown", "true", "null", "'a'", '"b"',
    "a", "{", "}", ",", "-", "1.5", " ", "lax", "strict", "\\", "'", '"', "%", "é",
]  # fmt: skip


@given(st.one_of(st.lists(st.sampled_from(WORDS), max_size=30).map("".join), st.text(max_size=80)))
def test_whatever_is_sent_is_read_or_refused(path: str) -> None:
    try:
        read = parse_path(path)
    except Invalid:
        return
    assert parse_path(read.text).text == read.text


KEYS = st.sampled_from(["a", "b"])
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from(["", "a", "b"]), st.just(1.5))
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=2)),
    max_leaves=8,
)


def looked_up(value: Any, key: str) -> list[Any]:
    """`.key`, by the book: of an object its member, of an array the members of its objects."""
    inside = value if isinstance(value, list) else [value]
    return [each[key] for each in inside if isinstance(each, dict) and key in each]


def opened(values: list[Any]) -> list[Any]:
    """What a comparison makes of a sequence: its arrays opened once."""
    return [item for value in values for item in (value if isinstance(value, list) else [value])]


@given(DOCUMENTS, KEYS, KEYS, SCALARS)
def test_a_comparison_is_true_of_any_pair_of_the_same_type(document: Any, first: str, second: str, wanted: Any) -> None:
    reached = [found for value in looked_up(document, first) for found in looked_up(value, second)]
    expected = any(json.dumps(each) == json.dumps(wanted) for each in opened(reached))

    assert parse_path(f"$ ? (@.{first}.{second} == {json.dumps(wanted)})").exists(document) is _each(
        document, first, second, wanted, expected
    )


def _each(document: Any, first: str, second: str, wanted: Any, expected: bool) -> bool:
    """A filter opens an array before it looks: then each element is asked alone, and its own arrays are not opened."""
    if not isinstance(document, list):
        return expected
    return any(
        json.dumps(item) == json.dumps(wanted)
        for element in document
        for value in looked_up(element, first)
        for item in opened(looked_up(value, second))
    )
