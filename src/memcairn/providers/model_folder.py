"""A model in a folder: an ONNX file with its tokenizer, as published for sentence-transformers or fastembed."""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from memcairn.domain.errors import Invalid

MODEL_FILES = (
    "model.onnx",
    "onnx/model.onnx",
    "model_optimized.onnx",
    "onnx/model_optimized.onnx",
    "model_quantized.onnx",
    "onnx/model_quantized.onnx",
)
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")

Pooling = Literal["mean", "cls", "last"]


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """What is in the folder. `digest` is of the weights and the tokenizer: another one makes other vectors."""

    path: Path
    model_file: str
    digest: str
    pooling: Pooling
    query_prompt: str
    passage_prompt: str


def names_folder(name: str) -> bool:
    """Whether this is meant as a folder rather than as a model of a hub, such as `BAAI/bge-small-en-v1.5`."""
    return name.startswith((".", "~", "/")) or (os.sep != "/" and os.sep in name) or Path(name).is_dir()


def read_folder(name: str, *, setting: str) -> ModelFolder:
    """Invalid, in the words of `setting`, when the folder holds no model that can be loaded."""
    path = Path(name).expanduser()
    if not path.is_dir():
        raise Invalid(f"{setting} names the folder {str(path)!r}, which does not exist.", code="model_folder")
    model_file = next((file for file in MODEL_FILES if (path / file).is_file()), None)
    missing = [file for file in TOKENIZER_FILES if not (path / file).is_file()]
    if model_file is None or missing:
        lacks = ", ".join(([] if model_file else ["model.onnx"]) + missing)
        raise Invalid(
            f"{setting} names the folder {str(path)!r}, which holds no model: it lacks {lacks}. Export a model to "
            "ONNX with its tokenizer, and name the folder of that.",
            code="model_folder",
        )
    prompts = _json(path / "config_sentence_transformers.json").get("prompts") or {}
    return ModelFolder(
        path=path,
        model_file=model_file,
        digest=_digest(path, model_file),
        pooling=_pooling(path),
        query_prompt=str(prompts.get("query") or ""),
        passage_prompt=str(prompts.get("passage") or prompts.get("document") or ""),
    )


def _pooling(path: Path) -> Pooling:
    said = _json(path / "1_Pooling" / "config.json")
    if said.get("pooling_mode_cls_token"):
        return "cls"
    if said.get("pooling_mode_lasttoken"):
        return "last"
    return "mean"


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _digest(path: Path, model_file: str) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for name in (model_file, "tokenizer.json"):
        with (path / name).open("rb") as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
    return digest.hexdigest()
