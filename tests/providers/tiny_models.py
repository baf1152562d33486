"""Models of a few kilobytes in folders, made on the spot: the real format and libraries, without a download."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

WORDS = "i we drink like green tea coffee the cat sleeps on a sofa moved to lisbon rain in train night".split()
_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]


def model_folder(folder: Path, *, dimensions: int = 384, words: Sequence[str] = WORDS, seed: int = 1) -> Path:
    """A sentence embedder: the mean of one seeded vector per word; words it does not know share one."""
    table = _table(words, dimensions, seed, known_from=1)
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["last_hidden_state"], axis=0)]
    shape: list[str | int] = ["batch", "length", dimensions]
    return _written(folder, nodes, {"table": table}, ("last_hidden_state", shape), words)


def reranker_folder(folder: Path, *, words: Sequence[str] = WORDS, seed: int = 1) -> Path:
    """A cross-encoder: the inner product of the summed vectors of the two texts, so that shared words count."""
    constants = {
        "table": _table(words, 64, seed, known_from=len(_SPECIAL)),
        "last": np.array([2]),
        "middle": np.array([1]),
    }
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["vectors"], axis=0),
        helper.make_node("Cast", ["token_type_ids"], ["second"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["one", "second"], ["first"]),
        helper.make_node("Unsqueeze", ["first", "last"], ["of_first"]),
        helper.make_node("Unsqueeze", ["second", "last"], ["of_second"]),
        helper.make_node("Mul", ["vectors", "of_first"], ["asked"]),
        helper.make_node("Mul", ["vectors", "of_second"], ["said"]),
        helper.make_node("ReduceSum", ["asked", "middle"], ["asked_sum"], keepdims=0),
        helper.make_node("ReduceSum", ["said", "middle"], ["said_sum"], keepdims=0),
        helper.make_node("Mul", ["asked_sum", "said_sum"], ["products"]),
        helper.make_node("ReduceSum", ["products", "middle"], ["logits"], keepdims=1),
    ]
    constants["one"] = np.array(1.0, dtype=np.float32)
    return _written(folder, nodes, constants, ("logits", ["batch", 1]), words, types=True)


def _table(words: Sequence[str], dimensions: int, seed: int, *, known_from: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(len(_SPECIAL) + len(words), dimensions)).astype(np.float32)
    table[:known_from] = 0
    return table / np.float32(np.sqrt(dimensions))


def _written(
    folder: Path,
    nodes: Sequence[onnx.NodeProto],
    constants: dict[str, np.ndarray],
    output: tuple[str, Sequence[str | int]],
    words: Sequence[str],
    *,
    types: bool = False,
) -> Path:
    names = ["input_ids", "attention_mask", *(["token_type_ids"] if types else [])]
    graph = helper.make_graph(
        list(nodes),
        "tiny",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"]) for name in names],
        [helper.make_tensor_value_info(output[0], TensorProto.FLOAT, list(output[1]))],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    folder.mkdir(parents=True)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    _tokenizer(words).save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 256, "pad_token": "[PAD]"}))
    (folder / "config.json").write_text(json.dumps({"pad_token_id": 0}))
    return folder


def _tokenizer(words: Sequence[str]) -> Tokenizer:
    vocabulary = {word: number for number, word in enumerate([*_SPECIAL, *words])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = Lowercase()
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="$A", pair="$A [SEP] $B:1", special_tokens=[("[SEP]", vocabulary["[SEP]"])]
    )
    return tokenizer
