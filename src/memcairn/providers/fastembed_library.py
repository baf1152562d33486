"""What the embedder and the reranker on fastembed share: the optional library, and how it fails."""

import contextlib
from collections.abc import Callable
from types import ModuleType

from memcairn.domain.errors import DomainError, Invalid, Unavailable
from memcairn.providers.quiet_import import import_quietly


def fastembed_library(setting: str) -> ModuleType:
    """The library; Invalid with the way to install it when it is missing."""
    try:
        return import_quietly("fastembed")
    except ImportError:
        raise Invalid(
            f"{setting}=fastembed:… needs the library `fastembed`. Install it with `pip install "
            "'memcairn[fastembed]'`, or choose another value.",
            code="extra_missing",
        ) from None


class Translated(contextlib.AbstractContextManager[None]):
    """Raises `as_ours(error)` for what the library and those beneath it raise, which has no common class."""

    def __init__(self, as_ours: Callable[[BaseException], DomainError]) -> None:
        self._as_ours = as_ours

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is not None and _is_theirs(error):
            raise self._as_ours(error) from error


def loading(name: str, *, setting: str, from_hub: bool) -> Translated:
    """For the time a model is loaded: Unavailable when it cannot be downloaded, Invalid when its folder is no good."""

    def as_ours(error: BaseException) -> DomainError:
        if from_hub:
            return Unavailable(
                f"{setting} names the model {name!r}, which is not on this machine and could not be downloaded. "
                "Connect it to the network once, or name a local folder that holds the model.",
                code="model_download",
            )
        return Invalid(
            f"{setting} names the folder {name!r}, whose model cannot be loaded: {_first_line(error)}",
            code="model_folder",
        )

    return Translated(as_ours)


def _is_theirs(error: BaseException) -> bool:
    """onnxruntime and tokenizers raise classes that derive from nothing but Exception."""
    module = type(error).__module__
    plain = isinstance(error, ValueError | OSError | RuntimeError | LookupError) or type(error) is Exception
    return plain or module.startswith(("onnxruntime", "huggingface_hub", "requests", "httpx"))


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
