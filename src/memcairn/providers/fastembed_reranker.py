"""Reranking by a cross-encoder on this machine, by fastembed."""

import difflib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memcairn.domain.errors import Invalid, Unavailable
from memcairn.providers.fastembed_library import Translated, fastembed_library, loading
from memcairn.providers.model_folder import names_folder, read_folder
from memcairn.providers.texts import as_input

SETTING = "MEMCAIRN_RERANKER"
MAX_CHARS = 2_000
"""Of a text: a cross-encoder reads some 500 tokens, question and text together."""

_registering = threading.Lock()


class FastembedReranker:
    """Several threads wait for each other: two runs at once on the same cores take twice as long."""

    def __init__(self, model: Any, name: str) -> None:
        self.model = name
        self._model = model
        self._running = threading.Lock()

    def rerank(self, query: str, texts: Sequence[str], *, seconds: float) -> NDArray[np.float64]:
        if not self._running.acquire(timeout=seconds):
            raise Unavailable("The reranker is busy with other searches.", code="reranker_unavailable")
        try:
            with Translated(_failed):
                given = [as_input(text, MAX_CHARS) for text in texts]
                return np.array(list(self._model.rerank(as_input(query, MAX_CHARS), given)), dtype=np.float64)
        finally:
            self._running.release()


def fastembed_reranker(name: str, *, models: Path) -> FastembedReranker:
    """The cross-encoder in the folder `name`, or the one a hub knows by it.

    Invalid when the library or the model is missing; Unavailable when it cannot be downloaded.
    """
    fastembed_library(SETTING)
    from fastembed.common.model_description import ModelSource  # noqa: PLC0415 -- an optional extra
    from fastembed.rerank.cross_encoder import TextCrossEncoder  # noqa: PLC0415 -- an optional extra

    known = [model["model"] for model in TextCrossEncoder.list_supported_models()]
    if names_folder(name):
        folder = read_folder(name, setting=SETTING)
        own_name = f"memcairn/{folder.digest}"
        with loading(str(folder.path), setting=SETTING, from_hub=False), _registering:
            if own_name not in known:
                source = ModelSource(hf="local/only")
                TextCrossEncoder.add_custom_model(own_name, sources=source, model_file=folder.model_file)
            model = TextCrossEncoder(own_name, specific_model_path=str(folder.path), local_files_only=True)
            list(model.rerank("a first question", ["a first text"]))
        return FastembedReranker(model, f"fastembed:{folder.path.resolve().name}:{folder.digest}")
    if name.lower() not in {model.lower() for model in known}:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise Invalid(
            f"fastembed knows no cross-encoder {name!r}, and no folder has that name.{hint}", code="model_unknown"
        )
    with loading(name, setting=SETTING, from_hub=True):
        return FastembedReranker(TextCrossEncoder(name, cache_dir=str(models)), f"fastembed:{name}")


def _failed(error: BaseException) -> Unavailable:
    return Unavailable(f"The reranker failed: {type(error).__name__}: {error}", code="reranker_unavailable")
