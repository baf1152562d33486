"""Bodies are read as JSON and nothing looser, and a refusal says where."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcairn.api import strict_json
from memcairn.api.strict_json import MAX_DEPTH, MAX_POINTER_CHARS, parse, pointer_to
from memcairn.domain.errors import Invalid

_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
_documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _texts,
    lambda inner: st.lists(inner) | st.dictionaries(_texts, inner),
    max_leaves=30,
)


def refusal(body: bytes) -> tuple[str | None, str]:
    with pytest.raises(Invalid) as refused:
        parse(body)
    return refused.value.pointer, refused.value.message


def outcome(body: bytes) -> str | None:
    try:
        parse(body)
    except Invalid as refused:
        return refused.pointer
    return "parsed"


@given(_documents, st.booleans())
def test_every_document_comes_back_as_it_was_sent(document: Any, escaped: bool) -> None:
    body = json.dumps(document, ensure_ascii=escaped).encode()

    assert parse(body) == document


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused_with_a_place(body: bytes) -> None:
    assert outcome(body) is not None


@given(_documents, st.binary(min_size=1, max_size=3), st.data())
def test_a_damaged_document_is_parsed_or_refused_with_a_place(
    document: Any, damage: bytes, data: st.DataObject
) -> None:
    body = json.dumps(document).encode()
    at = data.draw(st.integers(0, len(body)))

    assert outcome(body[:at] + damage + body[at + len(damage) :]) is not None


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b'{"events": [{"content": tru}]}', "/events/0/content"),
        (b'{"events": [{"content": "a"}, {"content": "b\n"}]}', "/events/1/content"),
        (b'{"a": 1,}', ""),
        (b'{"a": 01}', "/a"),
        (b"[1, 2, 3", "/2"),
        (b'["\\x41"]', "/0"),
        (b"{} {}", ""),
        (b"nul", ""),
        (b"'a'", ""),
        (b"\x00", ""),
    ],
)
def test_malformed_json_is_refused_where_it_breaks(body: bytes, pointer: str) -> None:
    assert refusal(body)[0] == pointer


def test_a_refusal_of_malformed_json_names_line_and_column() -> None:
    _, message = refusal(b'{\n  "a": tru\n}')

    assert message == "The body is not valid JSON: Expecting value at line 2, column 8."


@pytest.mark.parametrize("body", [b"", b" \n\t", b"\xef\xbb\xbf"])
def test_an_empty_body_is_refused(body: bytes) -> None:
    assert refusal(body) == ("", "The request has no body; send a JSON document.")


def test_a_byte_order_mark_is_no_part_of_the_document() -> None:
    assert parse(b'\xef\xbb\xbf{"a": "\xef\xbb\xbfb"}') == {"a": "\ufeffb"}


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": ["b\xff"]}',
        b'{"a": ["b\xed\xa0\xbd"]}',
        b'{"a": ["\xed\xa0\xbd\xed\xb8\x80"]}',
        b'{"a": ["\xc0\x80"]}',
        b'{"a": ["\xf8\x88\x80\x80\x80"]}',
    ],
)
def test_bytes_that_are_not_utf8_are_refused_in_the_string_that_holds_them(body: bytes) -> None:
    pointer, message = refusal(body)

    assert pointer == "/a/0"
    assert "is not valid UTF-8" in message


def test_another_encoding_of_unicode_is_not_guessed() -> None:
    assert "is not valid UTF-8" in refusal('{"a": 1}'.encode("utf-16"))[1]


@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity"])
def test_numbers_json_does_not_have_are_refused(name: str) -> None:
    assert refusal(f'{{"a": [0, {name}]}}'.encode()) == (
        "/a/1",
        f"{name} is not JSON; leave the value out or send null.",
    )


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**19, 2**64])
def test_integers_beyond_64_bits_are_refused(number: int) -> None:
    assert refusal(f'{{"n": {number}}}'.encode())[0] == "/n"


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 0, 10**18])
def test_integers_of_64_bits_are_kept_exactly(number: int) -> None:
    assert parse(f'{{"n": {number}, "-": -0}}'.encode()) == {"n": number, "-": 0}


def test_an_integer_of_5000_digits_is_refused_without_being_repeated() -> None:
    pointer, message = refusal(b"[" + b"9" * 5_000 + b"]")

    assert pointer == "/0"
    assert len(message) < 200


@pytest.mark.parametrize("number", ["1e309", "-1E+400", "1.5e999999999", "1" * 400 + ".0", "9" * 310 + "e0"])
def test_floats_that_overflow_are_refused(number: str) -> None:
    assert refusal(f'{{"n": [{number}]}}'.encode())[0] == "/n/0"


@pytest.mark.parametrize(("number", "value"), [("1e308", 1e308), ("1e-400", 0.0), ("0." + "3" * 400, 1 / 3)])
def test_floats_that_only_lose_precision_are_kept(number: str, value: float) -> None:
    assert parse(f"[{number}]".encode()) == [value]


def test_digits_in_strings_are_no_numbers() -> None:
    document = {"phone": "9" * 40, "hash": "3e400", "1e999": "x"}

    assert parse(json.dumps(document).encode()) == document


def test_64_levels_are_accepted() -> None:
    body = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH

    assert json.dumps(parse(body)).encode() == body


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 500, 5_000, 100_000])
def test_more_than_64_levels_are_refused_at_the_first_one_too_many(depth: int) -> None:
    body = b'{"a": ' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"

    assert refusal(body) == ("/a" + "/0" * (MAX_DEPTH - 1), "The body nests deeper than 64 levels; flatten it.")


def test_brackets_in_strings_are_no_levels() -> None:
    document = [{"text": "[" * 200 + "{" * 200}] * 100

    assert parse(json.dumps(document).encode()) == document


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (rb'{"a": ["\ud83d"]}', "/a/0"),
        (rb'{"a": "\uDE00\uD83D"}', "/a"),
        (rb'{"a": {"\ud800b": 1}}', "/a"),
        (rb'["ok", {"a/b": {"~": "\udfff"}}]', "/1/a~1b/~0"),
        (rb'"\ud800"', ""),
    ],
)
def test_half_of_a_surrogate_pair_is_refused(body: bytes, pointer: str) -> None:
    assert refusal(body)[0] == pointer


def test_whole_pairs_are_one_character() -> None:
    assert parse(rb'{"\ud83d\ude00": "\uD83D\uDE00 \\ud83d"}') == {"😀": "😀 \\ud83d"}


def test_nul_is_taken_out_of_strings_and_keys() -> None:
    body = rb'{"na\u0000me": ["\u0000a\u0000", {"b": "\\u0000"}], "n": 1}'

    assert parse(body) == {"name": ["a", {"b": "\\u0000"}], "n": 1}


def test_keys_that_become_equal_without_their_nul_are_refused() -> None:
    assert refusal(rb'{"list": [{"a": 1, "a\u0000": 2}]}')[0] == "/list/0"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b'{"a": 1, "a": 1}', "/a"),
        (b'[{"a": {"b": 1, "c": 2, "b": 3}}]', "/0/a/b"),
        (rb'{"a": 1, "\u0061": 2}', "/a"),
    ],
)
def test_a_key_given_twice_is_refused(body: bytes, pointer: str) -> None:
    assert refusal(body)[0] == pointer


def test_one_key_in_two_objects_is_fine() -> None:
    assert parse(b'[{"a": 1}, {"a": {"a": 2}}]') == [{"a": 1}, {"a": {"a": 2}}]


def test_ten_thousand_keys_are_kept() -> None:
    document = {f"key-{number}": number for number in range(10_000)}

    assert parse(json.dumps(document).encode()) == document


def test_a_pointer_that_would_be_too_long_stops_above_the_long_key() -> None:
    key = "k" * 100_000

    assert refusal(json.dumps({"a": {key: {"b": 2**64}}}).encode())[0] == "/a"
    assert pointer_to(["a"] * 10_000) == "/a" * (MAX_POINTER_CHARS // 2)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 2**23,
        b'{"a":' * 2**20,
        b'"' + b'\\"' * 2**22,
        b'["' + b'\\"' * 2**22,
        b"1" * 2**23,
        b"[" + b"1" * 2**23 + b".5]",
        b"[" + b"0," * 2**22,
        b"[" + b"{}," * 2**20 + b"nul]",
        b'{"' + b"k" * 2**23 + b'": 1e999}',
        b'["' + rb"\ud83d" * 2**19 + b'"]',
    ],
    ids=["lists", "objects", "quotes", "unended", "digits", "decimals", "items", "late", "key", "halves"],
)
def test_eight_hostile_mebibytes_are_refused(body: bytes) -> None:
    pointer, message = refusal(body)

    assert pointer is not None
    assert len(pointer) <= MAX_POINTER_CHARS
    assert len(message) < 200


def test_a_pointer_is_looked_for_in_the_first_mebibyte_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strict_json, "_LOCATED_CHARS", 10)

    assert refusal(b'{"a": [1, 2, nul]}')[0] == ""
