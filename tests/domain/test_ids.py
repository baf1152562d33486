"""Identifiers: unique, in the order they were made, and proper UUIDs."""

import threading
import uuid

import pytest

from memcairn.domain import ids
from memcairn.domain.ids import new_id


def test_it_is_a_version_7_uuid_in_canonical_form() -> None:
    made = new_id()

    parsed = uuid.UUID(made)
    assert str(parsed) == made
    assert parsed.version == 7
    assert parsed.variant == uuid.RFC_4122


def test_ids_sort_in_the_order_they_were_made() -> None:
    made = [new_id() for _ in range(10_000)]

    assert made == sorted(set(made))


def test_a_clock_that_is_set_back_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = new_id()
    monkeypatch.setattr("memcairn.domain.ids.time.time_ns", lambda: 0)

    assert new_id() > before


def test_it_tells_when_it_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    in_future = 4_000_000_000_000
    monkeypatch.setattr(ids, "_last_tick", 0)
    monkeypatch.setattr("memcairn.domain.ids.time.time_ns", lambda: in_future * 1_000_000)

    assert uuid.UUID(new_id()).int >> 80 == in_future


def test_more_ids_than_a_millisecond_holds_run_over_into_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "_last_tick", 0)
    monkeypatch.setattr("memcairn.domain.ids.time.time_ns", lambda: 1_000_000)

    made = [new_id() for _ in range(5_000)]

    assert made == sorted(set(made))
    assert {uuid.UUID(each).int >> 80 for each in made} == {1, 2}


def test_threads_never_get_the_same() -> None:
    made: list[str] = []
    threads = [threading.Thread(target=lambda: made.extend(new_id() for _ in range(500))) for _ in range(4)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(made)) == 2_000
