"""What every reranker keeps to, and what becomes of endpoints that fail."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from memcairn.domain.errors import Invalid, Unavailable
from memcairn.providers.base import Reranker
from memcairn.providers.fastembed_reranker import fastembed_reranker
from memcairn.providers.http_reranker import HttpReranker
from memcairn.provision import make_reranking
from memcairn.settings import load
from tests.providers.endpoint import Answer, Body, Endpoint, failing, saying, serving
from tests.providers.tiny_models import reranker_folder

TEXTS = ["the cat sleeps on a sofa", "we drink green tea in the night", "rain in Lisbon"]


def shared_words(query: str, text: str) -> float:
    return float(len(set(query.lower().split()) & set(text.lower().split())))


def as_cohere(body: Body) -> Answer:
    """Best first, as Cohere, Jina and vLLM answer."""
    if "documents" not in body:
        return failing(422)(body)
    values = [shared_words(body["query"], text) for text in body["documents"]]
    order = sorted(range(len(values)), key=lambda at: -values[at])
    items = [{"index": at, "relevance_score": values[at]} for at in order[: body["top_n"]]]
    return Answer(json.dumps({"results": items}).encode())


def as_tei(body: Body) -> Answer:
    """A bare list, as text-embeddings-inference answers, which knows no `documents`."""
    if "texts" not in body:
        return failing(422)(body)
    values = [shared_words(body["query"], text) for text in body["texts"]]
    return Answer(json.dumps([{"index": at, "score": value} for at, value in enumerate(values)]).encode())


@pytest.fixture(scope="module", params=["fastembed", "cohere", "tei"])
def reranker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reranker]:
    if request.param == "fastembed":
        folder = reranker_folder(tmp_path_factory.mktemp("models") / "cross")
        yield fastembed_reranker(str(folder), models=folder)
        return
    with serving(Endpoint(as_cohere if request.param == "cohere" else as_tei)) as endpoint:
        yield HttpReranker(f"{endpoint.url}/rerank")


def test_each_text_has_one_number_in_order(reranker: Reranker) -> None:
    values = reranker.rerank("green tea", TEXTS, seconds=5)

    assert values.shape == (3,)
    assert int(np.argmax(values)) == 1


def test_the_order_of_texts_does_not_matter(reranker: Reranker) -> None:
    values = reranker.rerank("green tea", TEXTS, seconds=5)

    assert reranker.rerank("green tea", TEXTS[::-1], seconds=5)[::-1] == pytest.approx(values, abs=1e-4)


def test_any_text_can_be_reranked(reranker: Reranker) -> None:
    values = reranker.rerank("\x00 green 🦊", ["", "\x00", "tea " * 5_000, "緑茶", *TEXTS], seconds=30)

    assert values.shape == (7,)


def test_several_threads_may_ask_at_once(reranker: Reranker) -> None:
    expected = reranker.rerank("green tea", TEXTS, seconds=5)
    seen: list[bool] = []

    def ask() -> None:
        for _ in range(5):
            seen.append(np.allclose(reranker.rerank("green tea", TEXTS, seconds=20), expected, atol=1e-4))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert seen == [True] * 20


def results(change: Callable[[list[Any]], list[Any]]) -> Callable[[Body], Answer]:
    return lambda body: Answer(json.dumps({"results": change(json.loads(as_cohere(body).content)["results"])}).encode())


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (failing(500), "500"),
        (failing(429), "429"),
        (failing(401), "MEMCAIRN_RERANKER_API_KEY"),
        (failing(422), "422"),
        (saying(b'{"results": [{"ind'), "read"),
        (saying(b'{"results": []}'), "read"),
        (saying(b"null"), "read"),
        (results(lambda rows: [{**row, "index": 0} for row in rows]), "read"),
        (results(lambda rows: [{**row, "index": 3} for row in rows]), "read"),
        (results(lambda rows: [{**row, "relevance_score": "high"} for row in rows]), "read"),
    ],
)
def test_an_endpoint_that_fails_has_no_say(step: Callable[[Body], Answer], said: str) -> None:
    with serving(Endpoint(step)) as endpoint:
        reranker = HttpReranker(f"{endpoint.url}/rerank", api_key="a-secret")

        with pytest.raises(Unavailable, match=said) as refused:
            reranker.rerank("green tea", TEXTS, seconds=5)

    assert "a-secret" not in refused.value.message


def test_a_text_the_endpoint_leaves_out_has_no_number() -> None:
    with serving(Endpoint(results(lambda rows: rows[:2]))) as endpoint:
        values = HttpReranker(endpoint.url).rerank("green tea", TEXTS, seconds=5)

    assert np.isnan(values).sum() == 1
    assert int(np.nanargmax(values)) == 1


def test_an_endpoint_is_not_waited_for_longer_than_the_budget() -> None:
    release = threading.Event()
    with serving(Endpoint(lambda _body: Answer(b"", wait=release))) as endpoint:
        with pytest.raises(Unavailable, match="in time"):
            HttpReranker(endpoint.url).rerank("green tea", TEXTS, seconds=0.05)
        release.set()


def test_key_and_model_are_sent_along() -> None:
    with serving(Endpoint(as_cohere)) as endpoint:
        settings = {"reranker": endpoint.url, "reranker_model": "rerank-3", "reranker_api_key": "a-secret"}
        reranking = make_reranking(load(settings, environ={}))
        assert reranking is not None
        reranking.reranker.rerank("green tea", TEXTS, seconds=5)

    assert endpoint.keys == ["Bearer a-secret"]
    assert endpoint.asked[0] == {"query": "green tea", "documents": TEXTS, "top_n": 3, "model": "rerank-3"}


def test_there_is_none_unless_it_is_asked_for() -> None:
    assert make_reranking(load({}, environ={})) is None


@pytest.mark.parametrize("named", ["cohere", "fastembed:", "ftp://127.0.0.1/rerank", "http://"])
def test_what_is_no_reranker_is_refused(named: str) -> None:
    with pytest.raises(Invalid) as refused:
        make_reranking(load({"reranker": named}, environ={}))

    assert refused.value.code == "reranker"


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(Invalid, match="MEMCAIRN_RERANKER") as refused:
        fastembed_reranker(str(tmp_path / "empty"), models=tmp_path)

    assert refused.value.code == "model_folder"


def test_an_unknown_cross_encoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as refused:
        fastembed_reranker("no/such-model", models=tmp_path)

    assert refused.value.code == "model_unknown"
