"""A model that answers nonsense, late or not at all: what people said is kept, processed, and not mixed up."""

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from memcairn.core.deps import Deps
from memcairn.core.ingest import ingest, statuses
from memcairn.core.recall import Recalls
from memcairn.core.search import SearchQuery, search
from memcairn.domain.clock import FrozenClock
from memcairn.domain.events import EventStatus, NewEvent
from memcairn.domain.jobs import LONGEST_RETRY
from memcairn.domain.keys import Principal
from memcairn.pipeline.worker import Worker
from memcairn.providers.base import Embedder
from memcairn.provision import make_embedder
from memcairn.settings import Settings
from tests.build import make
from tests.providers.endpoint import (
    Answer,
    Body,
    Endpoint,
    Step,
    embedded,
    embeddings,
    failing,
    rows_for,
    saying,
    serving,
)

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

SENTENCES = [f"The {bird} nests behind the chapel." for bird in ("heron", "stork", "kite", "owl", "crane", "swift")]


def _row_as(value: Any) -> Step:
    return lambda body: embeddings([*rows_for(body)[:-1], value])


def _shuffled(body: Body) -> Answer:
    rows = rows_for(body)
    places = list(range(len(rows)))
    random.Random(3).shuffle(places)
    return embeddings([rows[place] for place in places], places)


NONSENSE: dict[str, Step] = {
    "prose": saying(b"I am sorry, I cannot embed that."),
    "fenced": lambda body: Answer(b"```json\n" + embedded(body).content + b"\n```"),
    "truncated": lambda body: Answer(embedded(body).content[:-20]),
    "a list for an object": saying(b"[]"),
    "wrong types": saying(json.dumps({"object": "list", "data": {"0": "vector"}}).encode()),
    "10 MB": saying(b'{"data": "' + b"x" * 10_000_000 + b'"}'),
    "nothing": saying(b""),
    "null": saying(b"null"),
    "refusal": failing(400),
    "NaN": lambda body: Answer(embedded(body).content.replace(b"[0.", b"[NaN, 0.", 1)),
    "a row of zeros": _row_as([0.0] * 32),
    "a row too short": _row_as([1.0]),
    "a row of words": _row_as(["one"] * 32),
    "a row beyond all numbers": _row_as([1e300] * 32),
    "a row too few": lambda body: embeddings(rows_for(body)[:-1]),
    "a row too many": lambda body: embeddings([*rows_for(body), [1.0] * 32]),
    "rows in another order": _shuffled,
    "all rows at one place": lambda body: embeddings(rows_for(body), [0] * len(body["input"])),
    "429 for a while": failing(429, Retry_After="0"),
    "503": failing(503),
    "hung up": lambda body: Answer(b"", 200, {"Content-Length": "1000", "Connection": "close"}),
}


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with serving(Endpoint(embedded)) as opened:
        yield opened


@pytest.fixture
def embedder(endpoint: Endpoint) -> Embedder:
    settings = Settings(
        embedder="openai:m",
        embedder_base_url=endpoint.url,
        embedder_dimensions=32,
        embedder_retries=0,
        embedder_timeout_seconds=2,
        embedder_query_seconds=0.5,
    )
    return make_embedder(settings)


@pytest.mark.sqlite
@pytest.mark.parametrize("nonsense", NONSENSE.values(), ids=NONSENSE.keys())
async def test_what_was_said_outlives_any_answer_of_a_model(
    deps: Deps, principal: Principal, clock: FrozenClock, endpoint: Endpoint, embedder: Embedder, nonsense: Step
) -> None:
    deps = replace(deps, embedder=embedder)
    endpoint.then = nonsense
    events = [make(NewEvent, session_id=f"s{number}", content=text) for number, text in enumerate(SENTENCES)]
    event_ids = await ingest(deps, principal, events)
    await Worker(deps).run_once()
    found = await search(deps, Recalls(), principal, SearchQuery("Where does the heron nest?", actor_id="ann"))
    assert found
    assert not {state.status for state in await statuses(deps, principal, event_ids)} & {EventStatus.FAILED}

    endpoint.then = embedded
    embedder = make_embedder(  # the one before rests for a while after a failure
        Settings(embedder="openai:m", embedder_base_url=endpoint.url, embedder_dimensions=32)
    )
    deps = replace(deps, embedder=embedder)
    for _ in range(3):
        clock.advance(LONGEST_RETRY)
        while await Worker(deps).run_once():
            pass

    assert {state.status for state in await statuses(deps, principal, event_ids)} == {EventStatus.COMPLETED}
    for text in SENTENCES:
        best = (await search(deps, Recalls(), principal, SearchQuery(text, actor_id="ann")))[0]
        assert best.memory is not None
        assert (best.memory.text, round(best.similarity, 2)) == (text, 1.0)
