"""What is sent again, when, and what never is."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest

from memcairn.client import ApiError, ConflictError, ConnectionFailed, LimitError, NotFoundError, ServerError, TimedOut
from memcairn.client._operations import health
from memcairn.client._protocol import Reply, Retries, retry_after

from .scripted import Colour, Scripted, Use, job, memory, ok, refused

NEW = {"actor_id": "ann", "session_id": "s-1", "kind": "user_message", "content": "I moved to Lisbon"}
ACCEPTED = {"event_ids": ["e-1"]}
LOST = [
    httpx2.ConnectError("refused"),
    httpx2.ReadError("reset"),
    httpx2.RemoteProtocolError("server disconnected"),
    httpx2.ReadTimeout("slow"),
    httpx2.ConnectTimeout("slow"),
    httpx2.PoolTimeout("busy"),
]
REPEATABLE: list[tuple[Use, object]] = [
    (lambda client: client.ingest([NEW]), ACCEPTED),
    (lambda client: client.search("x"), {"hits": [], "took_ms": 1.0}),
    (lambda client: client.status(["e-1"]), {"events": []}),
    (lambda client: client.events.list(), {"items": []}),
    (lambda client: client.memories.list(), {"items": []}),
    (lambda client: client.memories.get("m-1"), memory()),
    (lambda client: client.memories.update("m-1", pinned=True), memory()),
    (lambda client: client.memories.delete("m-1"), None),
    (lambda client: client.memories.history("m-1"), {"items": []}),
    (lambda client: client.memories.sources("m-1"), {"items": []}),
    (lambda client: client.jobs.list(), {"items": []}),
    (lambda client: client.jobs.get("j-1"), job()),
    (lambda client: client.health(), {"status": "ok", "version": "1"}),
    (lambda client: client.ready(), {"status": "ready", "components": {}}),
]


@pytest.mark.parametrize("lost", LOST, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(("use", "answer"), REPEATABLE)
def test_what_is_safe_to_repeat_survives_a_lost_attempt(
    colour: Colour, use: Use, answer: object, lost: Exception
) -> None:
    server = Scripted(lost, ok(answer))

    colour(server, use)

    assert len(server.requests) == 2
    assert len(server.waits) == 1


@pytest.mark.parametrize("lost", LOST, ids=lambda error: type(error).__name__)
def test_a_job_is_not_sent_on_a_second_round_by_a_lost_answer(colour: Colour, lost: Exception) -> None:
    server = Scripted(lost)

    with pytest.raises((ConnectionFailed, TimedOut)):
        colour(server, lambda client: client.jobs.retry("j-1"))

    assert len(server.requests) == 1
    assert server.waits == []


def test_too_many_requests_are_repeated_even_where_repeating_is_unsafe(colour: Colour) -> None:
    server = Scripted(refused(429, retry_after="2"), ok(job()))

    colour(server, lambda client: client.jobs.retry("j-1"))

    assert server.waits == [2.0]
    assert len(server.requests) == 2


def test_no_wait_is_longer_than_a_minute(colour: Colour) -> None:
    server = Scripted(refused(429, retry_after="86400"), ok(job()))

    colour(server, lambda client: client.jobs.get("j-1"))

    assert server.waits == [60.0]


def test_a_limit_that_stays_is_raised_with_the_time_to_come_back(colour: Colour) -> None:
    server = Scripted(*[refused(429, "limit_reached", retry_after="7") for _ in range(3)])

    with pytest.raises(LimitError) as caught:
        colour(server, lambda client: client.search("x"), max_retries=2)

    assert server.waits == [7.0, 7.0]
    assert caught.value.retry_after == 7.0
    assert caught.value.code == "limit_reached"


def test_a_limit_without_a_time_is_waited_out_with_growing_patience(colour: Colour) -> None:
    server = Scripted(*[refused(429) for _ in range(3)], ok(job()))

    colour(server, lambda client: client.jobs.get("j-1"), retry_backoff=2.0)

    first, second, third = server.waits
    assert 1 <= first <= 2 <= second <= 4 <= third <= 8


def test_an_unavailable_server_that_names_its_return_is_asked_again(colour: Colour) -> None:
    server = Scripted(refused(503, retry_after="3"), ok(memory()))

    colour(server, lambda client: client.memories.get("m-1"))

    assert server.waits == [3.0]


@pytest.mark.parametrize(
    ("status", "headers", "use"),
    [
        (503, {}, lambda client: client.memories.get("m-1")),
        (500, {"retry_after": "1"}, lambda client: client.memories.get("m-1")),
        (503, {"retry_after": "1"}, lambda client: client.jobs.retry("j-1")),
    ],
    ids=["no time named", "a fault", "unsafe"],
)
def test_other_faults_of_the_server_are_raised_at_once(
    colour: Colour, status: int, headers: dict[str, str], use: Use
) -> None:
    server = Scripted(refused(status, **headers))

    with pytest.raises(ServerError):
        colour(server, use)

    assert len(server.requests) == 1


def test_an_ingest_keeps_its_key_across_attempts(colour: Colour) -> None:
    server = Scripted(httpx2.ReadError("reset"), refused(503, retry_after="0"), ok(ACCEPTED, status=202))

    colour(server, lambda client: client.ingest([NEW]))

    keys = {request.headers["idempotency-key"] for request in server.requests}
    bodies = {request.content for request in server.requests}
    assert (len(server.requests), len(keys), len(bodies)) == (3, 1, 1)


def test_two_ingests_have_two_keys(colour: Colour) -> None:
    first, second = Scripted(ok(ACCEPTED)), Scripted(ok(ACCEPTED))

    colour(first, lambda client: client.ingest([NEW]))
    colour(second, lambda client: client.ingest([NEW]))

    assert first.requests[0].headers["idempotency-key"] != second.requests[0].headers["idempotency-key"]


def test_a_key_of_ones_own_is_sent_as_it_is(colour: Colour) -> None:
    server = Scripted(ok(ACCEPTED))

    colour(server, lambda client: client.ingest([NEW], idempotency_key="order 17"))

    assert server.requests[0].headers["idempotency-key"] == "order 17"


def test_an_ingest_still_under_way_on_the_server_is_waited_for(colour: Colour) -> None:
    server = Scripted(httpx2.ReadTimeout("slow"), refused(409, "idempotency_in_flight"), ok(ACCEPTED))

    got = colour(server, lambda client: client.ingest([NEW], wait=True))

    assert got.event_ids == ["e-1"]


def test_a_conflict_for_good_is_raised_at_once(colour: Colour) -> None:
    server = Scripted(refused(409, "conflict", retry_after="1"))

    with pytest.raises(ConflictError):
        colour(server, lambda client: client.ingest([NEW]))

    assert len(server.requests) == 1


def test_a_deletion_whose_answer_was_lost_is_done_when_nothing_is_left(colour: Colour) -> None:
    server = Scripted(httpx2.ReadError("reset"), refused(404))

    assert colour(server, lambda client: client.memories.delete("m-1")) is None


def test_a_deletion_that_was_only_turned_away_still_says_that_nothing_is_there(colour: Colour) -> None:
    server = Scripted(refused(429, retry_after="0"), refused(404))

    with pytest.raises(NotFoundError):
        colour(server, lambda client: client.memories.delete("m-1"))


def test_patience_ends_after_max_retries_with_the_last_error(colour: Colour) -> None:
    server = Scripted(*[httpx2.ConnectError(f"refused {turn}") for turn in range(4)])

    with pytest.raises(ConnectionFailed, match="refused 3"):
        colour(server, lambda client: client.health())

    assert len(server.waits) == 3


def test_without_retries_everything_is_tried_once(colour: Colour) -> None:
    server = Scripted(refused(429, retry_after="1"))

    with pytest.raises(LimitError):
        colour(server, lambda client: client.health(), max_retries=0)

    assert server.waits == []


@pytest.mark.parametrize(("chance", "waits"), [(0.0, [1.0, 2.0, 4.0, 60.0]), (0.5, [0.75, 1.5, 3.0, 45.0])])
def test_backoff_doubles_up_to_a_minute_less_up_to_half_by_chance(chance: float, waits: list[float]) -> None:
    retries = Retries(limit=100_000, backoff=1.0, chance=lambda: chance)

    got = [retries.delay(health.health(), ConnectionFailed("gone"), attempt) for attempt in (0, 1, 2, 99_999)]

    assert got == waits


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": " 12 "}, 12.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "Sun, 15 Mar 2026 14:00:30 GMT", "date": "Sun, 15 Mar 2026 14:00:00 GMT"}, 30.0),
        ({"retry-after": "Sun, 15 Mar 2026 13:00:00 GMT", "date": "Sun, 15 Mar 2026 14:00:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e9"}, None),
        ({"retry-after": ""}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_in_both_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(httpx2.Headers(headers)) == seconds


def test_a_date_counts_from_now_when_the_server_does_not_say_its_own_time() -> None:
    then = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)

    seconds = retry_after(httpx2.Headers({"retry-after": then}))

    assert seconds is not None
    assert 3000 < seconds <= 3600


def test_an_unreadable_time_falls_back_to_the_backoff() -> None:
    retries = Retries(chance=lambda: 0.0)
    reply = Reply(429, httpx2.Headers({"retry-after": "soon"}), b"")

    assert retries.delay(health.health(), reply, 0) == 1.0


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 413, 415, 422, 500, 501, 502, 504])
def test_a_refusal_is_not_argued_with(colour: Colour, status: int) -> None:
    server = Scripted(refused(status, retry_after="1"))

    with pytest.raises(ApiError):
        colour(server, lambda client: client.memories.get("m-1"))

    assert len(server.requests) == 1
