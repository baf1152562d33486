"""Tokens of what comes in."""

from dataclasses import replace

import pytest

from memcairn.core.counting import token_counts
from memcairn.core.deps import Deps
from memcairn.core.events import EventFilter, list_events
from memcairn.core.ingest import ingest
from memcairn.domain.events import NewEvent
from memcairn.domain.keys import Principal
from tests.build import make

pytestmark = pytest.mark.anyio


async def test_tokens_are_estimated_unless_the_server_counts_them(deps: Deps) -> None:
    counting = replace(deps, count_tokens=lambda text: len(text.split()))

    assert await token_counts(deps, ["four letter words here", ""]) == [6, 0]
    assert await token_counts(counting, ["four letter words here", ""]) == [4, 0]


async def test_an_event_keeps_the_count_of_the_servers_tokenizer(deps: Deps, principal: Principal) -> None:
    counting = replace(deps, count_tokens=lambda text: len(text.split()))

    await ingest(counting, principal, [make(NewEvent, content="one two three")])

    page = await list_events(deps, principal, EventFilter(), limit=10)
    assert [event.token_count for event in page.items] == [3]
