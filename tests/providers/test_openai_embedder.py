"""An endpoint that fails, hangs, lies or loses rows, and what is made of it."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from memcairn.domain.errors import Invalid, Unavailable
from memcairn.providers import checked, openai_embedder
from memcairn.providers.checked import CheckedEmbedder
from memcairn.providers.fake import FakeEmbedder
from tests.providers.endpoint import (
    Answer,
    Body,
    Endpoint,
    Step,
    embedded,
    embeddings,
    failing,
    rows_for,
    saying,
    serving,
)

TEXTS = ["green tea", "a black cat", "rain in Lisbon", "the night train"]
EXPECTED = FakeEmbedder().embed(TEXTS)

Connect = Callable[..., tuple[Endpoint, CheckedEmbedder]]


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Starts an endpoint that answers by a schedule, then rightly, and an embedder on it."""
    monkeypatch.setattr(openai_embedder, "FIRST_PAUSE_SECONDS", 0.001)
    open_ones = []

    def start(*steps: Step, then: Step = embedded, **options: Any) -> tuple[Endpoint, CheckedEmbedder]:
        running = serving(Endpoint(then, list(steps)))
        endpoint = running.__enter__()
        open_ones.append(running)
        settings = {"dimensions": 32, "retries": 2, "timeout_seconds": 5.0, **options}
        return endpoint, openai_embedder.openai_embedder(
            openai_embedder.Endpoint("m", base_url=endpoint.url, **settings)
        )

    yield start
    for running in open_ones:
        running.__exit__(None, None, None)


def changed(change: Callable[[list[Any]], list[Any]]) -> Step:
    """The right rows, changed."""
    return lambda body: embeddings(change(rows_for(body)))


def test_the_key_and_the_model_are_sent_along(connect: Connect) -> None:
    endpoint, embedder = connect(api_key="sk-secret")

    embedder.embed(TEXTS[:1])

    assert endpoint.keys == ["Bearer sk-secret"]
    assert endpoint.asked == [{"model": "m", "input": TEXTS[:1], "encoding_format": "float", "dimensions": 32}]


def test_the_width_is_found_out_unless_it_is_set(connect: Connect) -> None:
    endpoint, embedder = connect(dimensions=None, then=lambda body: embeddings(rows_for(body, 48)))

    assert embedder.dimensions == 48
    assert embedder.model == "openai:m:48"
    assert "dimensions" not in endpoint.asked[0]


@pytest.mark.parametrize("step", [failing(429, Retry_After="0.01"), failing(500), failing(503)])
def test_a_batch_that_failed_is_asked_for_again(connect: Connect, step: Step) -> None:
    endpoint, embedder = connect(step)

    vectors = embedder.embed(TEXTS)

    assert np.allclose(vectors, EXPECTED, atol=1e-6)
    assert len(endpoint.asked) == 2


@pytest.mark.parametrize(
    "content", [b'{"data": [{"index": 0, "embedd', b"", b"[]", b'{"data": 7}', b'{"data": [1]}', b"<html>busy</html>"]
)
def test_an_answer_that_cannot_be_read_is_asked_for_again(connect: Connect, content: bytes) -> None:
    endpoint, embedder = connect(saying(content))

    vectors = embedder.embed(TEXTS)

    assert np.allclose(vectors, EXPECTED, atol=1e-6)
    assert len(endpoint.asked) == 2


def test_rows_in_another_order_are_put_back_by_their_index(connect: Connect) -> None:
    def reversed_rows(body: Body) -> Answer:
        rows = rows_for(body)
        places = list(range(len(rows)))[::-1]
        return embeddings(rows[::-1], places)

    _, embedder = connect(then=reversed_rows)

    assert np.allclose(embedder.embed(TEXTS), EXPECTED, atol=1e-6)


@pytest.mark.parametrize(
    ("lost", "asked"),
    [
        (lambda rows: rows[:-1], 1 + 1),
        (lambda rows: [*rows, rows[0]], 1 + 4),
        (lambda rows: [], 1 + 4),
        (lambda rows: [rows[0], [math.nan] * 32, *rows[2:]], 1 + 1),
        (lambda rows: [rows[0], [0.0] * 32, *rows[2:]], 1 + 1),
        (lambda rows: [rows[0], rows[1][:31], *rows[2:]], 1 + 1),
        (lambda rows: [rows[0], None, *rows[2:]], 1 + 1),
        (lambda rows: [rows[0], ["much"] * 32, *rows[2:]], 1 + 1),
        (lambda rows: [rows[0], [1e999] * 32, *rows[2:]], 1 + 1),
    ],
    ids=["short", "long", "empty", "nan", "zeros", "narrow", "null", "words", "infinite"],
)
def test_a_bad_row_is_asked_for_once_more_alone(
    connect: Connect, lost: Callable[[list[Any]], list[Any]], asked: int
) -> None:
    endpoint, embedder = connect(changed(lost))

    vectors = embedder.embed(TEXTS)

    assert np.allclose(vectors, EXPECTED, atol=1e-6)
    assert len(endpoint.asked) == asked


def test_a_row_that_stays_bad_is_zeros_and_the_others_are_theirs(connect: Connect) -> None:
    def cat_is_nan(body: Body) -> Answer:
        rows = rows_for(body)
        return embeddings(
            [[math.nan] * 32 if "cat" in text else row for text, row in zip(body["input"], rows, strict=True)]
        )

    _, embedder = connect(then=cat_is_nan)

    vectors = embedder.embed(TEXTS)

    assert not vectors[1].any()
    assert np.allclose(vectors[[0, 2, 3]], EXPECTED[[0, 2, 3]], atol=1e-6)


def test_rows_with_the_same_index_are_never_believed(connect: Connect) -> None:
    _, embedder = connect(lambda body: embeddings(rows_for(body), [0] * len(body["input"])))

    assert np.allclose(embedder.embed(TEXTS), EXPECTED, atol=1e-6)


def test_a_text_the_endpoint_refuses_spoils_no_other(connect: Connect) -> None:
    def no_cats(body: Body) -> Answer:
        return failing(400)(body) if any("cat" in text for text in body["input"]) else embedded(body)

    _, embedder = connect(then=no_cats)

    vectors = embedder.embed(TEXTS)

    assert vectors.any(axis=1).tolist() == [True, False, True, True]


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "embedder_key"), (403, "embedder_key"), (404, "model_unknown"), (500, "embedder_unavailable")],
)
def test_what_does_not_pass_has_a_code_and_shows_no_secret(connect: Connect, status: int, code: str) -> None:
    _, embedder = connect(then=failing(status), api_key="sk-secret", retries=0)

    with pytest.raises(Unavailable) as refused:
        embedder.embed(TEXTS)

    assert refused.value.code == code
    assert str(status) in refused.value.message
    assert "sk-secret" not in refused.value.message


def test_an_endpoint_that_hangs_is_not_waited_for(connect: Connect) -> None:
    release = threading.Event()
    _, embedder = connect(
        then=lambda _body: Answer(b"", wait=release), timeout_seconds=0.1, query_seconds=0.1, retries=1
    )

    with pytest.raises(Unavailable, match="in time"):
        embedder.embed(TEXTS)
    with pytest.raises(Unavailable, match="in time"):
        embedder.embed_query("tea")
    release.set()


def test_after_a_failed_question_the_next_ones_do_not_wait(connect: Connect) -> None:
    endpoint, embedder = connect(failing(500))

    with pytest.raises(Unavailable):
        embedder.embed_query("tea")
    with pytest.raises(Unavailable, match="rest"):
        embedder.embed_query("tea")

    assert len(endpoint.asked) == 1


def test_after_a_failed_batch_the_next_ones_do_not_wait_and_questions_are_asked(connect: Connect) -> None:
    endpoint, embedder = connect(failing(500), retries=0)

    with pytest.raises(Unavailable):
        embedder.embed(TEXTS)
    with pytest.raises(Unavailable, match="rest"):
        embedder.embed(TEXTS)

    assert len(endpoint.asked) == 1
    assert embedder.embed_query("tea").any()


def test_after_that_rest_questions_are_asked_again(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checked, "PAUSE_SECONDS", 0)
    _, embedder = connect(failing(500))

    with pytest.raises(Unavailable):
        embedder.embed_query("tea")
    time.sleep(0.5)  # as long as the failed question took, and more

    assert np.allclose(embedder.embed_query("tea"), FakeEmbedder().embed(["tea"])[0], atol=1e-6)


def test_a_question_asked_before_is_not_asked_again(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checked, "KNOWN_QUERIES", 2)
    endpoint, embedder = connect()

    for question in ("tea", "tea", "cat", "tea", "rain", "tea", "cat"):
        embedder.embed_query(question)

    assert [body["input"] for body in endpoint.asked] == [["tea"], ["cat"], ["rain"], ["cat"]]


def test_an_endpoint_that_is_not_there_is_named_without_what_its_address_hides() -> None:
    with pytest.raises(Unavailable) as refused:
        openai_embedder.openai_embedder(
            openai_embedder.Endpoint("m", base_url="http://user:hidden@127.0.0.1:9/v1", retries=0)
        )

    assert "127.0.0.1" in refused.value.message
    assert "hidden" not in refused.value.message


def test_a_chat_model_is_not_taken_for_an_embedder(connect: Connect) -> None:
    with pytest.raises(Unavailable) as refused:
        connect(then=changed(lambda rows: [[] for _ in rows]), dimensions=None)

    assert refused.value.code == "embedder_unusable"


def test_openai_itself_wants_a_key() -> None:
    with pytest.raises(Invalid, match="MEMCAIRN_EMBEDDER_API_KEY"):
        openai_embedder.openai_embedder(openai_embedder.Endpoint("text-embedding-3-small"))


def test_a_missing_library_is_named_with_the_way_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openai", None)

    with pytest.raises(Invalid, match=r"pip install 'memcairn\[openai\]'"):
        openai_embedder.openai_embedder(openai_embedder.Endpoint("m", api_key="k"))
