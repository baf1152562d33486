"""Lists longer than a page."""

import asyncio

import httpx2
import pytest

from memcairn import AsyncMemcairnClient, MemcairnClient
from memcairn.client import NotFoundError, ProtocolError

from .scripted import Colour, Scripted, Use, event, job, memory, ok, refused


@pytest.mark.parametrize(
    ("use", "item", "name", "lines"),
    [
        (
            lambda client: client.events.list_all(session_id="s/1"),
            event,
            "event_id",
            ["GET /v1/events?session_id=s%2F1&limit=200", "GET /v1/events?session_id=s%2F1&limit=200&cursor=c1"],
        ),
        (
            lambda client: client.memories.list_all(actor_id="ann", page_size=2),
            memory,
            "memory_id",
            ["GET /v1/memories?actor_id=ann&limit=2", "GET /v1/memories?actor_id=ann&limit=2&cursor=c1"],
        ),
        (
            lambda client: client.jobs.list_all(status="dead"),
            job,
            "job_id",
            ["GET /v1/jobs?status=dead&limit=200", "GET /v1/jobs?status=dead&limit=200&cursor=c1"],
        ),
    ],
    ids=["events", "memories", "jobs"],
)
def test_all_pages_are_one_list_in_order(colour: Colour, use: Use, item: Use, name: str, lines: list[str]) -> None:
    server = Scripted(ok({"items": [item("1"), item("2")], "next_cursor": "c1"}), ok({"items": [item("3")]}))

    got = colour(server, use)

    assert [getattr(each, name) for each in got] == ["1", "2", "3"]
    assert server.lines == lines


def test_an_empty_page_in_the_middle_ends_nothing(colour: Colour) -> None:
    server = Scripted(ok({"items": [], "next_cursor": "c1"}), ok({"items": [event("1")]}))

    assert len(colour(server, lambda client: client.events.list_all())) == 1


def test_a_list_that_turns_in_a_circle_is_refused(colour: Colour) -> None:
    server = Scripted(*[ok({"items": [event()], "next_cursor": "c1"}) for _ in range(2)])

    with pytest.raises(ProtocolError, match="advance"):
        colour(server, lambda client: client.events.list_all())


def test_a_page_that_fails_raises_in_the_middle_of_the_loop(colour: Colour) -> None:
    server = Scripted(ok({"items": [event()], "next_cursor": "c1"}), refused(404))

    with pytest.raises(NotFoundError):
        colour(server, lambda client: client.events.list_all())


def test_a_page_is_not_fetched_before_it_is_needed() -> None:
    server = Scripted(ok({"items": [event("1"), event("2")], "next_cursor": "c1"}))

    with MemcairnClient(transport=httpx2.MockTransport(server)) as client:
        first = next(client.events.list_all())

    assert (first.event_id, len(server.requests)) == ("1", 1)


def test_a_page_is_not_fetched_before_it_is_needed_when_awaited() -> None:
    server = Scripted(ok({"items": [event("1"), event("2")], "next_cursor": "c1"}))

    async def first() -> str:
        async with AsyncMemcairnClient(transport=httpx2.MockTransport(server)) as client:
            return (await anext(client.events.list_all())).event_id

    assert (asyncio.run(first()), len(server.requests)) == ("1", 1)
