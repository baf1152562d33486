"""What rises from people to their role, their team and the org, and what falls again."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from memcairn.core.deps import Deps
from memcairn.core.ingest import ingest
from memcairn.core.jobs import list_jobs
from memcairn.core.lineage import lineage
from memcairn.core.memories import delete_memory, list_memories, memory_history, update_memory
from memcairn.core.messages import delete_message, update_message_metadata
from memcairn.core.recall import Recalls
from memcairn.core.search import SearchQuery, search
from memcairn.core.sessions import delete_session
from memcairn.core.users import create_user, erase_user
from memcairn.domain.clock import FrozenClock
from memcairn.domain.events import EventKind, NewEvent
from memcairn.domain.jobs import Task
from memcairn.domain.keys import Principal
from memcairn.domain.memories import Memory
from memcairn.domain.trust import Trust
from memcairn.pipeline.worker import Worker
from memcairn.store import jobs, support
from memcairn.store.memories import MemoryFilter
from memcairn.store.schema import memories as memory_rows
from tests.build import ORG

pytestmark = pytest.mark.anyio

FROZEN = {
    "ann": "Deploys are frozen on Fridays.",
    "ben": "We never deploy on a Friday.",
    "cleo": "No deploys on Fridays, please.",
    "dan": "Friday deploys are forbidden.",
}


async def _work(deps: Deps) -> None:
    while await Worker(deps).run_once():
        pass


async def _say(deps: Deps, principal: Principal, actor_id: str, text: str, **fields: Any) -> str:
    """Said in the actor's own session, in the role `eng` unless told otherwise; then all work is done."""
    placed = {"role_id": "eng"} | fields
    [event_id] = await ingest(
        deps, principal, [NewEvent(actor_id, f"of {actor_id}", EventKind.USER_MESSAGE, text, **placed)]
    )
    await _work(deps)
    return event_id


async def _all_say(deps: Deps, principal: Principal, *actors: str, **fields: Any) -> None:
    for actor_id in actors:
        await _say(deps, principal, actor_id, FROZEN[actor_id], **fields)


async def _risen(deps: Deps, principal: Principal, **where: str) -> Sequence[Memory]:
    page = await list_memories(deps, principal, MemoryFilter(**where), sort="observed_at_asc", limit=100)
    return [memory for memory in page.items if memory.scope.level.value != "actor"]


async def _keys(deps: Deps, principal: Principal) -> set[str]:
    return {memory.scope.key for memory in await _risen(deps, principal, status="active")}


async def _memory_of(deps: Deps, principal: Principal, actor_id: str) -> Memory:
    where = MemoryFilter(actor_id=actor_id, type="message")
    return (await list_memories(deps, principal, where, sort="observed_at_asc", limit=1)).items[0]


class TestRising:
    async def test_what_three_people_of_a_role_hold_rises_to_the_role(self, deps: Deps, principal: Principal) -> None:
        await _all_say(deps, principal, "ann", "ben")
        assert await _keys(deps, principal) == set()

        await _all_say(deps, principal, "cleo")

        [memory] = await _risen(deps, principal)
        assert (memory.scope.key, memory.session_id, memory.speaker) == ("role:eng", None, None)
        assert (memory.scope.actor_id, memory.source_event_ids) == (None, ())
        assert memory.text == "Deploys are frozen on Fridays."

    async def test_the_number_of_people_is_a_setting(self, deps: Deps, principal: Principal) -> None:
        await _all_say(replace(deps, promotion_min_actors=4), principal, "ann", "ben", "cleo")
        assert await _keys(deps, principal) == set()

        await _all_say(replace(deps, promotion_min_actors=4), principal, "dan")

        assert await _keys(deps, principal) == {"role:eng"}

    async def test_a_team_is_like_a_role_and_the_same_people_in_both_are_no_org(
        self, deps: Deps, principal: Principal
    ) -> None:
        await _all_say(deps, principal, "ann", "ben", "cleo", team_id="core")

        assert await _keys(deps, principal) == {"role:eng", "team:core"}

    async def test_people_of_different_roles_do_not_add_up(self, deps: Deps, principal: Principal) -> None:
        for actor_id, role_id in zip(FROZEN, ("eng", "eng", "qa", "qa"), strict=True):
            await _say(deps, principal, actor_id, FROZEN[actor_id], role_id=role_id)

        assert await _keys(deps, principal) == set()

    async def test_what_is_said_in_no_role_and_no_team_stays(self, deps: Deps, principal: Principal) -> None:
        await _all_say(deps, principal, "ann", "ben", "cleo", role_id=None)

        assert await _keys(deps, principal) == set()
        assert await deps.db.read(_count_jobs) == 0

    async def test_two_roles_that_agree_make_it_the_orgs(self, deps: Deps, principal: Principal) -> None:
        await _all_say(deps, principal, "ann", "ben", "cleo")
        for n in range(3):
            await _say(deps, principal, f"qa{n}", FROZEN["dan"], role_id="qa")

        assert await _keys(deps, principal) == {"role:eng", "role:qa", "org"}

    async def test_one_person_alone_is_never_enough(self, deps: Deps, principal: Principal) -> None:
        for number, text in enumerate((*FROZEN.values(), *FROZEN.values())):
            await _say(deps, principal, "ann", text, metadata={"number": number})

        assert await _keys(deps, principal) == set()

    async def test_an_anonymous_session_is_nobody_in_particular(self, deps: Deps, principal: Principal) -> None:
        for n, text in enumerate(FROZEN.values()):
            await _say(deps, principal, f"session:{n}", text)

        assert await _keys(deps, principal) == set()

    async def test_what_assistants_and_tools_say_is_nobodys_word(self, deps: Deps, principal: Principal) -> None:
        for actor_id, text in FROZEN.items():
            event = NewEvent(actor_id, actor_id, EventKind.ASSISTANT_MESSAGE, text, role_id="eng")
            await ingest(deps, principal, [event])
        await _work(deps)

        assert await _keys(deps, principal) == set()

    @pytest.mark.parametrize(
        ("text", "metadata"),
        [
            ("Deploys are frozen on Fridays.", {"private": True}),
            ("The hotline of the data centre is +49 30 5550 1734.", {}),
            ("Deploy questions go to ops@example.org.", {}),
            ("The company account number is 8812045.", {}),
            ("Maria approves every deploy.", {}),
        ],
    )
    async def test_what_is_private_or_names_people_or_numbers_never_rises(
        self, deps: Deps, principal: Principal, text: str, metadata: dict[str, Any]
    ) -> None:
        for actor_id in FROZEN:
            await _say(deps, principal, actor_id, text, metadata=metadata)

        assert await _keys(deps, principal) == set()

    async def test_a_colleague_is_not_named_either(self, deps: Deps, principal: Principal) -> None:
        await _say(deps, principal, "z", "Lunch is at noon.", name="Zorblax Quint")
        for actor_id in FROZEN:
            await _say(deps, principal, actor_id, "Zorblax approves every deploy.")

        assert await _keys(deps, principal) == set()

    async def test_one_message_mirrored_to_many_actors_is_one_voice(self, deps: Deps, principal: Principal) -> None:
        for actor_id in FROZEN:
            await _say(deps, principal, actor_id, FROZEN["ann"], name="Bob")

        assert await _keys(deps, principal) == set()

    async def test_running_again_changes_nothing(self, deps: Deps, principal: Principal) -> None:
        await _all_say(deps, principal, *FROZEN)
        before = await _risen(deps, principal)

        def everything_again(connection: Connection) -> None:
            ids = list(connection.execute(select(memory_rows.c.memory_id)).scalars())
            support.read_again(connection, ORG, ids)
            support.request(connection, ORG, deps.clock.now())

        await deps.db.write(everything_again)
        await _work(deps)

        assert await _risen(deps, principal) == before

    async def test_one_more_person_makes_it_stronger_and_not_double(self, deps: Deps, principal: Principal) -> None:
        await _all_say(deps, principal, "ann", "ben", "cleo")
        [before] = await _risen(deps, principal)

        await _all_say(deps, principal, "dan")

        [after] = await _risen(deps, principal)
        assert after.memory_id == before.memory_id
        assert (after.strength > before.strength, after.confidence > before.confidence) == (True, True)
        changes = [change.change for change in await memory_history(deps, principal, after.memory_id)]
        assert changes == ["promoted", "strengthened"]

    async def test_a_new_value_takes_the_place_of_the_old(
        self, deps: Deps, principal: Principal, clock: FrozenClock
    ) -> None:
        for actor_id in ("ann", "ben", "cleo"):
            await _say(deps, principal, actor_id, "The standup is at 9:30.")
        clock.advance(timedelta(days=10))
        for actor_id in ("ann", "ben", "cleo"):
            await _say(deps, principal, actor_id, "The standup is at ten.")

        [now] = await _risen(deps, principal, status="active")
        [before] = await _risen(deps, principal, status="superseded")
        assert (now.text, before.text) == ("The standup is at ten.", "The standup is at 9:30.")
        assert (now.supersedes, before.valid_to) == (before.memory_id, clock.now())

    async def test_a_burst_of_messages_queues_one_job(self, deps: Deps, principal: Principal) -> None:
        events = [NewEvent(n, n, EventKind.USER_MESSAGE, text, role_id="eng") for n, text in FROZEN.items()]
        await ingest(deps, principal, events)
        claimed = await deps.db.write(jobs.claim, "a worker", deps.clock.now(), limit=64)
        await deps.db.write(jobs.give_back, claimed, deps.clock.now())

        await Worker(deps).run_once()

        waiting = (await list_jobs(deps, principal, status=None, limit=100)).items
        assert [(job.task, job.payload) for job in waiting] == [(Task.PROMOTE, {})]


class TestTrust:
    async def test_what_an_outsider_says_is_no_evidence(self, deps: Deps, principal: Principal) -> None:
        outsider = replace(principal, trust=Trust.LOW)
        await _all_say(deps, principal, "ann", "ben")
        await _all_say(deps, outsider, "cleo", "dan")

        assert await _keys(deps, principal) == set()

    async def test_what_rises_is_worth_what_the_least_trusted_of_its_support_is(
        self, deps: Deps, principal: Principal
    ) -> None:
        operator = replace(principal, trust=Trust.HIGH)
        await _all_say(deps, operator, "ann", "ben", "cleo")
        [before] = await _risen(deps, principal)

        await _all_say(deps, principal, "dan")

        [after] = await _risen(deps, principal)
        assert (before.trust, after.trust) == (Trust.HIGH, Trust.NORMAL)

    async def test_what_an_outsider_repeats_is_evidence_no_longer(
        self, deps: Deps, principal: Principal, clock: FrozenClock
    ) -> None:
        await _all_say(deps, principal, "ann", "ben", "cleo")
        before = await _keys(deps, principal)
        clock.advance(timedelta(minutes=2))

        await _all_say(deps, replace(principal, trust=Trust.LOW), "cleo")

        assert (before, await _keys(deps, principal)) == ({"role:eng"}, set())


class TestSearch:
    async def test_a_role_memory_is_found_by_who_passes_the_role(self, deps: Deps, principal: Principal) -> None:
        await _all_say(deps, principal, "ann", "ben", "cleo")

        async def found(**scope: Any) -> set[str]:
            hits = await search(deps, Recalls(), principal, SearchQuery("may I deploy on Friday?", **scope))
            return {hit.memory.scope.key for hit in hits if hit.memory is not None}

        assert await found(actor_id="zoe", role_ids=["eng"]) == {"role:eng"}
        assert await found(actor_id="zoe", role_ids=["eng"], session_id="new") == {"role:eng"}
        assert await found(actor_id="zoe", role_ids=["eng"], exclude_session_id="new") == {"role:eng"}
        assert await found(actor_id="zoe", role_ids=["sales"]) == set()
        assert await found(actor_id="zoe") == set()
        assert await found(actor_id="ann", role_ids=["eng"]) == {"actor:ann", "role:eng"}

    async def test_an_org_memory_is_found_by_everybody(self, deps: Deps, principal: Principal) -> None:
        await _all_say(deps, principal, "ann", "ben", "cleo")
        for n in range(3):
            await _say(deps, principal, f"qa{n}", FROZEN["dan"], role_id="qa")

        hits = await search(deps, Recalls(), principal, SearchQuery("deploys on Fridays", actor_id="zoe"))

        assert [hit.memory.scope.key for hit in hits if hit.memory is not None] == ["org"]


class TestFalling:
    @pytest.fixture(autouse=True)
    async def risen(self, deps: Deps, principal: Principal) -> None:
        await _all_say(deps, principal, "ann", "ben", "cleo")
        assert await _keys(deps, principal) == {"role:eng"}

    async def test_it_is_withdrawn_at_once_when_a_memory_under_it_is_deleted(
        self, deps: Deps, principal: Principal
    ) -> None:
        memory = await _memory_of(deps, principal, "ben")

        await delete_memory(deps, principal, memory.memory_id)

        assert await _keys(deps, principal) == set()
        hits = await search(
            deps, Recalls(), principal, SearchQuery("deploys on Fridays", actor_id="z", role_ids=["eng"])
        )
        assert hits == []

    async def test_deleting_a_message_or_a_session_counts_too(self, deps: Deps, principal: Principal) -> None:
        await delete_session(deps, principal, "of cleo")

        assert await _keys(deps, principal) == set()
        await _all_say(deps, principal, "dan")
        assert await _keys(deps, principal) == {"role:eng"}
        [event_id] = (await _memory_of(deps, principal, "dan")).source_event_ids
        await delete_message(deps, principal, "of dan", event_id)
        assert await _keys(deps, principal) == set()

    async def test_it_stays_while_enough_people_are_left(self, deps: Deps, principal: Principal) -> None:
        await _all_say(deps, principal, "dan")

        await delete_session(deps, principal, "of dan")

        assert await _keys(deps, principal) == {"role:eng"}

    async def test_its_words_go_with_the_person_who_said_them(self, deps: Deps, principal: Principal) -> None:
        await _all_say(deps, principal, "dan")
        [before] = await _risen(deps, principal)
        assert before.text == FROZEN["ann"]

        await delete_session(deps, principal, "of ann")
        await _work(deps)

        [after] = await _risen(deps, principal)
        assert after.memory_id == before.memory_id
        assert after.text in {"No deploys on Fridays, please.", "Friday deploys are forbidden."}
        hits = await search(deps, Recalls(), principal, SearchQuery(after.text, actor_id="z", role_ids=["eng"]))
        assert [hit.memory.memory_id for hit in hits if hit.memory] == [after.memory_id]

    async def test_the_org_falls_with_its_roles(self, deps: Deps, principal: Principal) -> None:
        for n in range(3):
            await _say(deps, principal, f"qa{n}", FROZEN["dan"], role_id="qa")
        assert "org" in await _keys(deps, principal)

        await delete_session(deps, principal, "of qa1")

        assert await _keys(deps, principal) == {"role:eng"}

    async def test_a_memory_marked_private_supports_nothing(self, deps: Deps, principal: Principal) -> None:
        memory = await _memory_of(deps, principal, "ben")

        await update_memory(deps, principal, memory.memory_id, {"tags": ["private"]})

        assert await _keys(deps, principal) == set()

    async def test_a_message_marked_private_supports_nothing_until_it_is_not(
        self, deps: Deps, principal: Principal
    ) -> None:
        [event_id] = (await _memory_of(deps, principal, "ben")).source_event_ids

        await update_message_metadata(deps, principal, "of ben", event_id, metadata={"private": True})
        assert await _keys(deps, principal) == set()
        await update_message_metadata(deps, principal, "of ben", event_id, metadata={"private": False})
        await _work(deps)

        assert await _keys(deps, principal) == {"role:eng"}

    async def test_what_was_read_out_of_a_message_speaks_for_it(self, deps: Deps, principal: Principal) -> None:
        where = MemoryFilter(actor_id="ben", type="norm")
        [typed] = (await list_memories(deps, principal, where, sort="observed_at_asc", limit=9)).items

        await delete_memory(deps, principal, typed.memory_id)

        assert await _keys(deps, principal) == set()

    async def test_another_text_has_to_agree_anew(self, deps: Deps, principal: Principal) -> None:
        memory = await _memory_of(deps, principal, "ben")

        await update_memory(deps, principal, memory.memory_id, {"text": "We deploy the docs every night."})
        assert await _keys(deps, principal) == set()
        await update_memory(deps, principal, memory.memory_id, {"text": "We do not deploy on Fridays."})
        await _work(deps)

        assert await _keys(deps, principal) == {"role:eng"}

    async def test_what_a_person_deleted_does_not_rise_again_from_more_of_the_same(
        self, deps: Deps, principal: Principal
    ) -> None:
        [memory] = await _risen(deps, principal)

        await delete_memory(deps, principal, memory.memory_id)
        await _all_say(deps, principal, "dan")
        await _say(deps, principal, "eve", "Never deploy on Fridays.")

        assert await _keys(deps, principal) == set()

    async def test_what_was_superseded_holds_again_when_its_successor_falls(
        self, deps: Deps, principal: Principal, clock: FrozenClock
    ) -> None:
        clock.advance(timedelta(days=10))
        for n in range(4):
            await _say(deps, principal, f"new{n}", "Deploys are allowed on Fridays.")
        [now] = await _risen(deps, principal, status="active")
        assert now.text == "Deploys are allowed on Fridays."

        for n in range(2):
            await delete_session(deps, principal, f"of new{n}")
        await _work(deps)

        [again] = await _risen(deps, principal, status="active")
        assert (again.text, again.valid_to) == (FROZEN["ann"], None)

    async def test_erasing_a_person_leaves_none_of_their_words(self, deps: Deps, principal: Principal) -> None:
        await create_user(deps, principal, "ann")

        await erase_user(deps, principal, "ann")

        assert await _keys(deps, principal) == set()
        assert FROZEN["ann"] not in await deps.db.read(_texts)

    async def test_its_lineage_counts_people(self, deps: Deps, principal: Principal) -> None:
        [memory] = await _risen(deps, principal)
        await delete_session(deps, principal, "of cleo")
        await _all_say(deps, principal, "dan")
        [memory] = await _risen(deps, principal)

        found = await lineage(deps, principal, memory.memory_id)

        assert (found.actors, found.memories, found.needed) == (3, 3, 3)


def _count_jobs(connection: Connection) -> int:
    return len(jobs.page(connection, ORG, status=None, after=None, limit=10))


def _texts(connection: Connection) -> set[str]:
    assert connection.execute(select(func.count()).select_from(memory_rows)).scalar_one() > 0
    return set(connection.execute(select(memory_rows.c.text)).scalars())
