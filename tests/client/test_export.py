"""`client.export()`: lines as they come, and the check that all of them came."""

import hashlib
import json

import httpx2
import pytest

from memcairn.client import ConnectionFailed, ForbiddenError, ProtocolError

from .scripted import Colour, Scripted, refused

ROWS = [b'{"memcairn_export":1}\n', b'{"table":"users","row":{"user_id":"zo\\u00eb"}}\n']


def manifest(*rows: bytes) -> bytes:
    return json.dumps({"manifest": {"tables": {}, "sha256": hashlib.sha256(b"".join(rows)).hexdigest()}}).encode()


def file(*lines: bytes) -> httpx2.Response:
    return httpx2.Response(200, content=b"".join(lines), headers={"content-type": "application/x-ndjson"})


def test_the_lines_are_the_file(colour: Colour) -> None:
    lines = [*ROWS, manifest(*ROWS) + b"\n"]
    server = Scripted(file(*lines))

    assert colour(server, lambda client: client.export()) == lines
    assert server.lines == ["GET /v1/export?deleted=true&keys=false"]


@pytest.mark.parametrize(
    "lines", [[], ROWS, [*ROWS, manifest(ROWS[0]) + b"\n"], [*ROWS, b"[]\n"]], ids=["none", "cut", "changed", "other"]
)
def test_a_file_that_is_not_whole_is_refused_at_its_end(colour: Colour, lines: list[bytes]) -> None:
    with pytest.raises(ProtocolError, match="export again"):
        colour(Scripted(file(*lines)), lambda client: client.export())


def test_a_busy_server_is_asked_again(colour: Colour) -> None:
    lines = [*ROWS, manifest(*ROWS) + b"\n"]
    server = Scripted(refused(503, "export_running", retry_after="5"), httpx2.ConnectError("no"), file(*lines))

    assert colour(server, lambda client: client.export(deleted=False, keys=True)) == lines
    assert server.lines == ["GET /v1/export?deleted=false&keys=true"] * 3
    assert server.waits[0] == 5


def test_a_refusal_is_raised_as_by_every_call(colour: Colour) -> None:
    with pytest.raises(ForbiddenError):
        colour(Scripted(refused(403, "missing_scope")), lambda client: client.export())


def test_what_was_begun_is_not_sent_again(colour: Colour) -> None:
    class Breaking(httpx2.SyncByteStream, httpx2.AsyncByteStream):
        def __iter__(self):  # type: ignore[no-untyped-def]  # what a broken connection gives
            yield ROWS[0]
            raise httpx2.ReadError("gone")

        async def __aiter__(self):  # type: ignore[no-untyped-def]  # the same
            yield ROWS[0]
            raise httpx2.ReadError("gone")

    server = Scripted(httpx2.Response(200, stream=Breaking()))

    with pytest.raises(ConnectionFailed):
        colour(server, lambda client: client.export())
    assert len(server.requests) == 1
