"""A memory somebody has changed by hand stands for what they wrote, and no longer for what was read."""

from datetime import timedelta
from typing import Any

import pytest

from memcairn.core.deps import Deps
from memcairn.core.ingest import ingest
from memcairn.core.memories import MemoryFilter, list_memories, update_memory
from memcairn.core.messages import delete_message
from memcairn.domain.candidates import value_as
from memcairn.domain.clock import FrozenClock
from memcairn.domain.events import NewEvent
from memcairn.domain.keys import Principal
from tests.build import make
from tests.core.talk import kept, process

pytestmark = pytest.mark.anyio


async def say(deps: Deps, principal: Principal, text: str, **fields: Any) -> str:
    """Ann says it, and it is processed."""
    [event_id] = await ingest(deps, principal, [make(NewEvent, content=text, **{"name": "Ann"} | fields)])
    await process(deps)
    return event_id


async def edit(deps: Deps, principal: Principal, text: str, into: str) -> None:
    page = await list_memories(deps, principal, MemoryFilter(), sort="observed_at_asc", limit=100)
    [memory] = [memory for memory in page.items if memory.text == text]
    await update_memory(deps, principal, memory.memory_id, {"text": into})


async def test_hearing_what_it_said_before_is_news(deps: Deps, principal: Principal) -> None:
    await say(deps, principal, "I prefer tea to coffee.")
    await edit(deps, principal, "Ann prefers tea to coffee", "Ann prefers water to coffee")

    await say(deps, principal, "I prefer tea to coffee.", session_id="s2")

    assert await kept(deps, principal, type="preference") == [
        "Ann prefers tea to coffee",
        "Ann prefers water to coffee",
    ]


async def test_hearing_what_was_written_makes_it_stronger_not_double(deps: Deps, principal: Principal) -> None:
    await say(deps, principal, "I prefer tea to coffee.")
    await edit(deps, principal, "Ann prefers tea to coffee", "Ann prefers water to coffee")

    await say(deps, principal, "I prefer water to coffee.", session_id="s2")

    page = await list_memories(deps, principal, MemoryFilter(type="preference"), sort="observed_at_asc", limit=10)
    assert [(memory.text, memory.strength > 1.0) for memory in page.items] == [("Ann prefers water to coffee", True)]


async def test_a_corrected_home_is_confirmed_by_the_new_value_and_replaced_by_another(
    deps: Deps, principal: Principal, clock: FrozenClock
) -> None:
    await say(deps, principal, "I live in Lisbon.")
    await edit(deps, principal, "Ann lives in Lisbon", "Ann lives in Faro")
    clock.advance(timedelta(hours=1))
    await say(deps, principal, "I live in Faro.", session_id="s2")
    confirmed = await kept(deps, principal, type="fact")
    clock.advance(timedelta(hours=1))

    await say(deps, principal, "I live in Lisbon.", session_id="s3")

    assert (confirmed, await kept(deps, principal, type="fact")) == (["Ann lives in Faro"], ["Ann lives in Lisbon"])


async def test_reading_the_same_message_anew_does_not_bring_back_what_was_corrected(
    deps: Deps, principal: Principal
) -> None:
    first = await say(deps, principal, "I prefer rice to noodles.")
    await say(deps, principal, "I prefer tea to coffee. I prefer rice to noodles.", session_id="s2")
    await edit(deps, principal, "Ann prefers tea to coffee", "Ann prefers water to coffee")

    await delete_message(deps, principal, "s1", first)
    await process(deps)

    assert await kept(deps, principal, type="preference") == [
        "Ann prefers rice to noodles",
        "Ann prefers water to coffee",
    ]


@pytest.mark.parametrize(
    ("text", "value", "edited", "expected"),
    [
        ("Ann lives in Lisbon", "lisbon", "Ann lives in Porto", "porto"),
        ("Ann lives in Lisbon", "lisbon", "Ann has no home", "ann has no home"),
        ("Ann lives in Lisbon", "lisbon", "Ann lives in ", "ann lives in"),
        ("Ann no longer lives in Lisbon", "not lisbon", "Ann no longer lives in Porto", "not porto"),
        ("Ann's dog is called Rex", "rex", "Ann's dog is called Rex and bites", "rex and bites"),
    ],
)
def test_the_value_is_what_stands_in_its_place(text: str, value: str, edited: str, expected: str) -> None:
    assert value_as(text, value, edited) == expected
