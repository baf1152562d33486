"""Embeddings from a neural model on this machine, by fastembed (ONNX, no graphics card needed)."""

import difflib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from memcairn.domain.errors import Invalid, Unavailable
from memcairn.providers.checked import CheckedEmbedder, OnCall, Row, width_of
from memcairn.providers.fastembed_library import Translated, fastembed_library, loading
from memcairn.providers.model_folder import ModelFolder, names_folder, read_folder

SETTING = "MEMCAIRN_EMBEDDER"
BATCH = 32
"""Texts a run of the model gets at once; more do not make it faster on a processor."""


def fastembed_embedder(name: str, *, models: Path, on_call: OnCall = lambda _seconds, _failed: None) -> CheckedEmbedder:
    """The model in the folder `name`, or the one a hub knows by it, downloaded to `models` unless it is there.

    A folder needs no network, and nothing but a hub's name makes it be used. Invalid when the library or the model is
    missing; Unavailable when it cannot be downloaded.
    """
    library = fastembed_library(SETTING)
    if names_folder(name):
        folder = read_folder(name, setting=SETTING)
        source = _from_folder(library, folder)
        model = f"fastembed:{folder.path.resolve().name[:80]}:{folder.digest}"
    else:
        source = _from_hub(library, name, models)
        model = f"fastembed:{name}"
    return CheckedEmbedder(source, model=model, dimensions=width_of(source), batch_size=BATCH, on_call=on_call)


class FastembedSource:
    """See `VectorSource`; the prompts are put before texts and questions, for models trained with some."""

    def __init__(self, model: Any, *, query_prompt: str = "", passage_prompt: str = "") -> None:
        self._model = model
        self._query_prompt, self._passage_prompt = query_prompt, passage_prompt

    def vectors(self, texts: Sequence[str], *, query: bool) -> Sequence[Row]:
        with Translated(_failed):
            if query:
                return list(self._model.query_embed([self._query_prompt + text for text in texts]))
            prompted = [self._passage_prompt + text for text in texts]
            return list(self._model.passage_embed(prompted, batch_size=BATCH))


def _failed(error: BaseException) -> Unavailable:
    return Unavailable(f"The embedder failed: {type(error).__name__}: {error}", code="embedder_unavailable")


_registering = threading.Lock()


def _from_folder(library: Any, folder: ModelFolder) -> FastembedSource:
    name = f"memcairn/{folder.digest}-{folder.pooling}"
    with loading(str(folder.path), setting=SETTING, from_hub=False):
        with _registering:
            known = {model["model"] for model in library.TextEmbedding.list_supported_models()}
            if name not in known:
                description = library.common.model_description
                library.TextEmbedding.add_custom_model(
                    name,
                    pooling={
                        "mean": description.PoolingType.MEAN,
                        "cls": description.PoolingType.CLS,
                        "last": description.PoolingType.LAST_TOKEN,
                    }[folder.pooling],
                    normalization=False,
                    sources=description.ModelSource(hf="local/only"),
                    dim=1,  # nothing reads it; the width is found out by asking
                    model_file=folder.model_file,
                )
        model = library.TextEmbedding(name, specific_model_path=str(folder.path), local_files_only=True)
        next(iter(model.embed(["a first text"])))
    return FastembedSource(model, query_prompt=folder.query_prompt, passage_prompt=folder.passage_prompt)


def _from_hub(library: Any, name: str, models: Path) -> FastembedSource:
    known = [model["model"] for model in library.TextEmbedding.list_supported_models()]
    if name.lower() not in {model.lower() for model in known}:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f" Did you mean {near[0]!r}?" if near else " Its documentation lists those there are."
        raise Invalid(f"fastembed knows no model {name!r}, and no folder has that name.{hint}", code="model_unknown")
    with loading(name, setting=SETTING, from_hub=True):
        return FastembedSource(library.TextEmbedding(name, cache_dir=str(models)))
