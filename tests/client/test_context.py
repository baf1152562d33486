"""Asking for a block of context."""

import json

import pytest

from memcairn.client import NotFoundError
from memcairn.wire.context import ContextResponse
from memcairn.wire.summaries import LatestSummary, SummaryPage

from .scripted import MOMENT, Colour, Scripted, event, memory, ok, refused

SUMMARY = {
    "summary_id": "y-1",
    "session_id": "s-1",
    "content": "2026-03-15 Ann: I moved to Lisbon.",
    "token_count": 9,
    "metadata": {"summariser": "extractive"},
    "up_to_position": 6,
    "up_to_event_id": "e-0",
    "created_at": MOMENT,
}
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
CONTEXT = {
    "session_id": "s-1",
    "actor_id": "ann",
    "query": "where?",
    "text": "| - quoted",
    "token_count": 3,
    "summary": SUMMARY,
    "messages": [event()],
    "memories": [HIT],
    "summary_id": "y-1",
    "event_ids": ["e-1"],
    "memory_ids": ["m-1"],
    "took_ms": 1.5,
}


def test_it_asks_with_what_it_is_given_and_leaves_the_rest_to_the_server(colour: Colour) -> None:
    server = Scripted(ok(CONTEXT))

    found = colour(server, lambda client: client.context("s-1", actor_id="ann", query="where?", token_budget=500))

    assert found == ContextResponse.model_validate(CONTEXT)
    assert server.lines == ["POST /v1/context"]
    assert json.loads(server.requests[0].content) == {
        "session_id": "s-1",
        "actor_id": "ann",
        "query": "where?",
        "token_budget": 500,
        "message_limit": 12,
        "memory_limit": 20,
        "threshold": 0.0,
        "include_summary": True,
    }


def test_it_only_reads_so_it_is_asked_again_when_the_server_is_busy(colour: Colour) -> None:
    server = Scripted(refused(503, retry_after="1"), ok(CONTEXT))

    assert colour(server, lambda client: client.context("s-1")).text == "| - quoted"
    assert len(server.requests) == 2


def test_a_session_nobody_knows_is_an_error_of_its_own(colour: Colour) -> None:
    with pytest.raises(NotFoundError):
        colour(Scripted(refused(404, code="session_not_found")), lambda client: client.context("s-1"))


def test_the_latest_summary_of_a_session_is_none_while_it_is_short(colour: Colour) -> None:
    server = Scripted(ok({"summary": None}), ok({"summary": SUMMARY}))

    assert colour(server, lambda client: client.sessions.summary("a/b")) == LatestSummary(summary=None)
    assert colour(server, lambda client: client.sessions.summary("s-1")) == LatestSummary.model_validate(
        {"summary": SUMMARY}
    )
    assert server.lines == ["GET /v1/sessions/a%2Fb/summary", "GET /v1/sessions/s-1/summary"]


def test_summaries_come_page_by_page(colour: Colour) -> None:
    server = Scripted(ok({"items": [SUMMARY], "next_cursor": "c1"}))

    page = colour(server, lambda client: client.sessions.summaries("s-1", limit=1, cursor="c0"))

    assert page == SummaryPage.model_validate({"items": [SUMMARY], "next_cursor": "c1"})
    assert server.lines == ["GET /v1/sessions/s-1/summaries?limit=1&cursor=c0"]
