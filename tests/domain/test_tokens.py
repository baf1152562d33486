"""How many tokens a text has, roughly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcairn.domain.tokens import estimate_tokens


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("", 0, 0),
        ("a", 1, 1),
        ("I moved to Lisbon last week and I like it a lot.", 10, 14),
        ("Ich wohne seit einer Woche in München.", 9, 16),
        ("東京に住んでいます", 9, 14),
        ("Я живу в Москве уже десять лет.", 10, 18),
    ],
)
def test_prose_is_estimated_within_reason(text: str, least: int, most: int) -> None:
    assert least <= estimate_tokens(text) <= most


@given(st.text(min_size=1, max_size=300))
def test_every_text_has_some_and_not_many_more_than_characters(text: str) -> None:
    assert 1 <= estimate_tokens(text) <= 1 + 1.2 * len(text)
