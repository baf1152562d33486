"""Memories searched under a filter on metadata."""

from dataclasses import replace
from typing import Any

import pytest

from memcairn.core.deps import Deps
from memcairn.core.ingest import ingest
from memcairn.core.memories import update_memory
from memcairn.core.recall import Recalls
from memcairn.core.search import Hit, SearchQuery, search
from memcairn.domain.events import NewEvent
from memcairn.domain.filters import parse_filter
from memcairn.domain.keys import Principal
from memcairn.pipeline.worker import Worker
from tests.build import index_on, make

pytestmark = pytest.mark.anyio


async def say(deps: Deps, principal: Principal, *said: tuple[str, dict[str, Any]], process: bool = True) -> None:
    await ingest(deps, principal, [make(NewEvent, content=text, metadata=metadata) for text, metadata in said])
    while process and await Worker(deps).run_once():
        pass


async def ask(deps: Deps, principal: Principal, path: str, *, limit: int = 10, **fields: Any) -> list[Hit]:
    where = parse_filter({"jsonpath": path})
    query = SearchQuery("where does the heron nest", limit=limit, filter=where, **fields)
    return await search(deps, Recalls(), principal, query)


def texts(hits: list[Hit]) -> list[str]:
    return [hit.memory.text if hit.memory else hit.event.content if hit.event else "" for hit in hits]


@pytest.mark.parametrize("process", [True, False])
async def test_a_memory_is_found_by_the_metadata_of_what_was_said(
    deps: Deps, principal: Principal, process: bool
) -> None:
    await say(
        deps,
        principal,
        ("The heron nests behind the chapel.", {"topic": "birds"}),
        ("The heron nests on the island.", {"topic": "travel"}),
        process=process,
    )

    hits = await ask(deps, principal, '$ ? (@.topic == "travel")', actor_id="ann")

    assert texts(hits) == ["The heron nests on the island."]


async def test_a_memory_is_found_by_its_own_metadata(deps: Deps, principal: Principal) -> None:
    await say(deps, principal, ("The heron nests behind the chapel.", {}), ("The heron nests on the island.", {}))
    [first, *_] = await search(deps, Recalls(), principal, SearchQuery("heron chapel"))
    assert first.memory is not None
    await update_memory(deps, principal, first.memory.memory_id, {"metadata": {"checked": True}})

    hits = await ask(deps, principal, "$ ? (@.checked == true)")

    assert [hit.memory.memory_id for hit in hits if hit.memory] == [first.memory.memory_id]


@pytest.mark.parametrize("exact_rows", [20_000, 10])
async def test_the_filter_holds_before_the_limit_in_small_and_large_scopes(
    deps: Deps, principal: Principal, exact_rows: int
) -> None:
    deps = replace(deps, index=index_on(deps.db, exact_rows=exact_rows))
    herons = [(f"The heron nests on island number {n}.", {"n": n}) for n in range(300)]
    await say(deps, principal, *herons, ("The ferry leaves at noon.", {"n": 300}))

    hits = await ask(deps, principal, "$ ? (@.n >= 299)", limit=5)

    assert texts(hits) == ["The heron nests on island number 299.", "The ferry leaves at noon."]


async def test_a_filter_that_nothing_fulfils_finds_nothing(deps: Deps, principal: Principal) -> None:
    await say(deps, principal, ("The heron nests behind the chapel.", {"topic": "birds"}))

    assert await ask(deps, principal, "$.missing") == []
