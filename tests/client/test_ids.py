"""Ids are any string; a path is not."""

from urllib.parse import unquote

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcairn.client import InvalidArgument
from memcairn.client._operation import segment

from .scripted import Colour, Scripted, Use, job, memory, ok


@pytest.mark.parametrize(
    ("memory_id", "written"),
    [
        ("plain-1", "plain-1"),
        ("a/b", "a%2Fb"),
        ("/", "%2F"),
        ("a b+c", "a%20b%2Bc"),
        ("ключ", "%D0%BA%D0%BB%D1%8E%D1%87"),
        (".", "%2E"),
        ("..", "%2E%2E"),
        ("../../v1/jobs", "..%2F..%2Fv1%2Fjobs"),
        ("%2e%2e", "%252e%252e"),
        ("a?b=c#d", "a%3Fb%3Dc%23d"),
        ("line\nbreak", "line%0Abreak"),
        ("a;b,c&d", "a%3Bb%2Cc%26d"),
    ],
)
def test_an_id_stays_one_segment_of_the_path(colour: Colour, memory_id: str, written: str) -> None:
    server = Scripted(ok(memory()))

    colour(server, lambda client: client.memories.get(memory_id))

    assert server.lines == [f"GET /v1/memories/{written}"]


@pytest.mark.parametrize(
    ("use", "line"),
    [
        (lambda client: client.memories.update("a/b", title="x"), "PATCH /v1/memories/a%2Fb"),
        (lambda client: client.memories.delete("a/b"), "DELETE /v1/memories/a%2Fb"),
        (lambda client: client.memories.history(".."), "GET /v1/memories/%2E%2E/history"),
        (lambda client: client.memories.sources(".."), "GET /v1/memories/%2E%2E/sources"),
        (lambda client: client.jobs.get("a/b"), "GET /v1/jobs/a%2Fb"),
        (lambda client: client.jobs.retry("a/b"), "POST /v1/jobs/a%2Fb/retry"),
    ],
)
def test_every_method_with_an_id_encodes_it(colour: Colour, use: Use, line: str) -> None:
    answers: dict[str, dict[str, object]] = {"history": {"items": []}, "sources": {"items": []}}
    answer = answers.get(line.rsplit("/", 1)[-1], job() if "/jobs/" in line else memory())
    server = Scripted(ok(answer))

    colour(server, use)

    assert server.lines == [line]


@pytest.mark.parametrize("memory_id", ["", "\ud800"])
def test_an_id_that_can_be_none_is_refused_before_it_becomes_another_route(colour: Colour, memory_id: str) -> None:
    server = Scripted()

    with pytest.raises(InvalidArgument, match="memory_id"):
        colour(server, lambda client: client.memories.delete(memory_id))

    assert server.requests == []


@given(st.text(min_size=1))
def test_any_id_comes_back_out_of_the_address_it_went_into(value: str) -> None:
    url = httpx2.URL(f"http://memory.test/v1/memories/{segment('memory_id', value)}/history")

    _, version, noun, written, verb = url.raw_path.decode().split("/")

    assert (version, noun, unquote(written), verb) == ("v1", "memories", value, "history")
