"""Reranking by an HTTP endpoint: the shape of Cohere, Jina and vLLM, or that of text-embeddings-inference."""

import json
import weakref
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx2
import numpy as np
from numpy.typing import NDArray

from memcairn.domain.errors import Invalid, Unavailable

_REFUSED_SHAPE = frozenset({400, 422})
"""Statuses by which an endpoint says that it does not know the form of a request."""


class HttpReranker:
    """Asks `url`; which of the two shapes it speaks is found out with the first question."""

    def __init__(self, url: str, *, model: str | None = None, api_key: str | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Invalid(
                f"MEMCAIRN_RERANKER={url!r} is no address. Write one such as http://127.0.0.1:8081/rerank.",
                code="reranker",
            )
        self.model = f"{parts.hostname}:{model}" if model else parts.hostname
        self._host, self._url, self._asked_model = parts.hostname, url, model
        headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
        self._client = httpx2.Client(headers=headers)
        weakref.finalize(self, self._client.close)
        self._speaks_tei = False

    def rerank(self, query: str, texts: Sequence[str], *, seconds: float) -> NDArray[np.float64]:
        response = self._post(self._body(query, texts), seconds)
        if response.status_code in _REFUSED_SHAPE:
            self._speaks_tei = not self._speaks_tei
            response = self._post(self._body(query, texts), seconds)
        if response.status_code in (401, 403):
            raise Unavailable(
                f"The reranker at {self._host} refuses the key; set MEMCAIRN_RERANKER_API_KEY.",
                code="reranker_unavailable",
            )
        if response.status_code != 200:
            raise self._failed(f"answered with status {response.status_code}")
        values = _values(response.content, len(texts))
        if values is None:
            raise self._failed("gave an answer that cannot be read")
        return values

    def _body(self, query: str, texts: Sequence[str]) -> dict[str, Any]:
        if self._speaks_tei:
            return {"query": query, "texts": list(texts), "truncate": True}
        body = {"query": query, "documents": list(texts), "top_n": len(texts)}
        return body if self._asked_model is None else body | {"model": self._asked_model}

    def _post(self, body: Mapping[str, Any], seconds: float) -> httpx2.Response:
        try:
            return self._client.post(self._url, json=body, timeout=seconds)
        except httpx2.TimeoutException:
            raise self._failed("did not answer in time") from None
        except httpx2.HTTPError:
            raise self._failed("cannot be reached") from None

    def _failed(self, what: str) -> Unavailable:
        return Unavailable(f"The reranker at {self._host} {what}.", code="reranker_unavailable")


def _values(body: bytes, wanted: int) -> NDArray[np.float64] | None:
    """One number per text, by the index each carries; NaN for those without, None if nothing can be read."""
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    items = answer.get("results") if isinstance(answer, dict) else answer
    if not isinstance(items, list) or not items:
        return None
    values = np.full(wanted, np.nan)
    for item in items:
        place = item.get("index") if isinstance(item, dict) else None
        value = item.get("relevance_score", item.get("score")) if isinstance(item, dict) else None
        if type(place) is not int or not 0 <= place < wanted or type(value) not in (int, float):
            return None
        if not np.isnan(values[place]):
            return None
        values[place] = value
    return values
