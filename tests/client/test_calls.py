"""What each method sends, and what it makes of the answer."""

import json
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from memcairn.client import InvalidArgument, NewEvent
from memcairn.wire.events import Event, EventPage, EventState, IngestResponse, StatusResponse
from memcairn.wire.health import Health, Readiness
from memcairn.wire.jobs import Job, JobPage
from memcairn.wire.memories import Memory, MemoryChange, MemoryHistory, MemoryPage, MemorySources
from memcairn.wire.search import Hit, SearchResponse

from .scripted import MOMENT, Colour, Scripted, Use, event, job, memory, ok

HIT = {
    "score": 0.9,
    "similarity": 0.7,
    "text": "Ann moved to Lisbon",
    "pending": False,
    "source_event_ids": ["e-1"],
    "speaker": "Ann",
    "session_id": "s-1",
    "observed_at": MOMENT,
    "memory": memory(),
}
CHANGE = {"change_id": "c-1", "change": "added", "reason": "said", "before": None, "created_at": MOMENT}
NEW = {"actor_id": "ann", "session_id": "s-1", "kind": "user_message", "content": "I moved to Lisbon"}


def body(server: Scripted) -> Any:
    return json.loads(server.requests[0].content)


@pytest.mark.parametrize(
    ("use", "line", "answer", "value"),
    [
        (
            lambda client: client.events.list(),
            "GET /v1/events?limit=50",
            {"items": [event()]},
            EventPage(items=[Event.model_validate(event())]),
        ),
        (
            lambda client: client.events.list(
                session_id="a b", actor_id="ann", kind="tool_result", status="failed", limit=7, cursor="c&d"
            ),
            "GET /v1/events?session_id=a+b&actor_id=ann&kind=tool_result&status=failed&limit=7&cursor=c%26d",
            {"items": [], "next_cursor": "n"},
            EventPage(items=[], next_cursor="n"),
        ),
        (
            lambda client: client.memories.list(
                actor_id="ann",
                session_id="s-1",
                kind="semantic",
                type="fact",
                status="archived",
                level="role",
                role_id="dev",
                team_id="core",
                q="Lisbon?",
                sort="strength_desc",
                limit=3,
                cursor="c",
            ),
            "GET /v1/memories?actor_id=ann&session_id=s-1&kind=semantic&type=fact&status=archived&level=role"
            "&role_id=dev&team_id=core&q=Lisbon%3F&sort=strength_desc&limit=3&cursor=c",
            {"items": [memory()]},
            MemoryPage(items=[Memory.model_validate(memory())]),
        ),
        (
            lambda client: client.memories.get("m-1"),
            "GET /v1/memories/m-1",
            memory(),
            Memory.model_validate(memory()),
        ),
        (
            lambda client: client.memories.history("m-1"),
            "GET /v1/memories/m-1/history",
            {"items": [CHANGE]},
            MemoryHistory(items=[MemoryChange.model_validate(CHANGE)]),
        ),
        (
            lambda client: client.memories.sources("m-1"),
            "GET /v1/memories/m-1/sources",
            {"items": [event()]},
            MemorySources(items=[Event.model_validate(event())]),
        ),
        (
            lambda client: client.jobs.list(status="dead", limit=5, cursor="c"),
            "GET /v1/jobs?status=dead&limit=5&cursor=c",
            {"items": [job()]},
            JobPage(items=[Job.model_validate(job())]),
        ),
        (lambda client: client.jobs.get("j-1"), "GET /v1/jobs/j-1", job(), Job.model_validate(job())),
        (lambda client: client.jobs.retry("j-1"), "POST /v1/jobs/j-1/retry", job(), Job.model_validate(job())),
        (
            lambda client: client.health(),
            "GET /healthz",
            {"status": "ok", "version": "0.1.0"},
            Health(status="ok", version="0.1.0"),
        ),
        (
            lambda client: client.ready(),
            "GET /readyz",
            {"status": "ready", "components": {"database": None}},
            Readiness(status="ready", components={"database": None}),
        ),
    ],
)
def test_a_method_asks_its_route_and_returns_the_message(
    colour: Colour, use: Use, line: str, answer: object, value: object
) -> None:
    server = Scripted(ok(answer))

    got = colour(server, use)

    assert server.lines == [line]
    assert got == value


def test_ingest_sends_events_of_both_kinds_as_they_were_given(colour: Colour) -> None:
    server = Scripted(ok({"event_ids": ["e-1", "e-2"]}, status=202))
    said_at = datetime(2026, 3, 15, 14, 22, 10, tzinfo=UTC)
    model = NewEvent(actor_id="ann", session_id="s-1", kind="user_message", content="I moved", occurred_at=said_at)

    got = colour(server, lambda client: client.ingest([model, {**NEW, "occurred_at": said_at}]))

    assert server.lines == ["POST /v1/events?wait=false"]
    assert body(server) == {
        "events": [
            {**NEW, "content": "I moved", "occurred_at": "2026-03-15T14:22:10+00:00"},
            {**NEW, "occurred_at": "2026-03-15T14:22:10+00:00"},
        ]
    }
    assert got == IngestResponse(event_ids=["e-1", "e-2"])


def test_ingest_can_wait_for_the_processing(colour: Colour) -> None:
    server = Scripted(ok({"event_ids": ["e-1"], "statuses": {"e-1": "completed"}}, status=202))

    got = colour(server, lambda client: client.ingest([NEW], wait=True))

    assert server.lines == ["POST /v1/events?wait=true"]
    assert got.statuses == {"e-1": "completed"}


def test_the_judgement_of_a_batch_is_left_to_the_server(colour: Colour) -> None:
    server = Scripted(ok({"event_ids": []}, status=202))

    colour(server, lambda client: client.ingest([{"anything": 1}] * 1001))

    assert len(body(server)["events"]) == 1001


def test_search_sends_only_what_was_asked_for(colour: Colour) -> None:
    server = Scripted(ok({"hits": [HIT], "took_ms": 1.5}))

    got = colour(server, lambda client: client.search("where does Ann live?"))

    assert server.lines == ["POST /v1/search"]
    assert body(server) == {
        "query": "where does Ann live?",
        "limit": 10,
        "threshold": 0.0,
        "diverse": True,
        "include_source_events": False,
        "explain": False,
    }
    assert got == SearchResponse(hits=[Hit.model_validate(HIT)], took_ms=1.5)


def test_search_sends_every_option(colour: Colour) -> None:
    server = Scripted(ok({"hits": [], "took_ms": 1.5}))
    options: dict[str, Any] = {
        "actor_id": "ann",
        "session_id": "s-1",
        "exclude_session_id": "s-2",
        "role_ids": ("dev",),
        "team_ids": ["core"],
        "kinds": ["semantic"],
        "types": ["fact"],
        "occurred_after": datetime(2026, 1, 1, tzinfo=UTC),
        "occurred_before": "2026-02-01",
        "asked_at": MOMENT,
        "limit": 3,
        "threshold": 0.4,
        "diverse": False,
        "include_source_events": True,
        "explain": True,
    }

    colour(server, lambda client: client.search("x", **options))

    assert body(server) == {
        "query": "x",
        **options,
        "role_ids": ["dev"],
        "occurred_after": "2026-01-01T00:00:00+00:00",
    }


def test_status_asks_for_many_events_at_once(colour: Colour) -> None:
    server = Scripted(ok({"events": [{"event_id": "e-1", "status": "pending"}]}))

    got = colour(server, lambda client: client.status(["e-1"]))

    assert server.lines == ["POST /v1/events/status"]
    assert body(server) == {"event_ids": ["e-1"]}
    assert got == StatusResponse(events=[EventState(event_id="e-1", status="pending")])


def test_an_update_leaves_out_what_stays_as_it_is(colour: Colour) -> None:
    server = Scripted(ok(memory()))

    got = colour(server, lambda client: client.memories.update("m-1", pinned=False, tags=[], metadata={"a": None}))

    assert server.lines == ["PATCH /v1/memories/m-1"]
    assert body(server) == {"pinned": False, "tags": [], "metadata": {"a": None}}
    assert got == Memory.model_validate(memory())


def test_a_deletion_returns_nothing(colour: Colour) -> None:
    server = Scripted(httpx2.Response(204))

    got = colour(server, lambda client: client.memories.delete("m-1"))

    assert server.lines == ["DELETE /v1/memories/m-1"]
    assert got is None


def test_a_server_that_is_not_ready_is_an_answer_and_not_an_error(colour: Colour) -> None:
    server = Scripted(
        ok({"status": "not_ready", "components": {"worker": "no sign of life"}}, 503, **{"retry-after": "1"})
    )

    got = colour(server, lambda client: client.ready())

    assert got == Readiness(status="not_ready", components={"worker": "no sign of life"})
    assert len(server.requests) == 1


def test_fields_of_a_newer_server_are_ignored(colour: Colour) -> None:
    server = Scripted(ok({"status": "ok", "version": "9", "mood": "fine"}))

    assert colour(server, lambda client: client.health()) == Health(status="ok", version="9")


def test_every_request_carries_the_key_and_says_who_asks(colour: Colour) -> None:
    server = Scripted(ok({"status": "ok", "version": "1"}))

    colour(server, lambda client: client.health())

    headers = server.requests[0].headers
    assert headers["authorization"] == "Bearer mc_key"
    assert headers["user-agent"].startswith("memcairn-python/")
    assert headers["accept"] == "application/json"


def test_the_key_comes_from_the_environment_unless_given(colour: Colour, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMCAIRN_API_KEY", "from-outside\n")
    server = Scripted(ok({"status": "ok", "version": "1"}))

    colour(server, lambda client: client.health(), api_key=None)

    assert server.requests[0].headers["authorization"] == "Bearer from-outside"


def test_without_any_key_none_is_sent(colour: Colour) -> None:
    server = Scripted(ok({"status": "ok", "version": "1"}))

    colour(server, lambda client: client.health(), api_key=None)

    assert "authorization" not in server.requests[0].headers


@pytest.mark.parametrize("base_url", ["http://memory.test/deep", "http://memory.test/deep/"])
def test_a_server_below_a_path_is_reached_below_it(colour: Colour, base_url: str) -> None:
    server = Scripted(ok(memory()))

    colour(server, lambda client: client.memories.get("a/b"), base_url=base_url)

    assert server.lines == ["GET /deep/v1/memories/a%2Fb"]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"base_url": "localhost:8642"}, "base_url"),
        ({"base_url": "http://"}, "base_url"),
        ({"base_url": "http://a:no"}, "base_url"),
        ({"api_key": "two\nlines"}, "API key"),
        ({"api_key": "ключ"}, "API key"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"max_retries": -1}, "max_retries"),
        ({"retry_backoff": float("inf")}, "retry_backoff"),
    ],
)
def test_a_client_that_could_not_work_is_refused_at_once(colour: Colour, options: dict[str, Any], word: str) -> None:
    with pytest.raises(InvalidArgument, match=word):
        colour(Scripted(), lambda client: None, **options)


def test_a_refused_key_is_not_repeated_in_the_message(colour: Colour) -> None:
    with pytest.raises(InvalidArgument) as caught:
        colour(Scripted(), lambda client: None, api_key="mc_secret\x00")

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("use", "word"),
    [
        (lambda client: client.ingest([{**NEW, "metadata": {"x": float("nan")}}]), "JSON"),
        (lambda client: client.ingest([{**NEW, "metadata": {"x": {1}}}]), "set"),
        (lambda client: client.ingest([{**NEW, "content": "\ud800"}]), "surrogate"),
        (lambda client: client.ingest([NEW], idempotency_key=""), "idempotency_key"),
        (lambda client: client.ingest([NEW], idempotency_key="a\r\nb"), "idempotency_key"),
        (lambda client: client.events.list(cursor="\udfff"), "surrogate"),
        (lambda client: client.events.list(cursor="x" * 70_000), "URL"),
    ],
)
def test_what_no_request_can_hold_is_refused_before_sending(colour: Colour, use: Use, word: str) -> None:
    server = Scripted()

    with pytest.raises(InvalidArgument, match=word):
        colour(server, use)

    assert server.requests == []


def test_text_of_any_script_arrives_as_it_was(colour: Colour) -> None:
    server = Scripted(ok({"hits": [], "took_ms": 0.1}))
    words = 'он сказал "да" \\ 🙂 \u2028 \x00 מים'

    colour(server, lambda client: client.search(words))

    assert body(server)["query"] == words
