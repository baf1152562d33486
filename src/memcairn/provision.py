"""Settings become providers: what thinks for this server, as its operator has chosen it."""

import functools
from collections.abc import Callable

from memcairn.domain.errors import Invalid
from memcairn.observability.metrics import Metrics
from memcairn.providers.base import Embedder, Reranker, Reranking
from memcairn.providers.fastembed_embedder import fastembed_embedder
from memcairn.providers.fastembed_reranker import fastembed_reranker
from memcairn.providers.http_reranker import HttpReranker
from memcairn.providers.openai_embedder import Endpoint, openai_embedder
from memcairn.providers.static import StaticEmbedder
from memcairn.providers.thesaurus import RelatedWords, StaticThesaurus
from memcairn.settings import Settings

EMBEDDERS = "static, fastembed:<model or folder>, openai:<model>"


def make_embedder(settings: Settings, metrics: Metrics | None = None) -> Embedder:
    """The embedder of the settings, ready to work; `metrics` counts its calls.

    Invalid when there is none of that name, or a part of it is missing; Unavailable when it does not answer.
    """
    kind, _, name = settings.embedder.partition(":")
    if settings.embedder == "static":
        return _static_embedder()
    if kind == "fastembed" and name:
        return fastembed_embedder(name, models=settings.data_dir / "models", on_call=_counted("embed", metrics))
    if kind == "openai" and name:
        return openai_embedder(_endpoint(settings, name), on_call=_counted("embed", metrics))
    raise Invalid(
        f"There is no embedder {settings.embedder!r}. Set MEMCAIRN_EMBEDDER to one of: {EMBEDDERS}.", code="embedder"
    )


def make_reranking(settings: Settings) -> Reranking | None:
    """The reranker of the settings and how it is used; None when there is none. Errors as for embedders."""
    if settings.reranker is None:
        return None
    return Reranking(
        _reranker(settings, settings.reranker),
        seconds=settings.reranker_seconds,
        weight=settings.reranker_weight,
        candidates=settings.reranker_candidates,
    )


def _reranker(settings: Settings, named: str) -> Reranker:
    kind, _, name = named.partition(":")
    if kind == "fastembed" and name:
        return fastembed_reranker(name, models=settings.data_dir / "models")
    if kind in ("http", "https"):
        key = settings.reranker_api_key
        return HttpReranker(
            named, model=settings.reranker_model, api_key=None if key is None else key.get_secret_value()
        )
    raise Invalid(
        f"There is no reranker {named!r}. Set MEMCAIRN_RERANKER to fastembed:<model or folder> or to the address of a "
        "/rerank endpoint, or leave it out.",
        code="reranker",
    )


def _endpoint(settings: Settings, model: str) -> Endpoint:
    key = settings.embedder_api_key
    return Endpoint(
        model=model,
        base_url=settings.embedder_base_url,
        api_key=None if key is None else key.get_secret_value(),
        dimensions=settings.embedder_dimensions,
        timeout_seconds=settings.embedder_timeout_seconds,
        query_seconds=settings.embedder_query_seconds,
        retries=settings.embedder_retries,
        batch_size=settings.embedder_batch,
    )


def _counted(call: str, metrics: Metrics | None) -> Callable[[float, bool], None]:
    def count(seconds: float, failed: bool) -> None:
        if metrics is not None:
            metrics.provider_called(call, seconds, failed=failed)

    return count


@functools.cache
def _static_embedder() -> StaticEmbedder:
    """One for the process: its word vectors take 0.2 s to read and 30 MB to hold, and never change."""
    return StaticEmbedder()


@functools.cache
def make_thesaurus() -> StaticThesaurus:
    """One for the process, whatever embeds: 10 MB, and it remembers the words asked for."""
    return StaticThesaurus(_static_embedder(), RelatedWords.load())
