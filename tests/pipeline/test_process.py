"""What comes of events: memories, their sources, strength and validity."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from memcairn.core.deps import Deps
from memcairn.core.ingest import ingest, statuses
from memcairn.core.memories import list_memories, memory_history
from memcairn.core.recall import Recalls
from memcairn.core.search import SearchQuery, search
from memcairn.domain.clock import FrozenClock
from memcairn.domain.events import EventKind, EventStatus, NewEvent
from memcairn.domain.keys import Principal
from memcairn.domain.memories import Memory, MemoryKind, MemoryStatus
from memcairn.pipeline.worker import Worker
from memcairn.store.memories import MemoryFilter
from tests.build import make

pytestmark = pytest.mark.anyio


async def _say(deps: Deps, principal: Principal, *texts: str, **fields: object) -> list[str]:
    """Ann says these things in session s1, and they are processed."""
    said = [make(NewEvent, content=text, name="Ann", **fields) for text in texts]
    event_ids = await ingest(deps, principal, said)
    await Worker(deps).run_once()
    return event_ids


async def _memories(deps: Deps, principal: Principal, **where: str) -> Sequence[Memory]:
    page = await list_memories(deps, principal, MemoryFilter(**where), sort="observed_at_asc", limit=100)
    return page.items


async def test_words_are_kept_as_said_with_speaker_and_time(
    deps: Deps, principal: Principal, clock: FrozenClock
) -> None:
    said_at = clock.now() - timedelta(days=3)

    [event_id] = await _say(deps, principal, "We walked along the old canal.", occurred_at=said_at)

    [memory] = await _memories(deps, principal)
    assert (memory.text, memory.speaker, memory.observed_at) == ("We walked along the old canal.", "Ann", said_at)
    assert (memory.kind, memory.type, memory.source_event_ids) == (MemoryKind.EPISODIC, "message", (event_id,))


async def test_a_bare_acknowledgement_completes_without_a_memory(deps: Deps, principal: Principal) -> None:
    event_ids = await _say(deps, principal, "ok", "thanks!")

    assert {state.status for state in await statuses(deps, principal, event_ids)} == {EventStatus.COMPLETED}
    assert await _memories(deps, principal) == []


async def test_hearing_it_twice_makes_it_stronger_not_double(
    deps: Deps, principal: Principal, clock: FrozenClock
) -> None:
    [first] = await _say(deps, principal, "The harbour closes at nine.")
    clock.advance(timedelta(minutes=5))
    [second] = await _say(deps, principal, "The harbour closes at nine.")

    [memory] = await _memories(deps, principal, type="message")
    assert memory.source_event_ids == (first, second)
    assert memory.strength > 1.0
    changes = [change.change for change in await memory_history(deps, principal, memory.memory_id)]
    assert changes == ["created", "strengthened"]


async def test_a_repetition_inside_one_batch_is_one_memory_too(deps: Deps, principal: Principal) -> None:
    event_ids = await _say(deps, principal, "The harbour closes at nine.", "the harbour closes at nine")

    [memory] = await _memories(deps, principal, type="message")
    assert memory.source_event_ids == tuple(event_ids)


async def test_a_correction_supersedes_and_closes_the_validity_of_what_it_corrects(
    deps: Deps, principal: Principal, clock: FrozenClock
) -> None:
    await _say(deps, principal, "I live in Lisbon.")
    clock.advance(timedelta(days=40))
    await _say(deps, principal, "I live in Porto now.")

    [now] = await _memories(deps, principal, type="fact", status="active")
    [before] = await _memories(deps, principal, type="fact", status="superseded")
    assert ("Porto" in now.text, "Lisbon" in before.text) == (True, True)
    assert (now.supersedes, before.valid_to) == (before.memory_id, now.observed_at)
    found = await search(deps, Recalls(), principal, SearchQuery("Where does Ann live?"))
    assert before.memory_id not in [hit.memory.memory_id for hit in found if hit.memory]


async def test_two_actors_keep_their_own_memories_of_the_same_words(deps: Deps, principal: Principal) -> None:
    await _say(deps, principal, "The harbour closes at nine.", actor_id="ann")
    await _say(deps, principal, "The harbour closes at nine.", actor_id="ben")

    assert [memory.scope.actor_id for memory in await _memories(deps, principal, type="message")] == ["ann", "ben"]


async def test_a_fact_heard_in_two_sessions_is_one_memory_of_the_first(deps: Deps, principal: Principal) -> None:
    [first] = await _say(deps, principal, "I live in Lisbon.", session_id="morning")
    [second] = await _say(deps, principal, "I live in Lisbon.", session_id="evening")

    [memory] = await _memories(deps, principal, type="fact")
    assert (memory.session_id, memory.source_event_ids) == ("morning", (first, second))


async def test_long_texts_are_found_by_any_part_of_them(deps: Deps, principal: Principal) -> None:
    filler = "The minutes go on about the usual matters of the week. " * 30
    await _say(deps, principal, f"{filler}The heron nests behind the chapel. {filler}", "The weather was dull.")

    found = await search(deps, Recalls(), principal, SearchQuery("Where does the heron nest?", limit=1))

    assert found[0].memory is not None
    assert "heron" in found[0].memory.text


async def test_what_an_assistant_says_is_remembered_as_said(deps: Deps, principal: Principal) -> None:
    answer = NewEvent("ann", "s1", EventKind.ASSISTANT_MESSAGE, "The museum opens at ten on Sundays.")
    await ingest(deps, principal, [answer])
    await Worker(deps).run_once()

    [memory] = await _memories(deps, principal)
    assert (memory.speaker, memory.type, memory.status) == ("assistant", "message", MemoryStatus.ACTIVE)
