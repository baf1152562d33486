"""Regular expressions that cannot be made to run for ever."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcairn.domain.like_regex import RegexError, compile_regex


def found(pattern: str, text: str, flags: str = "") -> bool:
    return compile_regex(pattern, flags).found_in(text)


@pytest.mark.parametrize(
    ("pattern", "text", "flags"),
    [
        ("", "", ""),
        ("b+", "abba", ""),
        ("^a.c$", "abc", ""),
        ("a{2}", "baac", ""),
        ("^a{2,}$", "aaaa", ""),
        ("^a{1,2}$", "aa", ""),
        ("^(?:ab|cd)*?$", "abcdab", ""),
        ("^[^a-c]+$", "xyz", ""),
        ("[]a]", "]", ""),
        ("[a-]", "-", ""),
        ("^\\d\\D\\w\\W\\s\\S$", "1x_! y", ""),
        ("[\\d\\s]{2}", "x1 ", ""),
        ("\\.\\$\\t", ".$\t", ""),
        ("STRASSE", "straße strasse", "i"),
        ("^b", "a\nb", "m"),
        ("a$", "a\nb", "m"),
        ("a.b", "a\nb", "s"),
        ("a[^x]b", "a\nb", "s"),
        ("a\\Db", "a\nb", ""),
        ("a.(b*", "xa.(b*", "q"),
        ("", "anything", "q"),
        ("a|", "zzz", ""),
    ],
)
def test_a_match_is_found(pattern: str, text: str, flags: str) -> None:
    assert found(pattern, text, flags)


@pytest.mark.parametrize(
    ("pattern", "text", "flags"),
    [
        ("^b", "a\nb", ""),
        ("a$", "a\nb", ""),
        ("a$", "a\n", ""),
        ("a.b", "a\nb", ""),
        ("a[^x]b", "a\nb", ""),
        ("A", "a", ""),
        ("a.b", "axb", "q"),
        ("^a{2,3}$", "aaaa", ""),
        ("[^\\w]", "abc", ""),
    ],
)
def test_what_does_not_match_is_not_found(pattern: str, text: str, flags: str) -> None:
    assert not found(pattern, text, flags)


@pytest.mark.parametrize(
    "pattern",
    ["(", ")", "a**", "*a", "^*", "a{", "a{2,1}", "a{256}", "[", "[b-a]", "[[:alpha:]]", "[\\W]", "\\", "(?=a)",
     "(?i)a", "\\1", "\\b", "[a-\\d]", "((a{200}){200}){200}", "a" * 501, "(" * 33 + ")" * 33, "[a\\"],
)  # fmt: skip
def test_what_cannot_be_matched_in_linear_time_or_means_another_thing_elsewhere_is_refused(pattern: str) -> None:
    with pytest.raises(RegexError):
        compile_regex(pattern)


def test_a_literal_pattern_has_a_limit_too() -> None:
    with pytest.raises(RegexError, match="more than 500"):
        compile_regex("a" * 501, "q")


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|aa)+$", "^(a*)*$", "(a?){100}a{100}", "(.*a){20}", "(x+x+)+y"])
def test_work_grows_with_the_text_and_no_faster(pattern: str) -> None:
    def work(length: int) -> int:
        spent: list[int] = []
        compile_regex(pattern).found_in("a" * length + "!", spent.append)
        return sum(spent)

    assert work(4_000) <= 2 * work(2_000) + 1_000


def test_a_pattern_that_is_used_again_answers_alike() -> None:
    regex = compile_regex("^(ab|a)(bc)?$")

    assert [regex.found_in(text) for text in ("abc", "ab", "abcbc", "abc")] == [True, True, False, True]


def test_a_pattern_that_meets_ever_new_characters_still_answers_right() -> None:
    regex = compile_regex("^[^z]*z$")
    text = "".join(chr(code) for code in range(0x4E00, 0x4E00 + 6_000))

    assert regex.found_in(text + "z")
    assert not regex.found_in(text)


PIECES = st.sampled_from(
    ["a", "b", ".", "[ab]", "[^a]", "(a|b)", "(ab)*", "a+", "b?", "a{2}", "(a|b){0,2}", "^", "$", "|"]
)


@given(st.lists(PIECES, max_size=8).map("".join), st.text("ab\n", max_size=8))
def test_it_agrees_with_a_backtracking_engine(pattern: str, text: str) -> None:
    # Here a newline is refused by `.` and by negated sets, and `$` stands at the very end only.
    elsewhere = pattern.replace("[^a]", "[^a\n]").replace("$", r"\Z")

    assert found(pattern, text) is (re.search(elsewhere, text) is not None)
