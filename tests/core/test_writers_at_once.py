"""Several requests and workers at once on one database: each effect once, and none lost."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest
from sqlalchemy import Connection, select

from memcairn.core.deps import Deps
from memcairn.core.idempotency import repeatable_request
from memcairn.core.ingest import ingest
from memcairn.core.keys import issue_key
from memcairn.core.messages import add_messages, update_message_metadata
from memcairn.core.sessions import create_session, delete_session, update_session
from memcairn.core.users import create_user, update_user
from memcairn.domain.conversations import NewMessage
from memcairn.domain.errors import Conflict, Forbidden
from memcairn.domain.events import EventKind, NewEvent
from memcairn.domain.keys import KeyScope, Principal
from memcairn.pipeline.worker import Worker
from memcairn.store import jobs, memories, orgs
from memcairn.store.database import Database
from memcairn.store.memories import MemoryFilter
from memcairn.store.schema import events, sessions
from tests.build import ORG
from tests.store.test_tallies import assert_exact

pytestmark = pytest.mark.anyio

MANY = 8


def said(content: str, *, actor: str = "ann", session: str = "s", event_id: str | None = None) -> NewEvent:
    return replace(NewEvent(actor, session, EventKind.USER_MESSAGE, content), event_id=event_id)


async def positions(database: Database, session: str = "s") -> list[int]:
    def load(connection: Connection) -> list[int]:
        statement = select(events.c.position).where(events.c.org_id == ORG, events.c.session_id == session)
        return list(connection.execute(statement.order_by(events.c.position)).scalars())

    return await database.read(load)


class TestIngest:
    async def test_positions_of_a_new_session_follow_one_another(
        self, deps: Deps, database: Database, principal: Principal
    ) -> None:
        await asyncio.gather(*(ingest(deps, principal, [said(f"{n}"), said(f"{n}b")]) for n in range(MANY)))

        assert await positions(database) == list(range(1, 2 * MANY + 1))

    async def test_equal_events_are_stored_once(self, deps: Deps, database: Database, principal: Principal) -> None:
        ids = await asyncio.gather(*(ingest(deps, principal, [said("the same")]) for _ in range(MANY)))

        assert len({event_id for [event_id] in ids}) == 1
        assert await positions(database) == [1]

    async def test_one_id_is_taken_once(self, deps: Deps, database: Database, principal: Principal) -> None:
        again = [said("the same", event_id="e1")]

        ids = await asyncio.gather(*(ingest(deps, principal, again) for _ in range(MANY)))

        assert ids == [["e1"]] * MANY
        assert await positions(database) == [1]

    async def test_a_request_sent_again_before_it_was_answered_has_one_effect(
        self, deps: Deps, database: Database, principal: Principal
    ) -> None:
        async def send() -> list[str]:
            key = repeatable_request("k", "/events", {"n": 1})
            return await add_messages(deps, principal, "s", [NewMessage("user", "hello")], repeatable=key)

        answers = await asyncio.gather(*(send() for _ in range(MANY)))

        assert len({tuple(answer) for answer in answers}) == 1
        assert await positions(database) == [1]

    async def test_crossing_batches_over_the_same_sessions_all_come_through(
        self, deps: Deps, database: Database, principal: Principal
    ) -> None:
        names = [f"s{n}" for n in range(MANY)]
        there = [said(f"there {name}", session=name) for name in names]
        back = [said(f"back {name}", session=name) for name in reversed(names)]

        await asyncio.gather(*(ingest(deps, principal, batch) for batch in (there, back, there[::-1], back[::-1])))

        for name in names:
            assert await positions(database, name) == [1, 2]


class TestMerging:
    async def test_different_keys_of_a_session_all_survive(self, deps: Deps, principal: Principal) -> None:
        await create_session(deps, principal, "s", metadata={"deep": {}})

        await asyncio.gather(
            *(update_session(deps, principal, "s", metadata={"deep": {f"k{n}": n}}) for n in range(MANY))
        )

        after = await update_session(deps, principal, "s")
        assert after.metadata == {"deep": {f"k{n}": n for n in range(MANY)}}

    async def test_different_keys_of_a_user_all_survive(self, deps: Deps, principal: Principal) -> None:
        await create_user(deps, principal, "ann")

        await asyncio.gather(*(update_user(deps, principal, "ann", metadata={f"k{n}": n}) for n in range(MANY)))

        assert (await update_user(deps, principal, "ann")).metadata == {f"k{n}": n for n in range(MANY)}

    async def test_different_keys_of_a_message_all_survive(self, deps: Deps, principal: Principal) -> None:
        [message_id] = await add_messages(deps, principal, "s", [NewMessage("user", "hello")])

        await asyncio.gather(
            *(update_message_metadata(deps, principal, "s", message_id, metadata={f"k{n}": n}) for n in range(MANY))
        )

        after = await update_message_metadata(deps, principal, "s", message_id, metadata={})
        assert after.metadata == {f"k{n}": n for n in range(MANY)}


class TestMaking:
    async def test_a_session_is_made_once(self, deps: Deps, principal: Principal) -> None:
        made = await asyncio.gather(
            *(create_session(deps, principal, "s") for _ in range(MANY)), return_exceptions=True
        )

        assert Counter(map(type, made))[Conflict] == MANY - 1

    async def test_an_org_gets_as_many_keys_as_it_may_have(self, deps: Deps, principal: Principal) -> None:
        few = replace(deps, keys_per_org=3)
        scopes = frozenset({KeyScope.READ})

        made = await asyncio.gather(
            *(issue_key(few, principal, name=f"{n}", scopes=scopes) for n in range(MANY)), return_exceptions=True
        )

        assert Counter(map(type, made))[Forbidden] == MANY - 3

    async def test_orgs_made_at_once_get_numbers_of_their_own(self, deps: Deps, database: Database) -> None:
        await asyncio.gather(*(database.write(orgs.add, f"org{n}", "", deps.clock.now()) for n in range(MANY)))

        numbers = [org.number for org in await database.read(orgs.every)]
        assert len(set(numbers)) == len(numbers) == MANY + 1


class TestWorkers:
    async def test_a_job_is_leased_to_one_and_an_actor_to_one_at_a_time(
        self, deps: Deps, database: Database, principal: Principal
    ) -> None:
        for n in range(24):
            await ingest(deps, principal, [said(f"{n}", actor=f"actor{n % 4}", session=f"s{n % 4}")])

        claimed = await asyncio.gather(
            *(database.write(jobs.claim, f"w{n}", deps.clock.now(), limit=3) for n in range(MANY))
        )

        leased = [job.job_id for its in claimed for job in its]
        assert len(leased) == len(set(leased)) > 0
        by_key = [{job.serial_key for job in its} for its in claimed]
        assert sum(map(len, by_key)) == len(set().union(*by_key))

    async def test_together_they_derive_everything_once_and_count_it_right(
        self, deps: Deps, database: Database, principal: Principal
    ) -> None:
        actors = [f"actor{n}" for n in range(6)]
        for town in ("Bergen", "Ghent", "Lisbon"):
            for actor in actors:
                await ingest(deps, principal, [said(f"I live in {town}.", actor=actor, session=actor)])
        workers = [Worker(deps) for _ in range(4)]

        async def run(worker: Worker) -> None:
            for _ in range(10):
                await worker.run_once()

        await asyncio.gather(*map(run, workers))

        for actor in actors:
            found = await database.read(
                memories.page, ORG, MemoryFilter(actor_id=actor), sort="observed_at_asc", limit=100
            )
            texts = [memory.text for memory in found]
            assert len(texts) == len(set(texts))
            homes = [memory for memory in found if memory.slot is not None]
            assert [(home.text.split()[-1], home.status.value) for home in homes] == [
                ("Bergen", "superseded"),
                ("Ghent", "superseded"),
                ("Lisbon", "active"),
            ]
        await database.read(assert_exact)

    async def test_what_is_deleted_while_it_is_derived_is_in_no_memory(
        self, deps: Deps, database: Database, principal: Principal
    ) -> None:
        for n in range(6):
            await ingest(deps, principal, [said(f"I live in Bergen {n}.", actor=f"a{n}", session=f"s{n}")])
        worker = Worker(deps)

        await asyncio.gather(worker.run_once(), *(delete_session(deps, principal, f"s{n}") for n in range(0, 6, 2)))
        await worker.run_once()

        left = await database.read(memories.page, ORG, MemoryFilter(), sort="observed_at_asc", limit=100)
        assert {memory.session_id for memory in left} == {"s1", "s3", "s5"}
        await database.read(assert_exact)
        hidden = select(sessions.c.session_id).where(sessions.c.org_id == ORG, sessions.c.deleted_at.is_not(None))
        assert len(await database.read(lambda connection: connection.execute(hidden).all())) == 3
