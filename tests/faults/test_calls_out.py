"""What a client sends never makes the server call somewhere, and an endpoint cannot send it elsewhere."""

import random
import socket
from typing import Any

import numpy as np
import pytest

from memcairn.core.deps import Deps
from memcairn.domain.errors import Unavailable
from memcairn.providers.http_reranker import HttpReranker
from memcairn.provision import make_embedder
from memcairn.settings import Settings
from tests.api.organisation import Server
from tests.faults.doors import OPERATIONS as VENDORS
from tests.faults.scale import times
from tests.faults.tenants import OPERATIONS, Ask, Tenant
from tests.providers.endpoint import Answer, Endpoint, embedded, serving

PLACES = (
    "http://127.0.0.1:{port}/",
    "http://[::1]:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://127.1:{port}/",
    "http://169.254.169.254/latest/meta-data/",
    "http://localtest.me:{port}/",
    "file:///etc/passwd",
    "s3://127.0.0.1:{port}/bucket",
    "gopher://127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "![image](http://127.0.0.1:{port}/a.png)",
)
"""Addresses as texts: plain, in other spellings, of the cloud's own service, and resolved by somebody else."""
URL_FIELDS = ("url", "callback_url", "webhook", "webhook_url", "endpoint", "endpoint_url", "base_url", "image_url")


@pytest.mark.slow
@pytest.mark.sqlite
@pytest.mark.anyio
async def test_no_field_of_any_route_makes_the_server_call_out(
    deps: Deps, monkeypatch: pytest.MonkeyPatch, record_property: Any
) -> None:
    server = Server(deps)
    called: list[Any] = []
    asked = 0

    def note(*address: Any, **_options: Any) -> Any:
        called.append(address)
        raise OSError("nothing is reached from here")

    with socket.create_server(("127.0.0.1", 0)) as trap:
        places = [place.format(port=trap.getsockname()[1]) for place in PLACES[: times(3, len(PLACES))]]
        async with server.client() as client:
            for where, name in ((socket.socket, "connect"), (socket.socket, "connect_ex"), (socket, "getaddrinfo")):
                monkeypatch.setattr(where, name, note)
            tenant = Tenant(0, client, "own", random.Random(1))
            for place in places:
                for route, operation in {**OPERATIONS, **VENDORS}.items():
                    if route.startswith(("DELETE /v1/org", "DELETE /v1/keys")):
                        continue
                    ask = operation(lambda _kind, place=place: place)  # type: ignore[misc]  # bound as it is now
                    body = ask.body
                    if isinstance(body, dict):
                        variants = [body, body | dict.fromkeys(URL_FIELDS, place), body | {"metadata": {"url": place}}]
                    else:
                        variants = [body]
                    for variant in variants:
                        response, _ = await tenant.ask(route, Ask(ask.path, ask.query, variant))
                        assert response.status_code < 500, f"{route}: {response.text}"
                        asked += 1
        await server.work()
        trap.settimeout(0)
        with pytest.raises(BlockingIOError):
            trap.accept()

    record_property("figure", f"requests with addresses in them: {asked} | calls out: {len(called)}")
    assert called == []


def test_an_embedder_that_points_elsewhere_is_not_followed() -> None:
    with serving(Endpoint(embedded)) as elsewhere, serving(Endpoint(embedded)) as endpoint:
        settings = Settings(
            embedder="openai:m", embedder_base_url=endpoint.url, embedder_dimensions=32, embedder_retries=0
        )
        embedder = make_embedder(settings)
        for status in (301, 302, 307, 308):
            endpoint.then = lambda _body, status=status: Answer(
                b"", status, {"Location": f"{elsewhere.url}/embeddings"}
            )  # type: ignore[misc]  # bound as it is now
            with pytest.raises(Unavailable):
                make_embedder(settings).embed([f"What was said before {status}."])
            assert not np.any(_vector_or_zeros(embedder, f"asked before {status}"))

    assert elsewhere.asked == []
    assert len(endpoint.asked) >= 4


def _vector_or_zeros(embedder: Any, text: str) -> Any:
    try:
        return embedder.embed_query(text)
    except Unavailable:
        return np.zeros(1)


def test_a_reranker_that_points_elsewhere_is_not_followed() -> None:
    with serving(Endpoint(embedded)) as elsewhere, serving(Endpoint(embedded)) as endpoint:
        for status in (301, 302, 307, 308):
            endpoint.then = lambda _body, status=status: Answer(b"", status, {"Location": elsewhere.url})  # type: ignore[misc]  # bound as it is now
            with pytest.raises(Unavailable):
                HttpReranker(f"{endpoint.url}/rerank").rerank("What?", ["What was said."], seconds=5)

    assert elsewhere.asked == []
    assert len(endpoint.asked) == 4
