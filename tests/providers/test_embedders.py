"""What every embedder keeps to, whatever makes its vectors."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from memcairn.providers import openai_embedder
from memcairn.providers.base import Embedder
from memcairn.providers.fake import FakeEmbedder
from memcairn.providers.fastembed_embedder import fastembed_embedder
from memcairn.providers.rows import unit_row, unit_rows
from memcairn.providers.static import StaticEmbedder
from tests.providers.endpoint import Endpoint, embedded, serving
from tests.providers.tiny_models import model_folder

TEA, COFFEE, CAT = "We drink green tea", "I drink green coffee", "the cat sleeps on a sofa"


@pytest.fixture(scope="module", params=["fake", "static", "fastembed", "openai"])
def embedder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedder]:
    if request.param == "fake":
        yield FakeEmbedder()
    elif request.param == "static":
        yield StaticEmbedder()
    elif request.param == "fastembed":
        folder: Path = model_folder(tmp_path_factory.mktemp("models") / "tiny")
        yield fastembed_embedder(str(folder), models=folder)
    else:
        with serving(Endpoint(embedded)) as endpoint:
            yield openai_embedder.openai_embedder(openai_embedder.Endpoint("m", base_url=endpoint.url, batch_size=7))


def test_each_text_has_one_row_of_length_one_in_order(embedder: Embedder) -> None:
    vectors = embedder.embed([TEA, CAT, COFFEE])

    assert vectors.shape == (3, embedder.dimensions)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
    assert np.array_equal(vectors[1], embedder.embed([CAT])[0]) or np.allclose(
        vectors[1], embedder.embed([CAT])[0], atol=1e-5
    )


def test_texts_that_share_words_are_nearer_than_others(embedder: Embedder) -> None:
    tea, coffee, cat = embedder.embed([TEA, COFFEE, CAT])

    assert tea @ coffee > tea @ cat


def test_a_question_is_compared_in_the_same_space(embedder: Embedder) -> None:
    question = embedder.embed_query("green tea")

    assert question.shape == (embedder.dimensions,)
    assert int(np.argmax(embedder.embed([CAT, TEA]) @ question)) == 1


def test_no_text_gives_no_row_and_a_blank_text_a_row_of_zeros(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, embedder.dimensions)
    assert not embedder.embed(["", " \n", TEA])[:2].any()
    assert not embedder.embed_query(" ").any()


def test_a_text_alone_has_the_vector_it_has_among_others(embedder: Embedder) -> None:
    texts = ["The heron nests behind the chapel.", "Parcels", "今天天气很好", "a " * 600]

    among_others = embedder.embed(texts)

    for text, vector in zip(texts, among_others, strict=True):
        np.testing.assert_allclose(embedder.embed([text])[0], vector, atol=1e-3)


@pytest.mark.parametrize("row", [[3.0, 4.0], [0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0], [1e-300, 0.0], [1e300, 1.0]])
def test_a_row_alone_is_scaled_as_among_others(row: list[float]) -> None:
    np.testing.assert_allclose(unit_row(np.array(row)), unit_rows(np.array([row]))[0], atol=1e-7)


def test_any_text_can_be_embedded(embedder: Embedder) -> None:
    odd = ["\x00", "\ud800 half a pair", "🦊" * 10, "word " * 30_000, "حليب", "緑茶が好き", "a" * 20_000]

    vectors = embedder.embed(odd)

    assert vectors.shape == (len(odd), embedder.dimensions)
    assert np.isfinite(vectors).all()


def test_many_texts_come_back_in_their_order(embedder: Embedder) -> None:
    texts = [f"{TEA if number % 3 else CAT} {'tea ' * (number % 11)}" for number in range(150)]

    vectors = embedder.embed(texts)

    alone = np.stack([embedder.embed([text])[0] for text in texts[:30]])
    assert np.allclose(vectors[:30], alone, atol=1e-4)


def test_several_threads_may_ask_at_once(embedder: Embedder) -> None:
    expected = embedder.embed([TEA, CAT])
    seen: list[bool] = []

    def ask() -> None:
        for _ in range(5):
            seen.append(np.allclose(embedder.embed([TEA, CAT]), expected, atol=1e-5))
            seen.append(np.allclose(embedder.embed_query(TEA), embedder.embed_query(TEA), atol=1e-5))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert seen == [True] * 40


def test_its_name_fits_the_column_and_stays(embedder: Embedder) -> None:
    name = embedder.model

    embedder.embed([TEA])

    assert 0 < len(name) <= 128
    assert embedder.model == name
