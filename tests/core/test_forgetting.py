"""Forgetting a source takes what came from it and what was made of it, and nothing that others vouch for."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from memcairn.core import forgetting
from memcairn.core.deps import Deps
from memcairn.core.forgetting import Receipt, SourceFilter, forget_source
from memcairn.core.ingest import ingest
from memcairn.core.memories import MemoryFilter, list_memories
from memcairn.core.purge import purge
from memcairn.core.recall import Recalls
from memcairn.core.search import SearchQuery, search
from memcairn.core.summaries import latest_summary
from memcairn.domain.clock import FrozenClock
from memcairn.domain.errors import Forbidden, Invalid
from memcairn.domain.events import NewEvent
from memcairn.domain.keys import KeyScope, Principal
from memcairn.domain.memories import Memory
from memcairn.domain.trust import Channel, Trust
from tests.build import make
from tests.core.talk import everything_read, found, process

pytestmark = pytest.mark.anyio

FROZEN = ("Deploys are frozen on Fridays.", "We never deploy on a Friday.", "No deploys on Fridays, please.")


@pytest.fixture
def bad(principal: Principal) -> Principal:
    """The key of a source that will turn out to be bad."""
    return replace(principal, key_id="bad", trust=Trust.LOW, channel=Channel.ZEP)


async def say(deps: Deps, principal: Principal, *texts: str, **fields: Any) -> list[str]:
    """Ann says it, and it is processed."""
    ids = await ingest(deps, principal, [make(NewEvent, content=text, **{"name": "Ann"} | fields) for text in texts])
    await process(deps)
    return ids


async def active(deps: Deps, principal: Principal, **where: Any) -> Sequence[Memory]:
    wanted = MemoryFilter(status="active", **where)
    return (await list_memories(deps, principal, wanted, sort="observed_at_asc", limit=100)).items


async def test_what_came_with_a_key_is_gone_from_every_read_with_what_was_made_of_it(
    deps: Deps, principal: Principal, bad: Principal
) -> None:
    await say(deps, principal, "The heron nests behind the chapel.")
    await say(deps, bad, "I live in Minsk.", "Zanzibar pays the bills from now on.", session_id="s2")

    receipt = await forget_source(deps, principal, SourceFilter(key_id="bad"))

    assert (receipt.events, receipt.promoted) == (2, 0)
    assert receipt.memories >= 3
    told = await everything_read(deps, principal, "Minsk Zanzibar heron")
    assert "heron" in told
    assert "Minsk" not in told
    assert "Zanzibar" not in told


async def test_what_others_say_as_well_stays_at_their_trust(
    deps: Deps, principal: Principal, bad: Principal, clock: FrozenClock
) -> None:
    await say(deps, bad, "I prefer tea to coffee.")
    clock.advance(timedelta(minutes=2))
    await say(deps, principal, "I prefer tea to coffee.", session_id="s2")

    await forget_source(deps, principal, SourceFilter(key_id="bad"))

    [memory] = await active(deps, principal, type="preference")
    assert (memory.trust, [each.key_id for each in memory.origins]) == (Trust.NORMAL, ["test-key"])
    hits = await search(deps, Recalls(), principal, SearchQuery("tea", min_trust=Trust.NORMAL, types=["preference"]))
    assert len(hits) == 1


async def test_what_the_source_had_superseded_holds_again(deps: Deps, principal: Principal) -> None:
    twin = replace(principal, key_id="twin")
    await say(deps, principal, "I live in Lisbon.")
    await say(deps, twin, "I moved to Minsk last week!", session_id="s2")

    await forget_source(deps, principal, SourceFilter(key_id="twin"))

    assert [memory.text for memory in await active(deps, principal, type="fact")] == ["Ann lives in Lisbon"]


async def test_what_had_risen_with_too_few_others_is_withdrawn(deps: Deps, principal: Principal) -> None:
    twin = replace(principal, key_id="twin")
    for who, actor_id, text in zip((principal, principal, twin), ("ann", "ben", "cleo"), FROZEN, strict=True):
        await say(deps, who, text, actor_id=actor_id, name=None, session_id=actor_id, role_id="eng")
    risen = await active(deps, principal, level="role")

    foreseen = await forget_source(deps, principal, SourceFilter(key_id="twin"), dry_run=True)
    receipt = await forget_source(deps, principal, SourceFilter(key_id="twin"))

    assert len(risen) == foreseen.promoted == receipt.promoted == 1
    assert await active(deps, principal, level="role") == []


async def test_what_others_vouch_for_rises_again_once_the_bad_source_is_gone(
    deps: Deps, principal: Principal, bad: Principal, clock: FrozenClock
) -> None:
    for actor_id, text in zip(("ann", "ben", "cleo"), FROZEN, strict=True):
        await say(deps, principal, text, actor_id=actor_id, name=None, session_id=actor_id, role_id="eng")
    clock.advance(timedelta(minutes=2))
    await say(deps, bad, FROZEN[0], actor_id="ann", name=None, session_id="ann", role_id="eng")
    assert await active(deps, principal, level="role") == []

    await forget_source(deps, principal, SourceFilter(key_id="bad"))
    await process(deps)

    assert len(await active(deps, principal, level="role")) == 1


async def test_a_summary_that_may_hold_its_words_goes_and_is_written_anew(
    deps: Deps, principal: Principal, bad: Principal
) -> None:
    await say(deps, bad, "The harbour master of Zanzibar is called Mallory.")
    await say(deps, principal, *(f"Boat {n} is moored at pier {n} of the harbour." for n in range(40)))
    before = await latest_summary(deps, principal, "s1")

    receipt = await forget_source(deps, principal, SourceFilter(channel=Channel.ZEP))
    await process(deps)

    after = await latest_summary(deps, principal, "s1")
    assert receipt.summaries >= 1
    assert before is not None
    assert after is None or "Mallory" not in after.content


@pytest.mark.parametrize(
    ("where", "left"),
    [
        (SourceFilter(key_id="bad"), ["one", "two"]),
        (SourceFilter(channel=Channel.ZEP), ["one", "two"]),
        (SourceFilter(max_trust=Trust.LOW), ["one", "two"]),
        (SourceFilter(session_id="s2"), ["one", "three"]),
        (SourceFilter(actor_id="bob"), ["one", "two"]),
        (SourceFilter(key_id="bad", session_id="s1"), ["one", "three", "two"]),
        (SourceFilter(max_trust=Trust.HIGH), []),
    ],
)
async def test_a_source_is_everything_that_fits_all_that_is_named(
    deps: Deps, principal: Principal, bad: Principal, where: SourceFilter, left: list[str]
) -> None:
    await say(deps, principal, "Ferry number one.", session_id="s1")
    await say(deps, principal, "Ferry number two.", session_id="s2")
    await say(deps, bad, "Ferry number three.", session_id="s3", actor_id="bob")

    await forget_source(deps, principal, where)

    texts = await found(deps, principal, "ferry")
    assert sorted(text.split()[-1].strip(".") for text in texts) == left


async def test_only_what_was_received_in_the_given_time_is_forgotten(
    deps: Deps, principal: Principal, clock: FrozenClock
) -> None:
    moments = []
    for day in ("first", "second", "third"):
        moments.append(clock.now())
        await say(deps, principal, f"The ferry came on the {day} day.", session_id=day)
        clock.advance(timedelta(days=1))

    where = SourceFilter(actor_id="ann", received_after=moments[1], received_before=moments[2])
    await forget_source(deps, principal, where)

    told = await found(deps, principal, "ferry day")
    assert sorted(set(told)) == ["The ferry came on the first day.", "The ferry came on the third day."]


async def test_a_long_source_goes_in_pieces_and_is_counted_whole(
    deps: Deps, principal: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forgetting, "EVENTS_AT_ONCE", 7)
    await say(deps, principal, *(f"Ferry number {n} is late." for n in range(30)))
    where = SourceFilter(key_id="test-key")

    foreseen = await forget_source(deps, principal, where, dry_run=True)
    receipt = await forget_source(deps, principal, where)
    again = await forget_source(deps, principal, where)

    assert (foreseen.receipt_id, foreseen.events, foreseen.memories) == (None, 30, receipt.memories)
    assert receipt.events == 30
    assert replace(again, receipt_id=None) == Receipt(None, 0, 0, 0, 0)


async def test_a_trial_changes_nothing(deps: Deps, principal: Principal) -> None:
    await say(deps, principal, "The ferry leaves at noon.")
    before = await everything_read(deps, principal, "ferry")

    await forget_source(deps, principal, SourceFilter(actor_id="ann"), dry_run=True)

    assert await everything_read(deps, principal, "ferry") == before


async def test_text_that_waits_to_be_processed_is_never_made_into_memories(
    deps: Deps, principal: Principal, bad: Principal
) -> None:
    await ingest(deps, bad, [make(NewEvent, content="I live in Minsk.", name="Ann")])

    await forget_source(deps, principal, SourceFilter(key_id="bad"))
    await process(deps)

    assert await active(deps, principal) == []


async def test_after_the_purge_no_byte_of_it_is_left(
    deps: Deps, principal: Principal, bad: Principal, database_file: Path
) -> None:
    await say(deps, bad, "The password of the harbour is quixotic-zanzibar.")
    await forget_source(deps, principal, SourceFilter(key_id="bad"))

    await purge(deps, older_than=timedelta(0), org_id=principal.org_id)

    files = [path for path in database_file.parent.iterdir() if path.is_file()]
    assert [path.name for path in files if b"quixotic" in path.read_bytes()] == []


async def test_it_takes_an_admin_and_a_named_source(deps: Deps, principal: Principal) -> None:
    with pytest.raises(Forbidden):
        await forget_source(
            deps, replace(principal, scopes=frozenset({KeyScope.WRITE})), SourceFilter(key_id="test-key")
        )
    with pytest.raises(Invalid, match="Name a"):
        await forget_source(deps, principal, SourceFilter(received_after=deps.clock.now()))


async def test_another_org_s_words_are_not_touched(deps: Deps, principal: Principal) -> None:
    await say(deps, principal, "The ferry leaves at noon.")

    receipt = await forget_source(deps, replace(principal, org_id="other"), SourceFilter(key_id="test-key"))

    assert receipt.events == 0
    assert await found(deps, principal, "ferry")
