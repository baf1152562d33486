"""Every test that asks for a `colour` runs with the synchronous and the asynchronous client."""

import pytest

from .scripted import Colour, in_async, in_sync


@pytest.fixture(params=[in_sync, in_async], ids=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> Colour:
    chosen: Colour = request.param
    return chosen


@pytest.fixture(autouse=True)
def _no_key_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MEMCAIRN_API_KEY", raising=False)
