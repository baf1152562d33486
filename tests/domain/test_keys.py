"""API keys: mistyped ones are recognised, secrets are never kept, rights include no more than they say."""

import hashlib
import string
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcairn.domain.errors import Forbidden
from memcairn.domain.keys import (
    ALL_SCOPES,
    MAX_KEY_CHARS,
    ApiKey,
    KeyScope,
    Principal,
    hash_of,
    key_id_of,
    matches,
    new_key,
    scopes_from,
    visible_prefix,
)
from tests.build import NOW, make

LETTERS = string.ascii_letters + string.digits


class TestGeneratedKeys:
    def test_it_names_itself_in_three_parts(self) -> None:
        marker, key_id, rest = new_key().split("_")

        assert marker == "mc"
        assert (len(key_id), len(rest)) == (12, 43 + 6)
        assert set(key_id + rest) <= set(LETTERS)

    def test_no_two_are_alike(self) -> None:
        assert len({new_key() for _ in range(100)}) == 100

    def test_the_id_is_read_off_the_key(self) -> None:
        raw_key = new_key()

        assert key_id_of(raw_key) == raw_key.split("_")[1]

    @given(at=st.integers(3, 64), letter=st.sampled_from(LETTERS))
    def test_one_mistyped_letter_is_noticed(self, at: int, letter: str) -> None:
        raw_key = new_key()
        mistyped = raw_key[:at] + letter + raw_key[at + 1 :]

        assert (key_id_of(mistyped) == raw_key.split("_")[1]) == (mistyped == raw_key)

    @pytest.mark.parametrize("at", [20, 40, 60])
    def test_two_letters_swapped_are_noticed(self, at: int) -> None:
        raw_key = new_key()
        swapped = raw_key[:at] + raw_key[at + 1] + raw_key[at] + raw_key[at + 2 :]

        assert key_id_of(swapped) is None or raw_key[at] == raw_key[at + 1]

    def test_its_id_may_be_shown(self) -> None:
        raw_key = new_key()

        assert visible_prefix(raw_key) == raw_key[:15]


class TestChosenKeys:
    @pytest.mark.parametrize(
        "raw_key", ["x", "s3cret", "mc_short_one", "mc_a_b_c", "ключ", "a" * MAX_KEY_CHARS, "\ud800"]
    )
    def test_any_shape_has_an_id_that_hides_it(self, raw_key: str) -> None:
        key_id = key_id_of(raw_key)

        assert key_id is not None
        assert key_id == key_id_of(raw_key)
        assert key_id.startswith("x")
        assert len(key_id) == 25

    @pytest.mark.parametrize("raw_key", ["", "a" * (MAX_KEY_CHARS + 1)])
    def test_nothing_and_too_much_are_no_keys(self, raw_key: str) -> None:
        assert key_id_of(raw_key) is None

    @pytest.mark.parametrize(
        ("raw_key", "shown"), [("", "…"), ("abc", "…"), ("abcdefgh", "ab…"), ("abcdefghijklmnopqrst", "abcd…")]
    )
    def test_no_more_than_a_quarter_of_it_is_shown(self, raw_key: str, shown: str) -> None:
        assert visible_prefix(raw_key) == shown


class TestSecrets:
    def test_a_key_matches_its_own_hash_alone(self) -> None:
        raw_key = new_key()

        assert hash_of(raw_key) == hashlib.sha256(raw_key.encode()).digest()
        assert matches(raw_key, hash_of(raw_key))
        assert not matches(raw_key + "x", hash_of(raw_key))
        assert not matches(new_key(), hash_of(raw_key))

    @pytest.mark.parametrize(
        ("key", "usable"),
        [
            (make(ApiKey), True),
            (make(ApiKey, expires_at=NOW + timedelta(microseconds=1)), True),
            (make(ApiKey, expires_at=NOW), False),
            (make(ApiKey, revoked_at=NOW - timedelta(days=1)), False),
            (make(ApiKey, revoked_at=NOW, expires_at=NOW + timedelta(days=1)), False),
        ],
    )
    def test_a_key_is_usable_until_it_expires_or_is_revoked(self, key: ApiKey, usable: bool) -> None:
        assert key.usable_at(NOW) == usable


class TestRights:
    @pytest.mark.parametrize("scope", list(KeyScope))
    def test_a_right_is_held_by_its_scope_and_by_admin(self, scope: KeyScope) -> None:
        Principal("org", "key", frozenset({scope})).require(scope)
        Principal("org", "key", frozenset({KeyScope.ADMIN})).require(scope)

    @pytest.mark.parametrize("scope", list(KeyScope))
    def test_other_scopes_do_not_include_it(self, scope: KeyScope) -> None:
        others = frozenset(KeyScope) - {scope, KeyScope.ADMIN}

        with pytest.raises(Forbidden, match=scope.value) as refused:
            Principal("org", "key", others).require(scope)

        assert refused.value.code == "missing_scope"

    def test_scopes_are_read_from_their_names(self) -> None:
        assert scopes_from(["read", "write", "admin"]) == ALL_SCOPES
        with pytest.raises(ValueError, match="superuser"):
            scopes_from(["superuser"])
