"""Cursors: opaque, bound to their list, and refused when anybody else made them."""

import base64
import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcairn.core import cursors
from memcairn.core.deps import Deps
from memcairn.core.events import EventFilter, list_events
from memcairn.core.jobs import list_jobs
from memcairn.core.memories import MemoryFilter, list_memories
from memcairn.domain.errors import Invalid
from memcairn.domain.keys import Principal

LIST = {"actor_id": "ann", "sort": "newest"}
PLAIN = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
VALUES = PLAIN | st.integers(-(2**62), 2**62) | st.floats(-1e15, 1e15)


@given(place=st.lists(VALUES, max_size=4))
def test_a_cursor_gives_back_its_place(place: list[str | int | float]) -> None:
    assert cursors.decode(cursors.encode(place, LIST), LIST, length=len(place)) == place


def test_a_cursor_can_be_put_into_a_url() -> None:
    cursor = cursors.encode(["\xff\xfe?&/+=", 1], LIST)

    assert cursor.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    "other", [{}, {"actor_id": "bob", "sort": "newest"}, {"actor_id": "ann"}, {"actor_id": "ann", "sort": "oldest"}]
)
def test_a_cursor_of_another_list_is_refused(other: dict[str, str]) -> None:
    cursor = cursors.encode(["x"], LIST)

    with pytest.raises(Invalid) as refused:
        cursors.decode(cursor, other, length=1)

    assert refused.value.code == "invalid_cursor"


@given(garbage=st.text(max_size=50) | st.binary(max_size=50).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_garbage_is_refused(garbage: str) -> None:
    with pytest.raises(Invalid):
        cursors.decode(garbage, LIST, length=1)


@pytest.mark.parametrize(
    "body", [5, None, [], {}, "abc", [["x"]], [None, "x"], ["x"] * 3, "[" * 2_000 + "]" * 2_000], ids=str
)
def test_other_json_is_refused(body: Any) -> None:
    text = body if isinstance(body, str) and body.startswith("[[") else json.dumps(body)
    cursor = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    with pytest.raises(Invalid):
        cursors.decode(cursor, LIST, length=1)


def forged(of: dict[str, Any], *place: Any) -> str:
    """A cursor for the right list that nobody gave out."""
    return cursors.encode(place, of)


class TestForged:
    """Anybody can compute a cursor: whatever is in it, the answer is a refusal or a page, never a crash."""

    @pytest.mark.parametrize(
        "value",
        [None, True, [], {}, 2**63, 10**400, 1e300, float("nan"), float("inf"), "\ud800", "a\x00b"],
        ids=repr,
    )
    def test_values_no_database_takes_are_refused(self, value: Any) -> None:
        with pytest.raises(Invalid):
            cursors.decode(forged(LIST, value), LIST, length=1)

    @pytest.mark.parametrize("value", ["", "yesterday", "2026-13-01", "0001-01-01T00:00:00+14:00", 5])
    def test_what_is_no_time_is_refused(self, value: Any) -> None:
        with pytest.raises(Invalid):
            cursors.moment(value)

    def test_a_time_is_read_in_utc(self) -> None:
        assert cursors.moment("2026-01-01T02:00:00+02:00") == datetime(2026, 1, 1, tzinfo=UTC)

    def test_what_is_no_number_is_refused(self) -> None:
        with pytest.raises(Invalid):
            cursors.number("5")

    @pytest.mark.anyio
    @pytest.mark.parametrize("sort", ["observed_at_desc", "created_at_desc", "strength_desc", "confidence_desc"])
    @pytest.mark.parametrize("value", ["x", "2026-01-01", 5, -0.5, True, 2**70])
    async def test_memories_answer_with_a_page_or_a_refusal(
        self, deps: Deps, principal: Principal, sort: str, value: Any
    ) -> None:
        of = {**dict.fromkeys(MemoryFilter.__slots__), "sort": sort}

        cursor = forged(of, value, "m1")

        with contextlib.suppress(Invalid):
            assert not (await list_memories(deps, principal, MemoryFilter(), sort=sort, limit=5, cursor=cursor)).items

    @pytest.mark.anyio
    @pytest.mark.parametrize("place", [("x", 1, "e"), ("2026-01-01", 1, "e"), (5, 1, "e"), ("2026-01-01", "one", "e")])
    async def test_events_answer_with_a_page_or_a_refusal(
        self, deps: Deps, principal: Principal, place: tuple[Any, ...]
    ) -> None:
        of = dict.fromkeys(EventFilter.__slots__)

        with contextlib.suppress(Invalid):
            assert not (await list_events(deps, principal, EventFilter(), limit=5, cursor=forged(of, *place))).items

    @pytest.mark.anyio
    async def test_jobs_answer_with_a_page(self, deps: Deps, principal: Principal) -> None:
        for value in ("x", 5, ""):
            page = await list_jobs(deps, principal, status=None, limit=5, cursor=forged({"jobs": None}, value))
            assert page.items == []
