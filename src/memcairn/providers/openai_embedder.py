"""Embeddings from OpenAI, or from any endpoint that speaks its `/embeddings`."""

import hashlib
import json
import logging
import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from memcairn.domain.errors import Invalid, Unavailable
from memcairn.providers.checked import CheckedEmbedder, OnCall, Row, width_of

FIRST_PAUSE_SECONDS = 0.2
"""Before an answer that could not be read is asked for again; doubled with each further try."""

MAX_MODEL_CHARS = 128
"""What the column that names the model of a vector holds."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model is asked, and how patiently. `dimensions` asks for vectors of that width; None takes the model's.

    A batch of texts gets `timeout_seconds` a try and `retries` further tries, behind `Retry-After` or growing pauses;
    a question gets `query_seconds` and one try, because somebody waits for the answer.
    """

    model: str
    base_url: str | None = None
    api_key: str | None = None
    dimensions: int | None = None
    timeout_seconds: float = 30.0
    query_seconds: float = 2.0
    retries: int = 3
    batch_size: int = 64


def openai_embedder(endpoint: Endpoint, *, on_call: OnCall = lambda _seconds, _failed: None) -> CheckedEmbedder:
    """Asks the endpoint for one vector to learn their width, unless `dimensions` says it.

    Invalid when the library `openai` is missing, or a key that is needed; Unavailable when the endpoint gives no
    usable answer.
    """
    source = OpenAISource(endpoint)
    dimensions = endpoint.dimensions or width_of(source)
    return CheckedEmbedder(
        source,
        model=_name(endpoint, dimensions),
        dimensions=dimensions,
        batch_size=endpoint.batch_size,
        on_call=on_call,
    )


class OpenAISource:
    """See `VectorSource`; retries and their pauses are those of the library `openai`."""

    def __init__(self, endpoint: Endpoint) -> None:
        try:
            import openai  # noqa: PLC0415 -- an optional extra
        except ImportError:
            raise Invalid(
                "MEMCAIRN_EMBEDDER=openai:… needs the library `openai`. Install it with `pip install "
                "'memcairn[openai]'`, or set MEMCAIRN_EMBEDDER=static.",
                code="extra_missing",
            ) from None
        if endpoint.api_key is None and endpoint.base_url is None:
            raise Invalid(
                "MEMCAIRN_EMBEDDER=openai:… needs a key. Set MEMCAIRN_EMBEDDER_API_KEY, or name your own endpoint with "
                "MEMCAIRN_EMBEDDER_BASE_URL.",
                code="embedder_key",
            )
        self._library = openai
        self._endpoint = endpoint
        self._where = _place(endpoint.base_url)
        self._client = openai.OpenAI(
            api_key=endpoint.api_key or "none",  # the library wants one, endpoints of one's own often do not
            base_url=endpoint.base_url or "https://api.openai.com/v1",
            timeout=endpoint.timeout_seconds,
            max_retries=endpoint.retries,
            # What people said goes to the address of the settings, and to none it points at.
            http_client=openai.DefaultHttpxClient(follow_redirects=False),
        )
        weakref.finalize(self, self._client.close)
        self._hasty = self._client.with_options(timeout=endpoint.query_seconds, max_retries=0)

    def vectors(self, texts: Sequence[str], *, query: bool) -> Sequence[Row]:
        tries = 1 if query else 1 + self._endpoint.retries
        for number in range(tries):
            if number:
                time.sleep(FIRST_PAUSE_SECONDS * 2 ** (number - 1))
            try:
                body = self._answer(texts, query=query)
            except _Refused as refusal:
                log.warning("the embedder refused texts", extra={"texts": len(texts), "status": refusal.status})
                return [None] * len(texts) if len(texts) == 1 else []
            rows = _rows(body, len(texts))
            if rows is not None:
                return rows
        raise self._unavailable("gave an answer that cannot be read")

    def _answer(self, texts: Sequence[str], *, query: bool) -> bytes:
        asked: dict[str, Any] = {"model": self._endpoint.model, "input": list(texts), "encoding_format": "float"}
        if self._endpoint.dimensions is not None:
            asked["dimensions"] = self._endpoint.dimensions
        library, client = self._library, self._hasty if query else self._client
        try:
            return client.embeddings.with_raw_response.create(**asked).http_response.content
        except library.APITimeoutError:
            raise self._unavailable("did not answer in time") from None
        except library.APIConnectionError:
            raise self._unavailable("cannot be reached") from None
        except library.AuthenticationError as error:
            raise Unavailable(
                self._said("refuses the key; set MEMCAIRN_EMBEDDER_API_KEY", error), code="embedder_key"
            ) from None
        except library.PermissionDeniedError as error:
            raise Unavailable(self._said("does not let this key use the model", error), code="embedder_key") from None
        except library.NotFoundError as error:
            what = f"knows no model {self._endpoint.model!r}"
            raise Unavailable(self._said(what, error), code="model_unknown") from None
        except (library.BadRequestError, library.UnprocessableEntityError) as error:
            raise _Refused(error.status_code) from None
        except library.APIStatusError as error:
            raise self._unavailable("failed", error) from None

    def _unavailable(self, what: str, error: Any = None) -> Unavailable:
        return Unavailable(self._said(what, error), code="embedder_unavailable", retry_after_seconds=5.0)

    def _said(self, what: str, error: Any = None) -> str:
        status = "" if error is None else f" (status {error.status_code})"
        return f"The embedder at {self._where} {what}{status}."


class _Refused(Exception):
    """The endpoint finds fault with these texts; asking again changes nothing."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def _rows(body: bytes, wanted: int) -> list[Row] | None:
    """The rows in the order of the texts, by the index each carries; None when the answer cannot be read at all.

    A list of another length when rows cannot be matched to texts.
    """
    try:
        items = json.loads(body)["data"]
    except (ValueError, LookupError, TypeError):
        return None
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        return None
    places = [item.get("index") for item in items]
    if all(place is None for place in places):
        return [_row(item) for item in items]
    if len(set(map(repr, places))) != len(places) or not all(_is_place(place, wanted) for place in places):
        return []
    by_place = dict(zip(places, items, strict=True))
    return [_row(by_place[place]) if place in by_place else None for place in range(wanted)]


def _is_place(value: object, wanted: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < wanted


def _row(item: Mapping[str, Any]) -> NDArray[np.float64] | None:
    numbers = item.get("embedding")
    if not isinstance(numbers, list) or not all(type(number) in (int, float) for number in numbers):
        return None
    return np.array(numbers, dtype=np.float64)


def _place(base_url: str | None) -> str:
    """The host alone: the rest of an address may hold a secret."""
    return "api.openai.com" if base_url is None else urlsplit(base_url).hostname or "the given address"


def _name(endpoint: Endpoint, dimensions: int) -> str:
    """Without the address: the model stays the same when its server moves."""
    name = f"openai:{endpoint.model}:{dimensions}"
    if len(name) <= MAX_MODEL_CHARS:
        return name
    return f"openai:{hashlib.blake2b(name.encode(), digest_size=16).hexdigest()}:{dimensions}"
