"""Asking where a search lost a memory names everything that keeps it out, and where it would stand otherwise."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from memcairn.core.deps import Deps
from memcairn.core.recall import Recalls
from memcairn.core.search import SearchQuery, search
from memcairn.core.why import Why, why
from memcairn.domain.clock import FrozenClock
from memcairn.domain.errors import Forbidden, NotFound
from memcairn.domain.filters import parse_filter
from memcairn.domain.keys import KeyScope, Principal
from memcairn.domain.memories import Memory, MemoryKind, MemoryStatus
from memcairn.store import memories, orgs
from memcairn.store.index.sqlite import SqliteIndex
from tests.build import NOW, ORG, at, make
from tests.core.test_search import BOB, EVERYBODY, NURSES, store

pytestmark = pytest.mark.anyio


async def ask(deps: Deps, principal: Principal, memory_id: str = "m", text: str = "lisbon", **options: Any) -> Why:
    return await why(deps, principal, SearchQuery(text, **options), memory_id)


def stages(found: Why) -> list[str]:
    return [loss.stage.value for loss in found.losses]


class TestFound:
    async def test_its_place_and_score_are_those_of_the_hit(self, deps: Deps, principal: Principal) -> None:
        await store(
            deps,
            make(Memory, memory_id="best", text="Lisbon"),
            make(Memory, memory_id="m", text="Lisbon and a great many other things"),
        )
        hits = await search(deps, Recalls(), principal, SearchQuery("lisbon", explain=True))

        found = await ask(deps, principal)

        assert (found.found, found.losses, found.shown_by) == (True, [], None)
        assert found.place is not None
        assert (found.place.number, found.place.score) == (2, hits[1].score)
        assert found.place.explanation == hits[1].explanation

    async def test_it_is_not_recalled_by_asking(self, deps: Deps, principal: Principal) -> None:
        await store(deps, make(Memory, memory_id="m", text="Lisbon"))

        await ask(deps, principal)

        [memory] = await deps.db.read(memories.by_ids, ORG, ["m"])
        assert memory.recall_count == 0

    async def test_the_figures_add_up_and_are_told_in_words(self, deps: Deps, principal: Principal) -> None:
        await store(deps, make(Memory, memory_id="m", text="Lisbon", speaker="Ann"), make(Memory, text="rain"))

        place = (await ask(deps, principal, text="Has Ann seen Lisbon?")).place

        assert place is not None
        told = place.explanation
        parts = [arm.contribution for arm in told.arms.values()] + list(told.factors.values())
        assert sum(parts) == pytest.approx(told.fused, abs=1e-5)
        assert {arm.rank for arm in told.arms.values()} == {1}
        assert told.reasons[0] == "holds lisbon"
        assert any(reason.startswith("said by somebody the question names (+") for reason in told.reasons)


class TestUnknown:
    async def test_a_memory_the_org_does_not_hold_is_not_found(self, deps: Deps, principal: Principal) -> None:
        await deps.db.write(orgs.add, "other", "Other", NOW)
        await store(deps, make(Memory, memory_id="m", text="Lisbon"))

        for who, memory_id in [(principal, "nothing"), (Principal("other", "k", principal.scopes), "m")]:
            with pytest.raises(NotFound) as refused:
                await ask(deps, who, memory_id)
            assert refused.value.code == "memory_not_found"

    async def test_a_deleted_one_is_deleted_and_nothing_else_is_told(self, deps: Deps, principal: Principal) -> None:
        await store(deps, make(Memory, memory_id="m", text="Lisbon"))
        await deps.db.write(memories.mark_deleted, ORG, ["m"], NOW)

        found = await ask(deps, principal)

        assert (stages(found), found.found, found.place) == (["deleted"], False, None)

    async def test_it_needs_the_right_to_read(self, deps: Deps) -> None:
        with pytest.raises(Forbidden):
            await ask(deps, Principal(ORG, "k", frozenset({KeyScope.WRITE})))


class TestLost:
    @pytest.mark.parametrize(
        ("fields", "options", "expected"),
        [
            ({"scope": BOB}, {"actor_id": "ann"}, [("out_of_scope", "actor_id")]),
            ({"scope": NURSES}, {"actor_id": "ann"}, [("out_of_scope", "role_ids")]),
            ({"status": MemoryStatus.SUPERSEDED}, {}, [("not_active", None)]),
            ({"strength": 0.01}, {}, [("decayed", None)]),
            ({"session_id": "s1", "position": 1}, {"session_id": "s2"}, [("filtered", "session_id")]),
            ({"session_id": "s1", "position": 1}, {"exclude_session_id": "s1"}, [("filtered", "exclude_session_id")]),
            ({}, {"kinds": ["procedural"]}, [("filtered", "kinds")]),
            ({}, {"types": ["norm"]}, [("filtered", "types")]),
            ({}, {"occurred_after": at(1)}, [("filtered", "occurred_after")]),
            ({}, {"occurred_before": at(0)}, [("filtered", "occurred_before")]),
            (
                {"scope": BOB, "metadata": {"topic": "food"}},
                {"actor_id": "ann", "filter": parse_filter({"jsonpath": '$ ? (@.topic == "travel")'})},
                [("out_of_scope", "actor_id"), ("filtered", "metadata")],
            ),
            (
                {"scope": BOB},
                {"actor_id": "ann", "types": ["norm"]},
                [("out_of_scope", "actor_id"), ("filtered", "types")],
            ),
            ({}, {"threshold": 1.0}, [("below_threshold", "threshold")]),
        ],
        ids=str,
    )
    async def test_everything_that_keeps_it_out_is_named(
        self,
        deps: Deps,
        principal: Principal,
        fields: dict[str, Any],
        options: dict[str, Any],
        expected: list[tuple[str, str | None]],
    ) -> None:
        whole = {"kind": MemoryKind.SEMANTIC, "type": "fact", "text": "Lisbon", "observed_at": at(0)}
        await store(deps, make(Memory, memory_id="m", **(whole | fields)))

        found = await ask(deps, principal, **options)

        assert [(loss.stage.value, loss.field) for loss in found.losses] == expected
        assert not found.found
        assert found.place is not None
        assert found.place.number == 1

    async def test_what_passes_the_filters_is_not_blamed_on_them(self, deps: Deps, principal: Principal) -> None:
        await store(deps, make(Memory, memory_id="m", text="Lisbon", metadata={"topic": "travel"}))

        found = await ask(
            deps,
            principal,
            actor_id="ann",
            session_id="elsewhere",
            kinds=["semantic"],
            filter=parse_filter({"jsonpath": '$ ? (@.topic == "travel")'}),
        )

        assert found.found

    async def test_a_memory_behind_the_limit_has_a_place_there(self, deps: Deps, principal: Principal) -> None:
        fuller = [make(Memory, text=f"Lisbon {word}") for word in ("tram", "river", "tiles")]
        await store(deps, *fuller, make(Memory, memory_id="m", text="Nothing of the kind"))

        found = await ask(deps, principal, limit=2)

        assert (stages(found), found.place and found.place.number) == (["beyond_limit"], 4)

    async def test_a_memory_that_says_the_same_names_the_hit_that_is_shown(
        self, deps: Deps, principal: Principal
    ) -> None:
        said = {"session_id": "s1", "kind": MemoryKind.EPISODIC, "type": "message", "source_event_ids": ()}
        await store(
            deps,
            make(Memory, memory_id="first", text="Lisbon is lovely.", position=1, **said),
            make(Memory, memory_id="m", text="Lisbon is lovely!", position=2, **said),
        )

        found = await ask(deps, principal)

        assert (stages(found), found.shown_by) == (["collapsed"], "first")
        assert found.place is not None
        assert found.place.number is None

    async def test_a_hit_that_moved_out_of_scope_is_known_to_have(self, deps: Deps, principal: Principal) -> None:
        # The index still shows it in its old scope; the last check of a search refuses it.
        await store(deps, make(Memory, memory_id="m", text="Lisbon"))
        await deps.db.write(memories.change, ORG, "m", {"scope_key": BOB.key, "actor_id": "bob"})

        assert stages(await ask(deps, principal, actor_id="ann")) == ["out_of_scope"]

    async def test_a_memory_faded_from_disuse_says_how_far(
        self, deps: Deps, principal: Principal, clock: FrozenClock
    ) -> None:
        await store(deps, make(Memory, memory_id="m", text="Lisbon"))
        clock.advance(timedelta(days=200))

        [loss] = (await ask(deps, principal)).losses

        assert loss.detail.startswith("Its strength is 0.010 after disuse")

    @pytest.mark.sqlite
    async def test_what_no_arm_brought_from_a_large_scope_is_no_candidate(
        self, deps: Deps, principal: Principal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("memcairn.store.index.wide.CANDIDATES_PER_ARM", 3)
        wide = replace(deps, index=SqliteIndex(exact_rows=5))
        crowd = [make(Memory, scope=EVERYBODY, text=f"Lisbon number {number}") for number in range(10)]
        await store(wide, *crowd, make(Memory, scope=EVERYBODY, memory_id="m", text="snow in Tromsø"))

        found = await ask(wide, principal)

        assert stages(found)[0] == "not_a_candidate"
