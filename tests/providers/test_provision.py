"""From a setting to an embedder that works."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from memcairn.domain.errors import Invalid
from memcairn.observability.metrics import Metrics
from memcairn.providers.fake import FakeEmbedder
from memcairn.providers.static import StaticEmbedder
from memcairn.provision import make_embedder
from memcairn.settings import load
from tests.providers.endpoint import Endpoint, embedded, serving
from tests.providers.tiny_models import model_folder


def test_the_static_embedder_is_the_default_and_made_once(tmp_path: Path) -> None:
    first = make_embedder(load({"data_dir": tmp_path}, environ={}))

    assert isinstance(first, StaticEmbedder)
    assert make_embedder(load({"embedder": "static"}, environ={})) is first


def test_a_local_folder_is_a_setting(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "tiny")

    embedder = make_embedder(load({"embedder": f"fastembed:{folder}"}, environ={}))

    assert embedder.model.startswith("fastembed:tiny:")
    assert embedder.dimensions == 384


def test_an_endpoint_is_three_settings_and_its_calls_are_counted() -> None:
    metrics = Metrics()
    with serving(Endpoint(embedded)) as endpoint:
        settings = load(
            {"embedder": "openai:m", "embedder_base_url": endpoint.url, "embedder_dimensions": 32}, environ={}
        )
        embedder = make_embedder(settings, metrics)

        vectors = embedder.embed(["green tea"])

    assert np.allclose(vectors, FakeEmbedder().embed(["green tea"]), atol=1e-6)
    assert 'memcairn_provider_seconds_count{call="embed"} 1.0' in metrics.render().decode()


@pytest.mark.parametrize(
    "named", [{"embedder": "word2vec"}, {"embedder": "fastembed:"}, {"embedder": "openai:"}, {"embedder": ""}]
)
def test_an_unknown_embedder_is_answered_with_those_there_are(named: Mapping[str, str]) -> None:
    with pytest.raises(Invalid, match="static, fastembed:<model or folder>, openai:<model>") as refused:
        make_embedder(load(named, environ={}))

    assert refused.value.code == "embedder"
