"""Any text in any field comes back as it was sent or is refused, and what people say is in no log or metric."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from tests.faults.server_process import KEY, ServerProcess

pytestmark = pytest.mark.slow

STRINGS = {
    "nothing but a byte order mark": "\ufeff",
    "byte order mark": "\ufeffhello",
    "right to left override": "abc\u202edcba",
    "composed": "caf\u00e9",
    "decomposed": "cafe\u0301",
    "joined emoji": "👩\u200d👩\u200d👧",
    "four bytes": "𝔘𝔫𝔦 😀",
    "control characters": "a\x01\x07\x1b[31mred\x7f\x85",
    "not a character": "a\uffff\ufffe",
    "line separators": "a\u2028b\u2029c\r\nd\te",
    "quotes": "'; DROP TABLE events; -- \" ` \\ %s {0} $1 :x ?",
    "query syntax": '"a" AND (b OR NOT c*) NEAR/3 ^d col:e {f} -g + h',
    "patterns": "%_[]^$.*+?()|\\",
    "path": "../../etc/passwd",
    "markup": "<script>alert(1)</script>&amp;",
    "a long line": "word " * 6_000,
    "spaces around": "  hello  ",
    "zero width": "a\u200bb",
}
NUL = "a\x00b"
METADATA = ("key", "value")
FIELDS = ("content", "name", "actor_id", "session_id", "event_id", *METADATA)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("texts") / "data")
    process.start()
    yield process
    process.stop()


def test_text_in_any_field_comes_back_byte_for_byte_or_is_refused(server: ServerProcess, record_property: Any) -> None:
    answers = {}
    with _client(server) as client:
        for (called, text), field in itertools.product(STRINGS.items(), FIELDS):
            answers[called, field] = _sent_and_read(client, _event(field, text))

    statuses = [status for status, _ in answers.values()]
    record_property("figure", f"strings x fields: {len(answers)} | 5xx: {sum(status >= 500 for status in statuses)}")
    assert {place: answer for place, answer in answers.items() if answer not in ((202, True), (422, True))} == {}
    assert (202, True) in answers.values()


@pytest.mark.parametrize("text", [*STRINGS.values(), NUL, ""], ids=[*STRINGS.keys(), "NUL", "nothing"])
def test_any_text_can_be_searched_for(server: ServerProcess, text: str) -> None:
    with _client(server) as client:
        found = client.post("/v1/search", json={"query": text, "actor_id": "ana"})

    assert found.status_code == 200


def test_what_people_say_and_their_keys_are_in_no_log_and_no_metric(tmp_path: Path) -> None:
    said, secret = "the canary sings quietly", "a key like no other"
    log = tmp_path / "log"
    process = ServerProcess(tmp_path / "data", {"MEMCAIRN_API_KEY": secret, "MEMCAIRN_LOG_LEVEL": "debug"}, log=log)
    process.start()
    try:
        with httpx2.Client(base_url=process.url, headers={"Authorization": f"Bearer {secret}"}, timeout=30) as client:
            event = {"actor_id": said, "session_id": said, "kind": "user_message", "content": said, "name": said}
            client.post("/v1/events", json={"events": [event]}).raise_for_status()
            client.post("/v1/search", json={"query": said, "actor_id": said}).raise_for_status()
            client.post("/v1/search", json={"query": said, "wrong": said})
            client.get("/v1/sessions", params={"user_id": said})
            client.get(f"/v1/sessions/{said}/messages/{said}")
            client.get("/v1/me", headers={"Authorization": f"Bearer {secret} {said}"})
            metrics = client.get("/metrics").text
    finally:
        process.stop()

    written = log.read_text() + metrics
    assert "/v1/search" in written
    assert said not in written
    assert secret not in written


def _event(field: str, text: str) -> dict[str, Any]:
    """An event with that text in one field."""
    event: dict[str, Any] = {"actor_id": "ana", "session_id": "s", "kind": "user_message"}
    event["content"] = f"Hello there, {uuid4()}."  # what is said twice within a minute is one event
    placed = {field: text} if field not in METADATA else {"metadata": {text: 1} if field == "key" else {field: text}}
    return event | placed


def _sent_and_read(client: httpx2.Client, event: dict[str, Any]) -> tuple[int, bool]:
    """The status, and whether what was stored is what was sent, or what was refused says why."""
    sent = client.post("/v1/events", json={"events": [event]})
    if sent.status_code != 202:
        return sent.status_code, bool(sent.json().get("errors"))
    page = client.get("/v1/events", params={"session_id": event["session_id"], "limit": "200"}).json()
    [stored] = [each for each in page["items"] if each["event_id"] == sent.json()["event_ids"][0]]
    return 202, {name: stored[name] for name in event} == event


def _client(server: ServerProcess) -> httpx2.Client:
    return httpx2.Client(base_url=server.url, headers={"Authorization": f"Bearer {KEY}"}, timeout=30)
