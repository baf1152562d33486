"""When a summary is made, what it covers, and what makes it go."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from sqlalchemy import Connection

from memcairn.core.deps import Deps
from memcairn.core.ingest import ingest
from memcairn.core.jobs import list_jobs
from memcairn.core.summaries import latest_summary, list_summaries
from memcairn.domain.errors import NotFound, Unavailable
from memcairn.domain.events import EventKind, NewEvent
from memcairn.domain.jobs import Job, Task
from memcairn.domain.keys import ALL_SCOPES, Principal
from memcairn.domain.summaries import MAX_SUMMARY_CHARS, WINDOW, Summary, Utterance
from memcairn.pipeline.summarise import EVENTS_AT_ONCE, summarise_sessions
from memcairn.pipeline.worker import Worker
from memcairn.store import events, jobs, orgs, summaries
from memcairn.store.jobs import LeaseLost
from tests.build import NOW, ORG, make

pytestmark = pytest.mark.anyio


class Scribe:
    """A summariser that says what it was given, or what it was told to say."""

    name = "scribe"

    def __init__(self, says: str | None = None) -> None:
        self._says = says
        self.given: list[tuple[str | None, list[str]]] = []

    def summarise(self, previous: str | None, said: Sequence[Utterance]) -> str:
        self.given.append((previous, [each.text for each in said]))
        return f"summary {len(self.given)}" if self._says is None else self._says


class Absent:
    """A summariser whose model does not answer."""

    name = "absent"

    def summarise(self, previous: str | None, said: Sequence[Utterance]) -> str:
        raise Unavailable("The model does not answer. Repeat it later.", code="model")


def texts(first: int, last: int) -> list[str]:
    return [f"On day {number} I walked to the village Town{number}." for number in range(first, last + 1)]


async def say(deps: Deps, principal: Principal, *contents: str, session_id: str = "s1") -> list[str]:
    said = [make(NewEvent, content=content, name="Ann", session_id=session_id) for content in contents]
    return await ingest(deps, principal, said)


async def waiting(deps: Deps, principal: Principal) -> list[Job]:
    page = await list_jobs(deps, principal, status=None, limit=100)
    return [job for job in page.items if job.task is Task.SUMMARISE]


async def latest(deps: Deps, principal: Principal) -> Summary:
    found = await latest_summary(deps, principal, "s1")
    assert found is not None
    return found


async def test_the_window_makes_a_summary_of_all_but_its_newest_half(deps: Deps, principal: Principal) -> None:
    ids = await say(deps, principal, *texts(1, WINDOW))

    await Worker(deps).run_once()

    summary = await latest(deps, principal)
    assert (summary.up_to_position, summary.up_to_event_id) == (6, ids[5])
    assert "Town1." in summary.content
    assert "Town7." not in summary.content
    assert summary.token_count > 0
    assert summary.metadata == {"summariser": "extractive"}


async def test_short_of_the_window_there_is_no_summary_and_no_work(deps: Deps, principal: Principal) -> None:
    await say(deps, principal, *texts(1, WINDOW - 1))

    assert await waiting(deps, principal) == []
    assert await latest_summary(deps, principal, "s1") is None


async def test_each_summary_folds_the_last_one_in_and_takes_what_follows_it(deps: Deps, principal: Principal) -> None:
    scribe = Scribe()
    deps = replace(deps, summariser=scribe)

    await say(deps, principal, *texts(1, 12))
    await Worker(deps).run_once()
    await say(deps, principal, *texts(13, 17))
    await Worker(deps).run_once()
    await say(deps, principal, *texts(18, 18))
    await Worker(deps).run_once()

    assert scribe.given == [(None, texts(1, 6)), ("summary 1", texts(7, 12))]
    page = await list_summaries(deps, principal, "s1", limit=10)
    assert [(each.content, each.up_to_position) for each in page.items] == [("summary 2", 12), ("summary 1", 6)]


async def test_a_bulk_of_events_is_folded_whole(deps: Deps, principal: Principal) -> None:
    deps = replace(deps, summariser=(scribe := Scribe()))

    await say(deps, principal, *texts(1, 100))
    await Worker(deps).run_once()

    assert scribe.given == [(None, texts(1, 94))]


async def test_a_very_long_session_is_folded_in_stretches(deps: Deps, principal: Principal) -> None:
    deps = replace(deps, summariser=(scribe := Scribe()))
    total = EVENTS_AT_ONCE + 100
    await say(deps, principal, *texts(1, total))

    while await waiting(deps, principal):
        await Worker(deps).run_once()

    stretches = [texts(1, EVENTS_AT_ONCE), texts(EVENTS_AT_ONCE + 1, total - 6)]
    assert scribe.given == [(None, stretches[0]), ("summary 1", stretches[1])]


async def test_one_job_waits_however_many_events_come(deps: Deps, principal: Principal) -> None:
    for number in range(20):
        await say(deps, principal, *texts(number, number))

    assert [job.payload for job in await waiting(deps, principal)] == [{"session_id": "s1"}]


async def test_each_session_counts_for_itself(deps: Deps, principal: Principal) -> None:
    await say(deps, principal, *texts(1, 11), session_id="s2")
    await say(deps, principal, *texts(1, 12), session_id="s1")

    assert [job.payload for job in await waiting(deps, principal)] == [{"session_id": "s1"}]


async def test_the_window_is_a_setting(deps: Deps, principal: Principal) -> None:
    deps = replace(deps, summary_window=4)

    await say(deps, principal, *texts(1, 4))
    await Worker(deps).run_once()

    assert (await latest(deps, principal)).up_to_position == 2


async def test_blank_events_count_for_nothing_and_are_never_summarised(deps: Deps, principal: Principal) -> None:
    deps = replace(deps, summariser=(scribe := Scribe()))
    blanks = [" \n\t", "", "  "]

    await say(deps, principal, *blanks, *texts(1, 11))
    assert await waiting(deps, principal) == []
    await say(deps, principal, *texts(12, 12))
    await Worker(deps).run_once()

    assert scribe.given == [(None, texts(1, 6))]


async def test_carrying_a_job_out_again_changes_nothing(deps: Deps, principal: Principal) -> None:
    await say(deps, principal, *texts(1, 12))
    await Worker(deps).run_once()
    before = await list_summaries(deps, principal, "s1", limit=10)

    await deps.db.write(jobs.enqueue, [summaries.job_for(ORG, "s1")], NOW)
    await Worker(deps).run_once()

    assert await list_summaries(deps, principal, "s1", limit=10) == before
    assert await waiting(deps, principal) == []


async def test_a_worker_that_lost_its_lease_leaves_no_summary(deps: Deps, principal: Principal) -> None:
    await say(deps, principal, *texts(1, 12))
    claimed = await deps.db.write(jobs.claim, "first", deps.clock.now(), limit=10)
    mine = [job for job in claimed if job.task is Task.SUMMARISE]
    stale = [replace(job, fencing_token=job.fencing_token - 1) for job in mine]

    with pytest.raises(LeaseLost):
        await summarise_sessions(deps, stale)

    assert await latest_summary(deps, principal, "s1") is None


async def _delete(deps: Deps, event_ids: Sequence[str], *positions: int) -> int:
    def save(connection: Connection) -> int:
        events.mark_deleted(connection, ORG, event_ids, NOW)
        return summaries.forget_covering(connection, ORG, "s1", positions, NOW)

    return await deps.db.write(save)


async def test_a_summary_does_not_outlive_a_message_it_was_made_from(deps: Deps, principal: Principal) -> None:
    ids = await say(deps, principal, *texts(1, 14))
    await Worker(deps).run_once()
    assert "Town3." in (await latest(deps, principal)).content

    assert await _delete(deps, [ids[2]], 3) == 1

    assert await latest_summary(deps, principal, "s1") is None
    await Worker(deps).run_once()
    assert "Town3." not in (await latest(deps, principal)).content


async def test_a_message_behind_every_summary_takes_none_with_it(deps: Deps, principal: Principal) -> None:
    ids = await say(deps, principal, *texts(1, 14))
    await Worker(deps).run_once()

    assert await _delete(deps, [ids[13]], 14) == 0
    assert await _delete(deps, []) == 0

    assert (await latest(deps, principal)).up_to_position == 8
    assert await waiting(deps, principal) == []


async def test_summaries_that_end_before_a_deleted_message_stay(deps: Deps, principal: Principal) -> None:
    await say(deps, principal, *texts(1, 12))
    await Worker(deps).run_once()
    later = await say(deps, principal, *texts(13, 18))
    await Worker(deps).run_once()

    assert await _delete(deps, later[:1], 11, 12) == 1

    assert (await latest(deps, principal)).up_to_position == 6


async def test_the_summaries_of_a_deleted_session_go_at_once_and_no_new_one_comes(
    deps: Deps, principal: Principal
) -> None:
    await say(deps, principal, *texts(1, 12))
    await Worker(deps).run_once()

    assert await deps.db.write(summaries.hide_of_session, ORG, "s1", NOW) == 1

    assert await latest_summary(deps, principal, "s1") is None
    assert await waiting(deps, principal) == []


class Deleting(Scribe):
    """While this summariser thinks, somebody deletes an event."""

    def __init__(self, deps: Deps, event_id: str) -> None:
        super().__init__()
        self._deps, self._event_id = deps, event_id
        self._loop = asyncio.get_running_loop()

    def summarise(self, previous: str | None, said: Sequence[Utterance]) -> str:
        deletion = self._deps.db.write(events.mark_deleted, ORG, [self._event_id], NOW)
        asyncio.run_coroutine_threadsafe(deletion, self._loop).result(timeout=10)
        return super().summarise(previous, said)


async def test_a_message_deleted_while_its_summary_is_made_leaves_no_trace(deps: Deps, principal: Principal) -> None:
    ids = await say(deps, principal, *texts(1, 13))

    await Worker(replace(deps, summariser=Deleting(deps, ids[0]))).run_once()

    assert await latest_summary(deps, principal, "s1") is None
    assert len(await waiting(deps, principal)) == 1
    await Worker(deps).run_once()
    assert "Town1." not in (await latest(deps, principal)).content


async def test_rules_choose_sentences_when_the_model_does_not_answer(deps: Deps, principal: Principal) -> None:
    deps = replace(deps, summariser=Absent())

    await say(deps, principal, *texts(1, 12))
    await Worker(deps).run_once()

    summary = await latest(deps, principal)
    assert "Town1." in summary.content
    assert summary.metadata == {"summariser": "extractive"}


@pytest.mark.parametrize(("says", "starts_with"), [("  \n", "2026-01-01 Ann: "), ("word " * 999, "word word")])
async def test_what_a_model_says_is_bounded_and_never_blank(
    deps: Deps, principal: Principal, says: str, starts_with: str
) -> None:
    deps = replace(deps, summariser=Scribe(says))

    await say(deps, principal, *texts(1, 12))
    await Worker(deps).run_once()

    content = (await latest(deps, principal)).content
    assert content.startswith(starts_with)
    assert len(content) <= MAX_SUMMARY_CHARS


async def test_pages_of_summaries_hold_each_one_once(deps: Deps, principal: Principal) -> None:
    deps = replace(deps, summary_window=2)
    for number in range(1, 7):
        await say(deps, principal, *texts(number, number))
        await Worker(deps).run_once()

    first = await list_summaries(deps, principal, "s1", limit=3)
    second = await list_summaries(deps, principal, "s1", limit=3, cursor=first.next_cursor)

    assert [each.up_to_position for each in [*first.items, *second.items]] == [5, 4, 3, 2, 1]
    assert second.next_cursor is None


async def test_another_orgs_session_has_no_summary_to_show(deps: Deps, principal: Principal) -> None:
    await say(deps, principal, *texts(1, 12))
    await Worker(deps).run_once()
    await deps.db.write(orgs.add, "other", "Other", NOW)
    stranger = Principal("other", "their-key", ALL_SCOPES)

    with pytest.raises(NotFound):
        await latest_summary(deps, stranger, "s1")
    with pytest.raises(NotFound):
        await list_summaries(deps, stranger, "s1", limit=10)


async def test_what_the_assistant_said_is_told_as_the_assistants(deps: Deps, principal: Principal) -> None:
    said = [
        make(NewEvent, kind=EventKind.ASSISTANT_MESSAGE, content=f"Train {number} leaves at {number} pm from Porto.")
        for number in range(1, 13)
    ]
    await ingest(deps, principal, said)

    await Worker(deps).run_once()

    assert (await latest(deps, principal)).content.startswith("2026-01-01 assistant: Train")
