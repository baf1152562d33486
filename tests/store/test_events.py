"""The log and its sessions: positions without gaps, and only what is live."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy.event import listen, remove

from memcairn.domain.events import Event, EventKind, EventStatus
from memcairn.store import counters, events, sessions
from memcairn.store.batches import MAX_IDS_PER_STATEMENT
from memcairn.store.database import Database, SqliteDatabase
from memcairn.store.events import EventFilter, Mark
from tests.build import NOW, ORG, at, digest, make

pytestmark = pytest.mark.anyio

ANY = EventFilter()


def say(connection: Connection, *spoken: Event) -> None:
    """Store events, each at the next position of its session."""
    for event in spoken:
        [position] = sessions.reserve(connection, event.org_id, {event.session_id: 1}, event.created_at).values()
        placed = make(Event, **{name: getattr(event, name) for name in Event.__slots__} | {"position": position})
        events.add(connection, [placed], [digest(event.content)])


class TestPositions:
    async def test_concurrent_writers_get_consecutive_positions(self, database: Database) -> None:
        async def reserve(count: int) -> range:
            first = (await database.write(sessions.reserve, ORG, {"s1": count}, NOW))["s1"]
            return range(first, first + count)

        reserved = await asyncio.gather(*(reserve(1 + n % 3) for n in range(30)))

        taken = sorted(position for positions in reserved for position in positions)
        assert taken == list(range(1, 61))

    async def test_work_that_was_undone_leaves_no_gap(self, database: Database) -> None:
        def reserve_and_fail(connection: Connection) -> None:
            sessions.reserve(connection, ORG, {"s1": 5}, NOW)
            raise LookupError("no")

        with pytest.raises(LookupError):
            await database.write(reserve_and_fail)

        assert await database.write(sessions.reserve, ORG, {"s1": 1}, NOW) == {"s1": 1}

    async def test_each_session_and_each_org_counts_for_itself(self, database: Database) -> None:
        await database.write(sessions.reserve, ORG, {"s1": 3}, NOW)

        assert await database.write(sessions.reserve, ORG, {"s2": 1}, NOW) == {"s2": 1}
        assert await database.write(sessions.reserve, "other", {"s1": 1}, NOW) == {"s1": 1}
        assert await database.write(sessions.reserve, ORG, {"s1": 1}, NOW) == {"s1": 4}

    async def test_many_new_sessions_take_as_many_statements_as_one(self, database: Database) -> None:
        def statements(connection: Connection, counts: dict[str, int]) -> int:
            sent: list[str] = []

            def note(_connection: Connection, _cursor: object, statement: str, *_rest: object) -> None:
                sent.append(statement)

            listen(connection, "before_cursor_execute", note)
            sessions.reserve(connection, ORG, counts, NOW)
            remove(connection, "before_cursor_execute", note)
            return len(sent)

        one = await database.write(statements, {"only": 1})
        many = await database.write(statements, {f"s{number}": 2 for number in range(100)})

        assert many == one

    async def test_counters_start_where_they_are_told(self, database: Database) -> None:
        first = await database.write(counters.take, ORG, "rows", count=3, start=100)
        second = await database.write(counters.take, ORG, "rows", start=100)

        assert (first, second) == (101, 104)


class TestReading:
    async def test_an_event_comes_back_as_it_went_in(self, database: Database) -> None:
        event = make(
            Event,
            kind=EventKind.TOOL_RESULT,
            content="ünï \U0001f600 'quoted'",
            name="Zoë",
            role="helper",
            metadata={"deep": [1, None, {"é": 0.5}]},
            role_id="r1",
            team_id="t1",
            occurred_at=at(23, 59, 59) + timedelta(microseconds=999_999),
        )

        await database.write(say, event)

        assert await database.read(events.by_ids, ORG, [event.event_id]) == [event]

    async def test_ids_are_answered_in_the_order_asked_for_and_without_strangers(self, database: Database) -> None:
        first, second = make(Event, event_id="a"), make(Event, event_id="b")
        await database.write(say, first, second)

        found = await database.read(events.by_ids, ORG, ["b", "nobody", "a", "b"])

        assert [event.event_id for event in found] == ["b", "a"]
        assert await database.read(events.by_ids, "other", ["a", "b"]) == []

    async def test_more_ids_than_one_statement_takes(self, database: Database) -> None:
        spoken = [make(Event, event_id=f"e{n}") for n in range(MAX_IDS_PER_STATEMENT + 1)]
        await database.write(say, *spoken)
        ids = [event.event_id for event in spoken]

        assert [event.event_id for event in await database.read(events.by_ids, ORG, ids)] == ids
        assert len(await database.read(events.states, ORG, ids)) == len(ids)

    async def test_a_deleted_event_is_in_no_answer_but_keeps_its_id(self, database: Database) -> None:
        event = make(Event, event_id="a", content="secret")
        await database.write(say, event)

        count = await database.write(events.mark_deleted, ORG, ["a", "nobody"], NOW)

        assert count == 1
        assert await database.read(events.by_ids, ORG, ["a"]) == []
        assert await database.read(events.states, ORG, ["a"]) == {}
        assert await database.read(events.page, ORG, ANY, after=None, limit=10) == []
        assert await database.read(events.pending, ORG, where=ANY, words=(), limit=10) == []
        assert await database.read(events.ids_by_digest, ORG, [digest("secret")], at(day=1) - timedelta(days=1)) == {}
        assert await database.read(events.digests_by_id, ORG, ["a"]) == {"a": digest("secret")}
        assert [event.event_id for event in await database.read(events.by_ids, ORG, ["a"], deleted=True)] == ["a"]
        assert await database.write(events.mark_deleted, ORG, ["a"], NOW) == 0

    async def test_the_first_of_equal_events_within_the_window_is_found(self, database: Database) -> None:
        spoken = [make(Event, event_id=f"e{hour}", content="hi", created_at=at(hour)) for hour in (1, 2, 3)]
        await database.write(say, *reversed(spoken))

        async def first_since(hour: int) -> dict[bytes, str]:
            return await database.read(events.ids_by_digest, ORG, [digest("hi"), digest("other")], at(hour))

        assert await first_since(0) == {digest("hi"): "e1"}
        assert await first_since(1) == {digest("hi"): "e2"}
        assert await first_since(3) == {}

    async def test_marking_sets_status_and_error_of_these_alone(self, database: Database) -> None:
        await database.write(say, make(Event, event_id="a"), make(Event, event_id="b"))

        await database.write(events.mark, ORG, ["a"], EventStatus.FAILED, now=at(1), error="it broke")
        await database.write(events.mark, "other", ["b"], EventStatus.FAILED, now=at(1), error="it broke")

        assert await database.read(events.states, ORG, ["a", "b"]) == {
            "a": (EventStatus.FAILED, "it broke"),
            "b": (EventStatus.PENDING, None),
        }


class TestPages:
    async def test_events_of_one_request_are_listed_as_they_were_said(self, database: Database) -> None:
        said = ["m-10", "m-9", "m-11"]
        await database.write(say, *(make(Event, event_id=event_id) for event_id in said))

        listed = await database.read(events.page, ORG, ANY, after=None, limit=10)

        assert [event.event_id for event in listed] == said

    async def test_pages_hold_every_event_once(self, database: Database) -> None:
        spoken = [
            make(Event, event_id=f"e{n % 7}-{n}", session_id=f"s{n % 2}", created_at=at(n // 4)) for n in range(20)
        ]
        await database.write(say, *spoken)

        listed: list[Event] = []
        after = None
        while page := await database.read(events.page, ORG, ANY, after=after, limit=3):
            listed += page
            after = Mark(page[-1].created_at, page[-1].position, page[-1].event_id)

        assert sorted(event.event_id for event in listed) == sorted(event.event_id for event in spoken)
        assert [event.created_at for event in listed] == sorted(event.created_at for event in spoken)

    @pytest.mark.parametrize(
        ("where", "expected"),
        [
            (EventFilter(session_id="s2"), ["b"]),
            (EventFilter(actor_id="bob"), ["c"]),
            (EventFilter(kind="app_event"), ["d"]),
            (EventFilter(status="pending", actor_id="ann"), ["a", "b", "d"]),
            (EventFilter(status="completed"), []),
        ],
    )
    async def test_filters_are_conditions_that_all_hold(
        self, database: Database, where: EventFilter, expected: list[str]
    ) -> None:
        await database.write(
            say,
            make(Event, event_id="a"),
            make(Event, event_id="b", session_id="s2"),
            make(Event, event_id="c", actor_id="bob"),
            make(Event, event_id="d", kind=EventKind.APP_EVENT),
        )

        listed = await database.read(events.page, ORG, where, after=None, limit=10)

        assert sorted(event.event_id for event in listed) == expected


class TestPending:
    async def test_the_newest_that_contain_a_word_in_any_case(self, database: Database) -> None:
        texts = ["Lisbon is warm", "nothing here", "LISBON again", "Porto"]
        spoken = [make(Event, event_id=f"e{n}", content=text, created_at=at(n)) for n, text in enumerate(texts)]
        await database.write(say, *spoken)
        await database.write(events.mark, ORG, ["e3"], EventStatus.COMPLETED, now=at(9))

        found = await database.read(events.pending, ORG, where=ANY, words=("lisbon", "porto"), limit=10)
        newest = await database.read(events.pending, ORG, where=ANY, words=(), limit=2)

        assert [event.event_id for event in found] == ["e2", "e0"]
        assert [event.event_id for event in newest] == ["e2", "e1"]

    async def test_a_word_is_no_pattern(self, database: Database) -> None:
        await database.write(say, make(Event, event_id="a", content="100 percent"))

        assert await database.read(events.pending, ORG, where=ANY, words=("1%", "1_0", "%"), limit=10) == []


async def test_pages_by_time_are_counted_off_in_an_index_alone(sqlite_database: SqliteDatabase) -> None:
    def ask(connection: Connection) -> list[str]:
        asked: list[tuple[str, Any]] = []

        def note(*call: Any) -> None:
            asked.append((call[2], call[3]))

        listen(connection, "before_cursor_execute", note)
        events.page_by_time(connection, ORG, ANY, newest_first=True, skip=5_000, limit=10)
        remove(connection, "before_cursor_execute", note)
        statement, bound = asked[0]
        return [row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", bound)]

    plan = await sqlite_database.read(ask)

    assert plan == ["SEARCH events USING COVERING INDEX ix_events_time (org_id=?)"]


async def test_what_is_erased_goes_in_the_order_it_was_said(database: Database) -> None:
    spoken = [
        make(Event, event_id=f"e{9 - number}", actor_id="ana" if number % 2 else "bob", created_at=at(number))
        for number in range(6)
    ]

    def store_and_ask(connection: Connection) -> list[str]:
        say(connection, *reversed(spoken))
        session_id = spoken[0].session_id
        return events.to_erase_of(connection, ORG, actor_id="ana", session_ids=[session_id], limit=4)

    assert await database.write(store_and_ask) == ["e9", "e8", "e7", "e6"]
