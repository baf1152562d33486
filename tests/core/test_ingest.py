"""Accepting events: ids in order, each thing said stored once, all of a batch or nothing, and the work with it."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from memcairn.core.deps import Deps
from memcairn.core.events import EventFilter, list_events
from memcairn.core.idempotency import InFlight, repeatable_request
from memcairn.core.ingest import COLLAPSE_WITHIN, EVENTS_PER_JOB, ingest, statuses, wait_until_processed
from memcairn.domain.clock import FrozenClock
from memcairn.domain.errors import Conflict, Forbidden, Invalid
from memcairn.domain.events import Event, EventKind, EventStatus, NewEvent
from memcairn.domain.jobs import Job, Task
from memcairn.domain.keys import KeyScope, Principal
from memcairn.store import events, jobs
from memcairn.store.idempotency import KEEP_FOR
from tests.build import NOW, ORG, make

pytestmark = pytest.mark.anyio

SECOND = timedelta(seconds=1)


def said(*texts: str, **fields: Any) -> list[NewEvent]:
    return [make(NewEvent, content=words, **fields) for words in texts]


async def stored(deps: Deps) -> list[Event]:
    return await deps.db.read(events.page, ORG, EventFilter(), after=None, limit=10_000)


async def queued(deps: Deps) -> list[Job]:
    """The jobs that will make memories of events."""
    found = await deps.db.read(jobs.page, ORG, status=None, after=None, limit=1_000)
    return [job for job in found if job.task is Task.PROCESS_EVENTS]


class TestIds:
    async def test_ids_come_in_the_order_of_the_events(self, deps: Deps, principal: Principal) -> None:
        ids = await ingest(deps, principal, [*said("one"), *said("two", event_id="mine"), *said("three")])

        found = await deps.db.read(events.by_ids, ORG, ids)
        assert [(event.content, event.position) for event in found] == [("one", 1), ("two", 2), ("three", 3)]
        assert ids[1] == "mine"

    async def test_what_is_stored_is_what_was_said(self, deps: Deps, principal: Principal) -> None:
        new = make(
            NewEvent,
            kind=EventKind.ASSISTANT_MESSAGE,
            content="Olá!",
            name="Bot",
            role="helper",
            occurred_at=NOW - timedelta(days=3),
            metadata={"a": {"b": [1, None]}},
            role_id="r",
            team_id="t",
        )

        [event_id] = await ingest(deps, principal, [new])

        [event] = await stored(deps)
        for name in NewEvent.__slots__:
            assert getattr(event, name) == (event_id if name == "event_id" else getattr(new, name))
        assert (event.status, event.created_at) == (EventStatus.PENDING, NOW)

    async def test_an_event_without_a_time_was_said_now(self, deps: Deps, principal: Principal) -> None:
        await ingest(deps, principal, said("hello"))

        assert [event.occurred_at for event in await stored(deps)] == [NOW]

    async def test_sessions_of_one_batch_count_their_own_positions(self, deps: Deps, principal: Principal) -> None:
        batch = [make(NewEvent, content=f"{n}", session_id=f"s{n % 2}") for n in range(5)]
        await ingest(deps, principal, batch)
        await ingest(deps, principal, said("next", session_id="s1"))

        places = {event.content: (event.session_id, event.position) for event in await stored(deps)}
        assert places == {
            "0": ("s0", 1),
            "1": ("s1", 1),
            "2": ("s0", 2),
            "3": ("s1", 2),
            "4": ("s0", 3),
            "next": ("s1", 3),
        }

    async def test_an_event_sent_again_under_its_id_is_left_as_it_is(self, deps: Deps, principal: Principal) -> None:
        first = await ingest(deps, principal, said("hello", event_id="mine"))
        again = await ingest(deps, principal, said("hello", event_id="mine"))

        assert first == again == ["mine"]
        assert len(await stored(deps)) == 1

    async def test_an_id_of_another_org_is_free(self, deps: Deps, principal: Principal) -> None:
        stranger = Principal("other", "k", principal.scopes)
        await ingest(deps, principal, said("hello", event_id="mine"))

        assert await ingest(deps, stranger, said("something else", event_id="mine")) == ["mine"]
        assert [event.content for event in await stored(deps)] == ["hello"]


class TestConflicts:
    async def test_nothing_of_the_batch_is_stored(self, deps: Deps, principal: Principal) -> None:
        await ingest(deps, principal, said("hello", event_id="mine"))
        batch = [*said("first"), *said("changed", event_id="mine"), *said("last")]

        with pytest.raises(Conflict, match="'mine'") as refused:
            await ingest(deps, principal, batch)

        assert refused.value.code == "event_exists"
        assert [event.content for event in await stored(deps)] == ["hello"]
        assert len(await queued(deps)) == 1

    async def test_one_id_cannot_say_two_things_in_one_batch(self, deps: Deps, principal: Principal) -> None:
        with pytest.raises(Conflict):
            await ingest(deps, principal, said("one", "two", event_id="mine"))

        assert await stored(deps) == []

    async def test_a_deleted_events_id_stays_taken(self, deps: Deps, principal: Principal) -> None:
        await ingest(deps, principal, said("hello", event_id="mine"))
        await deps.db.write(events.mark_deleted, ORG, ["mine"], NOW)

        with pytest.raises(Conflict):
            await ingest(deps, principal, said("changed", event_id="mine"))
        assert await ingest(deps, principal, said("hello", event_id="mine")) == ["mine"]
        assert await stored(deps) == []

    async def test_a_key_without_the_right_stores_nothing(self, deps: Deps, principal: Principal) -> None:
        reader = Principal(ORG, "k", frozenset({KeyScope.READ}))

        with pytest.raises(Forbidden):
            await ingest(deps, reader, said("hello"))

        assert await stored(deps) == []


class TestCollapse:
    async def test_equal_events_within_a_minute_are_one(
        self, deps: Deps, principal: Principal, clock: FrozenClock
    ) -> None:
        [first] = await ingest(deps, principal, said("hello"))
        clock.advance(COLLAPSE_WITHIN - SECOND)

        second, third, other = await ingest(deps, principal, said("hello", "hello", "other"))

        assert second == third == first
        assert other != first
        assert [event.content for event in await stored(deps)] == ["hello", "other"]

    async def test_a_minute_later_it_is_said_again(self, deps: Deps, principal: Principal, clock: FrozenClock) -> None:
        [first] = await ingest(deps, principal, said("hello"))
        clock.advance(COLLAPSE_WITHIN)

        [second] = await ingest(deps, principal, said("hello"))

        assert second != first
        assert len(await stored(deps)) == 2

    @pytest.mark.parametrize(
        "other",
        [
            {"actor_id": "bob"},
            {"session_id": "s2"},
            {"kind": EventKind.APP_EVENT},
            {"content": "hello "},
            {"name": "Ann"},
            {"occurred_at": NOW},
            {"event_id": "mine"},
        ],
    )
    async def test_what_differs_is_another_event(self, deps: Deps, principal: Principal, other: dict[str, Any]) -> None:
        new = make(NewEvent, content="hello")

        first, second = await ingest(deps, principal, [new, make(NewEvent, **{"content": "hello"} | other)])

        assert first != second
        assert len(await stored(deps)) == 2

    async def test_another_orgs_words_are_not_ours(self, deps: Deps, principal: Principal) -> None:
        [ours] = await ingest(deps, principal, said("hello"))
        [theirs] = await ingest(deps, Principal("other", "k", principal.scopes), said("hello"))

        assert ours != theirs

    async def test_senders_at_once_agree_on_one_event(self, deps: Deps, principal: Principal) -> None:
        answers = await asyncio.gather(*(ingest(deps, principal, said("hello")) for _ in range(10)))

        assert len({event_id for [event_id] in answers}) == 1
        assert len(await stored(deps)) == 1

    async def test_only_what_was_stored_is_counted_as_accepted(self, deps: Deps, principal: Principal) -> None:
        await ingest(deps, principal, said("hello", "hello", "other"))
        await ingest(deps, principal, said("hello"))

        counted = deps.metrics.render().decode()
        assert 'outcome="accepted"} 2.0' in counted
        assert 'outcome="collapsed"} 2.0' in counted


class TestWork:
    async def test_every_stored_event_is_in_one_job_of_its_actor(self, deps: Deps, principal: Principal) -> None:
        batch = [make(NewEvent, content=f"{n}", actor_id=("ann", "bob")[n % 3 == 0]) for n in range(7)]
        ids = await ingest(deps, principal, batch)

        work = {job.serial_key: job.payload["event_ids"] for job in await queued(deps)}
        assert work == {
            f"{ORG}:bob": [ids[n] for n in (0, 3, 6)],
            f"{ORG}:ann": [ids[n] for n in (1, 2, 4, 5)],
        }

    async def test_large_batches_become_several_jobs(self, deps: Deps, principal: Principal) -> None:
        ids = await ingest(deps, principal, said(*(f"{n}" for n in range(2 * EVENTS_PER_JOB + 1))))

        work = [job.payload["event_ids"] for job in await queued(deps)]
        assert [len(event_ids) for event_ids in work] == [EVENTS_PER_JOB, EVENTS_PER_JOB, 1]
        assert [event_id for event_ids in work for event_id in event_ids] == ids

    async def test_nothing_new_makes_no_work(self, deps: Deps, principal: Principal) -> None:
        await ingest(deps, principal, said("hello", event_id="mine"))
        await ingest(deps, principal, said("hello", event_id="mine"))

        assert len(await queued(deps)) == 1

    async def test_waiting_ends_when_nothing_is_pending(self, deps: Deps, principal: Principal) -> None:
        ids = await ingest(deps, principal, said("one", "two"))
        waiting = asyncio.ensure_future(wait_until_processed(deps, principal, ids))
        await deps.db.write(events.mark, ORG, ids[:1], EventStatus.COMPLETED, now=NOW)
        await deps.db.write(events.mark, ORG, ids[1:], EventStatus.FAILED, now=NOW, error="it broke")

        assert [(state.status, state.error) for state in await waiting] == [
            (EventStatus.COMPLETED, None),
            (EventStatus.FAILED, "it broke"),
        ]

    async def test_waiting_ends_when_it_takes_too_long(
        self, deps: Deps, principal: Principal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("memcairn.core.ingest.WAIT_SECONDS", 0.01)
        ids = await ingest(deps, principal, said("one"))

        assert [state.status for state in await wait_until_processed(deps, principal, ids)] == [EventStatus.PENDING]

    async def test_states_are_answered_in_order_and_strangers_have_none(self, deps: Deps, principal: Principal) -> None:
        [event_id] = await ingest(deps, principal, said("one"))
        stranger = Principal("other", "k", principal.scopes)

        states = await statuses(deps, principal, ["nobody", event_id, event_id])

        assert [state.status for state in states] == [None, EventStatus.PENDING, EventStatus.PENDING]
        assert [state.status for state in await statuses(deps, stranger, [event_id])] == [None]


class TestIdempotency:
    async def send(self, deps: Deps, principal: Principal, *texts: str, key: str = "once") -> Sequence[str]:
        repeatable = repeatable_request(key, "POST /v1/events", list(texts))
        return await ingest(deps, principal, said(*texts), repeatable=repeatable)

    async def test_the_same_request_has_one_effect_and_one_answer(
        self, deps: Deps, principal: Principal, clock: FrozenClock
    ) -> None:
        first = await self.send(deps, principal, "one", "two")
        clock.advance(KEEP_FOR - SECOND)

        assert await self.send(deps, principal, "one", "two") == first
        assert len(await stored(deps)) == 2

    async def test_after_a_day_the_key_is_free(self, deps: Deps, principal: Principal, clock: FrozenClock) -> None:
        first = await self.send(deps, principal, "one")
        clock.advance(KEEP_FOR)

        assert await self.send(deps, principal, "one") != first
        assert await self.send(deps, principal, "one") != first

    async def test_another_body_under_the_same_key_is_refused(self, deps: Deps, principal: Principal) -> None:
        await self.send(deps, principal, "one")

        with pytest.raises(Invalid, match="'once'") as refused:
            await self.send(deps, principal, "two")

        assert refused.value.code == "idempotency_mismatch"
        assert [event.content for event in await stored(deps)] == ["one"]

    async def test_a_refused_request_leaves_its_key_free(self, deps: Deps, principal: Principal) -> None:
        await ingest(deps, principal, said("hello", event_id="mine"))
        changed = repeatable_request("once", "POST /v1/events", ["changed"])

        with pytest.raises(Conflict):
            await ingest(deps, principal, said("changed", event_id="mine"), repeatable=changed)

        assert len(await self.send(deps, principal, "one")) == 1

    async def test_a_key_belongs_to_who_sent_it(self, deps: Deps, principal: Principal) -> None:
        first = await self.send(deps, principal, "one")

        other_key = await self.send(deps, Principal(ORG, "another", principal.scopes), "two")

        assert other_key != first

    def test_the_order_of_fields_does_not_make_another_request(self) -> None:
        one = repeatable_request("k", "POST /", {"a": 1, "b": [1, 2]})
        same = repeatable_request("k", "POST /", {"b": [1, 2], "a": 1})
        other = repeatable_request("k", "POST /", {"b": [2, 1], "a": 1})
        elsewhere = repeatable_request("k", "POST /else", {"a": 1, "b": [1, 2]})

        assert one == same
        assert one not in (other, elsewhere)

    @pytest.mark.parametrize("key", ["", " ", "x" * 257, "line\nbreak", "\x00"])
    def test_an_unusable_key_is_refused(self, key: str) -> None:
        with pytest.raises(Invalid) as refused:
            repeatable_request(key, "POST /", {})

        assert refused.value.code == "invalid_idempotency_key"

    def test_while_a_request_is_under_way_its_double_is_turned_away(self, principal: Principal) -> None:
        in_flight = InFlight()
        one, other = (repeatable_request(key, "POST /", {}) for key in ("one", "other"))

        with in_flight.hold(principal, one), in_flight.hold(principal, other), in_flight.hold(principal, None):
            with pytest.raises(Conflict) as refused, in_flight.hold(principal, one):
                pass
            assert refused.value.code == "idempotency_in_flight"

        with in_flight.hold(principal, one):
            pass


class TestListing:
    async def test_pages_are_exact_while_events_come_and_go(
        self, deps: Deps, principal: Principal, clock: FrozenClock
    ) -> None:
        ids = await ingest(deps, principal, said(*(f"{n}" for n in range(9))))
        seen: list[str] = []
        cursor = None
        for turn in range(20):
            page = await list_events(deps, principal, EventFilter(), limit=2, cursor=cursor)
            seen += [event.event_id for event in page.items]
            clock.advance(SECOND)
            if turn == 1:
                await deps.db.write(events.mark_deleted, ORG, [ids[0], ids[5]], NOW)
                ids += await ingest(deps, principal, said("late"))
            if page.next_cursor is None:
                break
            cursor = page.next_cursor

        assert seen == [event_id for event_id in ids if event_id != ids[5]]

    async def test_a_cursor_of_another_filter_is_refused(self, deps: Deps, principal: Principal) -> None:
        await ingest(deps, principal, said("one", "two"))
        page = await list_events(deps, principal, EventFilter(), limit=1)

        with pytest.raises(Invalid) as refused:
            await list_events(deps, principal, EventFilter(actor_id="ann"), limit=1, cursor=page.next_cursor)

        assert refused.value.code == "invalid_cursor"
