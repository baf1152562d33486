"""Neural models from local folders, through the real library and without a network."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from memcairn.domain.errors import Invalid, Unavailable
from memcairn.providers.fastembed_embedder import fastembed_embedder
from tests.providers.tiny_models import model_folder


def test_the_width_is_that_of_the_model(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "tiny", dimensions=768)

    embedder = fastembed_embedder(str(folder), models=tmp_path)

    assert embedder.dimensions == 768
    assert embedder.embed(["green tea"]).shape == (1, 768)


def test_other_weights_in_the_same_folder_have_another_name(tmp_path: Path) -> None:
    first = fastembed_embedder(str(model_folder(tmp_path / "a" / "tiny", seed=1)), models=tmp_path)
    same = fastembed_embedder(str(model_folder(tmp_path / "b" / "tiny", seed=1)), models=tmp_path)
    other = fastembed_embedder(str(model_folder(tmp_path / "c" / "tiny", seed=2)), models=tmp_path)

    assert first.model == same.model
    assert first.model != other.model


def test_pooling_and_prompts_are_those_the_model_was_published_with(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "tiny")
    plain = fastembed_embedder(str(folder), models=tmp_path).embed(["tea green", "tea"])
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": {"query": "green "}}))

    first_token = fastembed_embedder(str(folder), models=tmp_path)

    assert not np.allclose(plain[0], plain[1], atol=1e-3)
    assert np.allclose(first_token.embed(["tea green"])[0], plain[1], atol=1e-5)
    assert np.allclose(first_token.embed_query("tea"), first_token.embed(["green"])[0], atol=1e-5)


@pytest.mark.parametrize("left_out", ["model.onnx", "tokenizer.json", "tokenizer_config.json"])
def test_a_folder_without_a_model_says_what_it_lacks(tmp_path: Path, left_out: str) -> None:
    folder = model_folder(tmp_path / "tiny")
    (folder / left_out).unlink()

    with pytest.raises(Invalid, match=left_out) as refused:
        fastembed_embedder(str(folder), models=tmp_path)

    assert refused.value.code == "model_folder"


@pytest.mark.parametrize("broken", ["model.onnx", "tokenizer.json", "tokenizer_config.json"])
def test_a_file_that_cannot_be_read_is_told_in_one_sentence(tmp_path: Path, broken: str) -> None:
    folder = model_folder(tmp_path / "tiny")
    (folder / broken).write_bytes(b"\x00 nonsense")

    with pytest.raises(Invalid, match="cannot be loaded") as refused:
        fastembed_embedder(str(folder), models=tmp_path)

    assert refused.value.code == "model_folder"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="does not exist"):
        fastembed_embedder(str(tmp_path / "nowhere"), models=tmp_path)


def test_an_unknown_name_is_answered_with_a_near_one(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"Did you mean 'BAAI/bge-small-en-v1\.5'") as refused:
        fastembed_embedder("bge-small-en-v1.5", models=tmp_path)

    assert refused.value.code == "model_unknown"


def test_a_model_of_a_hub_without_a_network_names_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    with pytest.raises(Unavailable, match="local folder") as refused:
        fastembed_embedder("sentence-transformers/all-MiniLM-L6-v2", models=tmp_path)

    assert refused.value.code == "model_download"


def test_a_missing_library_is_named_with_the_way_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fastembed", None)

    with pytest.raises(Invalid, match=r"pip install 'memcairn\[fastembed\]'"):
        fastembed_embedder(str(model_folder(tmp_path / "tiny")), models=tmp_path)
