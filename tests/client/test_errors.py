"""What a program catches when something goes wrong."""

import pickle

import httpx2
import pytest

from memcairn.client import (
    ApiError,
    AuthenticationError,
    ConflictError,
    ConnectionFailed,
    ForbiddenError,
    InvalidArgument,
    InvalidError,
    LimitError,
    MemcairnError,
    NotFoundError,
    ProtocolError,
    ServerError,
    TimedOut,
)
from memcairn.wire.problems import FieldProblem

from .scripted import Colour, Scripted, memory, ok, refused


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidError),
        (401, AuthenticationError),
        (403, ForbiddenError),
        (404, NotFoundError),
        (405, ApiError),
        (409, ConflictError),
        (413, InvalidError),
        (415, InvalidError),
        (422, InvalidError),
        (429, LimitError),
        (500, ServerError),
        (503, ServerError),
        (599, ServerError),
    ],
)
def test_a_refusal_has_the_type_of_its_status_and_all_the_server_said(
    colour: Colour, status: int, kind: type[ApiError]
) -> None:
    server = Scripted(refused(status))

    with pytest.raises(ApiError) as caught:
        colour(server, lambda client: client.health(), max_retries=0)

    error = caught.value
    assert type(error) is kind
    assert (error.status, error.code, error.message, error.request_id) == (status, "some_code", "a sentence", "r-1")
    assert str(error) == f"a sentence ({status} some_code, request r-1)"


def test_each_broken_rule_is_named_with_its_place(colour: Colour) -> None:
    problems = [{"pointer": f"/events/{index}/kind", "detail": "is no kind"} for index in range(5)]
    answer = {"title": "Invalid", "status": 422, "detail": "5 rules", "code": "invalid", "errors": problems}

    with pytest.raises(InvalidError) as caught:
        colour(Scripted(ok(answer, 422)), lambda client: client.ingest([]))

    assert caught.value.errors == tuple(FieldProblem.model_validate(problem) for problem in problems)
    assert "/events/0/kind: is no kind" in str(caught.value)
    assert "and 2 more" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html>Bad\n  Gateway</html>", "<html>Bad Gateway</html>"),
        (b"", "the server gave no reason"),
        (b'{"title": "No", "sta', '{"title": "No", "sta'),
        (b'{"detail": "Not Found"}', '{"detail": "Not Found"}'),
        (b"[]", "[]"),
        (b"\xff\xfe\x00", "\ufffd\ufffd\x00"),
        (b"x" * 100_000, "x" * 200 + "…"),
    ],
    ids=["html", "empty", "cut off", "another shape", "a list", "no text", "long"],
)
def test_an_error_page_of_something_in_between_is_still_an_error_with_its_status(
    colour: Colour, content: bytes, message: str
) -> None:
    server = Scripted(httpx2.Response(502, content=content, headers={"x-request-id": "proxy-1"}))

    with pytest.raises(ServerError) as caught:
        colour(server, lambda client: client.health())

    error = caught.value
    assert (error.status, error.code, error.message, error.request_id) == (502, "http_502", message, "proxy-1")


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>hello</html>", b'{"memory_id": "m-1", "sco', b'{"memory_id": "m-1"}', b"null", b"\xff", b"[" * 5000],
    ids=["empty", "html", "cut off", "fields missing", "null", "no text", "deep"],
)
def test_an_answer_that_is_not_the_message_is_said_to_be_so(colour: Colour, content: bytes) -> None:
    server = Scripted(httpx2.Response(200, content=content))

    with pytest.raises(ProtocolError, match="GET /v1/memories/m-1 is not a Memory"):
        colour(server, lambda client: client.memories.get("m-1"))

    assert len(server.requests) == 1


def test_an_answer_with_a_false_encoding_is_said_to_be_so(colour: Colour) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        stream = httpx2.ByteStream(b"not gzip")
        return httpx2.Response(200, headers={"content-encoding": "gzip"}, stream=stream, request=request)

    with pytest.raises(ProtocolError, match="exchanged"):
        colour(Scripted(), lambda client: client.health(), transport=httpx2.MockTransport(answer))


def test_a_redirect_is_not_followed_with_the_key_in_hand(colour: Colour) -> None:
    server = Scripted(httpx2.Response(301, headers={"location": "https://elsewhere.test/"}))

    with pytest.raises(ProtocolError, match=r"https://elsewhere\.test/.*base_url"):
        colour(server, lambda client: client.health())

    assert len(server.requests) == 1


def test_a_page_from_a_proxy_is_not_taken_for_readiness(colour: Colour) -> None:
    server = Scripted(httpx2.Response(503, text="no backend"))

    with pytest.raises(ServerError, match="no backend"):
        colour(server, lambda client: client.ready())


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (httpx2.ConnectError("Connection refused"), ConnectionFailed, "http://memory.test.*Connection refused"),
        (httpx2.ConnectTimeout("slow"), TimedOut, "http://memory.test did not answer GET /healthz in time"),
        (httpx2.ReadTimeout("slow"), TimedOut, "GET /healthz"),
        (httpx2.WriteError("broken pipe"), ConnectionFailed, "broke during GET /healthz: broken pipe"),
        (httpx2.ProxyError("407"), ConnectionFailed, "407"),
        (httpx2.RemoteProtocolError("cut off"), ConnectionFailed, "cut off"),
        (httpx2.UnsupportedProtocol("ftp"), ProtocolError, "ftp"),
        (httpx2.TooManyRedirects("round and round"), ProtocolError, "round"),
    ],
)
def test_a_transport_failure_becomes_one_of_ours_and_keeps_its_cause(
    colour: Colour, error: httpx2.RequestError, kind: type[MemcairnError], words: str
) -> None:
    with pytest.raises(kind, match=words) as caught:
        colour(Scripted(error), lambda client: client.health(), max_retries=0)

    assert caught.value.__cause__ is error


def test_an_error_survives_the_way_out_of_a_process_pool() -> None:
    problems = [FieldProblem(pointer="/query", detail="too long")]
    error = LimitError(429, "limit_reached", "too fast", request_id="r-1", errors=problems, retry_after=2.0)

    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is LimitError
    assert vars(copy) == vars(error)
    assert str(copy) == str(error)


def test_a_refused_argument_is_also_a_value_error() -> None:
    assert issubclass(InvalidArgument, ValueError)


def test_one_root_catches_them_all(colour: Colour) -> None:
    for server in (Scripted(refused(404)), Scripted(httpx2.ReadTimeout("slow")), Scripted(ok({}))):
        with pytest.raises(MemcairnError):
            colour(server, lambda client: client.memories.get("m-1"), max_retries=0)

    assert colour(Scripted(ok(memory())), lambda client: client.memories.get("m-1")).memory_id == "m-1"
