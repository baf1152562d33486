"""Searching in one conversation."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Connection

from memcairn.core.conversation_search import SessionHit, search_session
from memcairn.core.deps import Deps
from memcairn.core.ingest import ingest
from memcairn.domain.clock import FrozenClock
from memcairn.domain.errors import Forbidden, Invalid, NotFound
from memcairn.domain.events import NewEvent
from memcairn.domain.filters import parse_filter
from memcairn.domain.ids import new_id
from memcairn.domain.keys import Principal
from memcairn.domain.summaries import Summary
from memcairn.pipeline.worker import Worker
from memcairn.store import events, summaries
from tests.build import ORG, make

pytestmark = pytest.mark.anyio

HERON, FERRY, BOTH = "The heron nests behind the chapel.", "The ferry leaves at noon.", "The heron took the ferry."


async def say(deps: Deps, principal: Principal, *texts: str, **fields: Any) -> list[str]:
    """Ann says these things in session s1; nothing processes them yet."""
    return await ingest(deps, principal, [make(NewEvent, content=text, **fields) for text in texts])


async def work(deps: Deps) -> None:
    while await Worker(deps).run_once():
        pass


async def search(deps: Deps, principal: Principal, text: str | None = None, **options: Any) -> list[SessionHit]:
    if "where" in options:
        options["filter"] = parse_filter(options.pop("where"))
    return await search_session(deps, principal, "s1", text=text, **options)


def texts(hits: list[SessionHit]) -> list[str]:
    return [hit.event.content for hit in hits if hit.event is not None]


@pytest.mark.parametrize("processed", [True, False])
async def test_the_nearest_message_comes_first_processed_or_not(
    deps: Deps, principal: Principal, processed: bool
) -> None:
    await say(deps, principal, FERRY, HERON, BOTH)
    await say(deps, principal, HERON, session_id="s2")
    if processed:
        await work(deps)

    hits = await search(deps, principal, HERON, limit=2)

    assert texts(hits) == [HERON, BOTH]
    assert hits[0].similarity == pytest.approx(1.0, abs=0.001)
    assert {hit.event.session_id for hit in hits if hit.event is not None} == {"s1"}


async def test_a_message_that_became_no_memory_is_found_too(deps: Deps, principal: Principal) -> None:
    await say(deps, principal, HERON, "ok", FERRY)
    await work(deps)

    hits = await search(deps, principal, "ok", limit=1)

    assert texts(hits) == ["ok"]


async def test_words_said_twice_are_two_messages(deps: Deps, principal: Principal, clock: FrozenClock) -> None:
    first = await say(deps, principal, HERON)
    clock.advance(timedelta(minutes=2))
    second = await say(deps, principal, HERON)
    await work(deps)

    hits = await search(deps, principal, HERON)

    assert {hit.event.event_id for hit in hits if hit.event is not None} == {*first, *second}


async def test_a_long_message_is_found_by_any_part_of_it_and_once(deps: Deps, principal: Principal) -> None:
    long = " ".join(["Gravel and sand lie in the yard."] * 100 + [HERON] * 60)
    await say(deps, principal, long, FERRY)
    await work(deps)

    hits = await search(deps, principal, HERON)

    assert texts(hits)[0] == long
    assert len(hits) == 2


async def test_without_a_text_the_newest_come_first(deps: Deps, principal: Principal) -> None:
    await say(deps, principal, HERON, FERRY, BOTH, metadata={"k": 1})

    hits = await search(deps, principal, where={"jsonpath": "$.k"}, limit=2)

    assert texts(hits) == [BOTH, FERRY]
    assert [hit.similarity for hit in hits] == [0.0, 0.0]


async def test_a_filter_and_bounds_hold_before_the_limit(deps: Deps, principal: Principal, clock: FrozenClock) -> None:
    for n in range(20):
        await say(deps, principal, f"{HERON} {n}", metadata={"n": n})
        clock.advance(timedelta(days=1))
    await work(deps)
    start = clock.now() - timedelta(days=20)

    few = await search(deps, principal, HERON, where={"jsonpath": "$ ? (@.n == 0)"}, limit=1)
    bounded = await search(deps, principal, start=start + timedelta(days=5), end=start + timedelta(days=7))
    by_filter = await search(deps, principal, HERON, where={"where": {}, "end_date": start.isoformat()})

    assert texts(few) == [f"{HERON} 0"]
    assert texts(bounded) == [f"{HERON} {n}" for n in (7, 6, 5)]
    assert texts(by_filter) == [f"{HERON} 0"]


async def test_variety_counts_beside_nearness(deps: Deps, principal: Principal) -> None:
    await say(deps, principal, "heron nest chapel", "heron nest chapel bell", "heron ferry noon tide")
    await work(deps)

    plain = await search(deps, principal, "heron nest chapel", limit=2)
    varied = await search(deps, principal, "heron nest chapel", limit=2, mmr=True, mmr_lambda=0.3)

    assert texts(plain) == ["heron nest chapel", "heron nest chapel bell"]
    assert texts(varied) == ["heron nest chapel", "heron ferry noon tide"]
    assert varied[0].similarity == pytest.approx(1.0, abs=0.001)


async def test_a_deleted_message_is_not_found(deps: Deps, principal: Principal, clock: FrozenClock) -> None:
    [first, _] = await say(deps, principal, HERON, FERRY, metadata={"k": 1})
    await work(deps)
    await deps.db.write(events.mark_deleted, ORG, [first], clock.now())

    assert texts(await search(deps, principal, HERON)) == [FERRY]
    assert texts(await search(deps, principal, where={"jsonpath": "$.k"})) == [FERRY]


async def test_summaries_are_found_by_vector_by_words_and_by_metadata(
    deps: Deps, principal: Principal, clock: FrozenClock
) -> None:
    [said] = await say(deps, principal, HERON)

    def summary(text: str, position: int) -> Summary:
        return Summary(ORG, new_id(), "s1", text, 5, {"n": position}, position, said, clock.now())

    def fill(connection: Connection) -> None:
        [vector] = deps.embedder.embed([FERRY])
        summaries.add(connection, summary(FERRY, 1), vector=vector, model=deps.embedder.model)
        summaries.add(connection, summary(HERON, 2), vector=None)
        summaries.add(connection, summary(BOTH, 3), vector=np.ones(4, np.float32), model="another")

    await deps.db.write(fill)

    async def found(text: str | None = None, **options: Any) -> list[str]:
        hits = await search(deps, principal, text, scope="summaries", **options)
        assert all(hit.event is None for hit in hits)
        return [hit.summary.content for hit in hits if hit.summary is not None]

    assert await found(FERRY, limit=1) == [FERRY]
    assert await found(HERON, limit=1) == [HERON]
    assert await found(BOTH, limit=1) == [BOTH]
    assert await found(where={"jsonpath": "$ ? (@.n > 1)"}) == [BOTH, HERON]


@pytest.mark.parametrize("options", [{}, {"text": ""}, {"text": " \n"}])
async def test_an_empty_search_is_refused(deps: Deps, principal: Principal, options: dict[str, Any]) -> None:
    await say(deps, principal, HERON)

    with pytest.raises(Invalid) as refused:
        await search(deps, principal, **options)

    assert refused.value.code == "empty_search"


async def test_an_unknown_session_and_that_of_another_org_are_not_found(deps: Deps, principal: Principal) -> None:
    await say(deps, principal, HERON)
    stranger = Principal("elsewhere", "key", principal.scopes)

    for who, session in ((principal, "never"), (stranger, "s1")):
        with pytest.raises(NotFound) as refused:
            await search_session(deps, who, session, text="heron")
        assert refused.value.code == "session_not_found"


async def test_a_key_without_the_right_to_read_is_refused(deps: Deps, principal: Principal) -> None:
    with pytest.raises(Forbidden):
        await search(deps, Principal(ORG, "key", frozenset()), "heron")
