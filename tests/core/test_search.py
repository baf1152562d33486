"""Search over an index filled by hand: filters take away what they name, scope and deletion decide what is seen."""

import string
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import Connection

from memcairn.core.deps import Deps
from memcairn.core.indexing import prepare, reindex
from memcairn.core.ingest import ingest
from memcairn.core.recall import Recalls
from memcairn.core.search import BRIEF_HITS, Hit, SearchQuery, search
from memcairn.domain.clock import FrozenClock
from memcairn.domain.errors import Forbidden, Invalid
from memcairn.domain.events import EventStatus, NewEvent
from memcairn.domain.keys import KeyScope, Principal
from memcairn.domain.memories import Memory, MemoryKind, MemoryStatus
from memcairn.domain.scopes import Level, Scope, actor_scope
from memcairn.providers.fake import FakeEmbedder
from memcairn.store import events, memories, orgs
from memcairn.store.memories import MemoryRow
from tests.build import NOW, ORG, at, index_on, make

pytestmark = pytest.mark.anyio

WORDS = "lisbon"
BOB = actor_scope("bob")
NURSES = Scope(Level.ROLE, role_id="nurse")
NIGHT = Scope(Level.TEAM, team_id="night")
EVERYBODY = Scope(Level.ORG)


async def store(deps: Deps, *stored: Memory) -> None:
    prepared = await prepare(deps, [memory.text for memory in stored])

    def save(connection: Connection) -> None:
        memories.add(connection, [MemoryRow(memory, digest=memory.text) for memory in stored])
        for memory, cut in zip(stored, prepared, strict=True):
            reindex(connection, deps, memory, cut)

    await deps.db.write(save)


async def hits(deps: Deps, principal: Principal, text: str = WORDS, **options: Any) -> list[Hit]:
    return await search(deps, Recalls(), principal, SearchQuery(text, **options))


def names(found: Sequence[Hit]) -> list[str]:
    return sorted(hit.memory.memory_id for hit in found if hit.memory is not None)


def said(*texts: str, **fields: Any) -> list[NewEvent]:
    return [make(NewEvent, content=words, **fields) for words in texts]


class TestFilters:
    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ({}, ["bare", "early", "fact", "late", "s2"]),
            ({"session_id": "s1"}, ["bare", "early", "fact", "late"]),
            ({"session_id": "s2"}, ["bare", "s2"]),
            ({"session_id": "nowhere"}, ["bare"]),
            ({"exclude_session_id": "s1"}, ["bare", "s2"]),
            ({"exclude_session_id": "nowhere"}, ["bare", "early", "fact", "late", "s2"]),
            ({"kinds": ["semantic"]}, ["bare", "fact"]),
            ({"kinds": ["semantic", "episodic"]}, ["bare", "early", "fact", "late", "s2"]),
            ({"kinds": []}, []),
            ({"types": ["message"]}, ["early", "late", "s2"]),
            ({"types": ["nothing"]}, []),
            ({"occurred_after": at(2)}, ["late"]),
            ({"occurred_before": at(2)}, ["bare", "early", "fact", "s2"]),
            ({"occurred_after": at(0), "occurred_before": at(1)}, ["bare", "early", "fact", "s2"]),
            ({"occurred_after": at(2), "kinds": ["semantic"]}, []),
        ],
        ids=str,
    )
    async def test_a_filter_takes_away_what_it_names(
        self, deps: Deps, principal: Principal, options: dict[str, Any], expected: list[str]
    ) -> None:
        message = {"kind": MemoryKind.EPISODIC, "type": "message"}
        await store(
            deps,
            make(Memory, memory_id="early", session_id="s1", position=1, text="Lisbon one", **message),
            make(
                Memory, memory_id="late", session_id="s1", position=2, text="Lisbon two", observed_at=at(2), **message
            ),
            make(Memory, memory_id="s2", session_id="s2", position=1, text="Lisbon three", **message),
            make(Memory, memory_id="fact", session_id="s1", position=3, text="Lisbon four"),
            make(Memory, memory_id="bare", text="Lisbon five"),
        )

        assert names(await hits(deps, principal, **options)) == expected

    async def test_both_session_filters_together_are_refused(self, deps: Deps, principal: Principal) -> None:
        with pytest.raises(Invalid) as refused:
            await hits(deps, principal, session_id="a", exclude_session_id="b")

        assert refused.value.pointer == "/exclude_session_id"

    async def test_no_more_than_the_limit_and_the_best_first(self, deps: Deps, principal: Principal) -> None:
        await store(deps, *(make(Memory, memory_id=f"m{n:02}", text=f"Lisbon number {n}") for n in range(30)))

        found = await hits(deps, principal, limit=7)

        assert len(found) == 7
        assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)
        assert all(0 <= hit.score <= 1 for hit in found)

    async def test_a_threshold_cuts_off_what_scores_less(self, deps: Deps, principal: Principal) -> None:
        await store(deps, *(make(Memory, text=words) for words in ("Lisbon", "Lisbon and much else too", "Rain")))
        every = await hits(deps, principal, limit=10)
        middle = every[1].score

        found = await hits(deps, principal, limit=10, threshold=middle)

        assert [hit.score for hit in found] == [hit.score for hit in every if hit.score >= middle]
        assert await hits(deps, principal, threshold=1.0) == []

    async def test_copies_let_others_pass_unless_the_plain_order_is_asked_for(
        self, deps: Deps, principal: Principal
    ) -> None:
        copies = [f"Always book the hotel in Lisbon through agency number nine, {word}" for word in "abcdefgh"]
        await store(deps, *(make(Memory, text=words) for words in copies))
        await store(deps, make(Memory, memory_id="other", text="The hotel was far from the river."))

        diverse = await hits(deps, principal, "Which hotel in Lisbon?", limit=4)
        plain = await hits(deps, principal, "Which hotel in Lisbon?", limit=4, diverse=False)

        assert "other" in names(diverse)
        assert "other" not in names(plain)

    async def test_explanations_come_when_asked_for(self, deps: Deps, principal: Principal) -> None:
        await store(deps, make(Memory, text="Lisbon"))

        [plain] = await hits(deps, principal)
        [explained] = await hits(deps, principal, explain=True)

        assert plain.explanation is None
        assert explained.explanation is not None
        assert explained.score == plain.score


class TestScope:
    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ({"actor_id": "ann"}, ["ann", "org"]),
            ({"actor_id": "bob"}, ["bob", "org"]),
            ({"actor_id": "nobody"}, ["org"]),
            ({"actor_id": "ann", "role_ids": ["nurse"]}, ["ann", "org", "role"]),
            ({"actor_id": "ann", "role_ids": ["cook"], "team_ids": ["night"]}, ["ann", "org", "team"]),
            ({}, ["ann", "bob", "org", "role", "team"]),
        ],
        ids=str,
    )
    async def test_an_actor_sees_what_its_scopes_hold(
        self, deps: Deps, principal: Principal, options: dict[str, Any], expected: list[str]
    ) -> None:
        owners = {"ann": actor_scope("ann"), "bob": BOB, "role": NURSES, "team": NIGHT, "org": EVERYBODY}
        await store(
            deps, *(make(Memory, memory_id=name, scope=scope, text=f"Lisbon {name}") for name, scope in owners.items())
        )

        assert names(await hits(deps, principal, **options)) == expected

    async def test_orgs_do_not_meet(self, deps: Deps, principal: Principal) -> None:
        await deps.db.write(orgs.add, "other", "Other", NOW)
        await store(deps, make(Memory, memory_id="m", scope=EVERYBODY, text="Lisbon"))
        await ingest(deps, principal, said("Lisbon is pending"))

        assert await hits(deps, Principal("other", "k", principal.scopes)) == []

    async def test_a_hit_that_changed_hands_meanwhile_is_not_shown(self, deps: Deps, principal: Principal) -> None:
        # The index still shows it in the old scope: the last check reads the memory itself.
        await store(deps, make(Memory, memory_id="m", text="Lisbon"))
        await deps.db.write(memories.change, ORG, "m", {"scope_key": BOB.key, "actor_id": "bob"})

        assert await hits(deps, principal, actor_id="ann") == []

    async def test_reading_needs_the_right_to_read(self, deps: Deps) -> None:
        with pytest.raises(Forbidden):
            await hits(deps, Principal(ORG, "k", frozenset({KeyScope.WRITE})))


class TestLife:
    @pytest.mark.parametrize(
        "values", [{"deleted_at": NOW}, {"status": MemoryStatus.SUPERSEDED.value}, {"strength": 0.01}]
    )
    async def test_what_ended_is_not_shown_even_if_the_index_holds_it(
        self, deps: Deps, principal: Principal, values: dict[str, Any]
    ) -> None:
        await store(deps, make(Memory, memory_id="m", text="Lisbon"), make(Memory, memory_id="n", text="Lisbon too"))

        await deps.db.write(memories.change, ORG, "m", values)

        assert names(await hits(deps, principal, limit=1)) == ["n"]

    async def test_a_memory_nobody_recalls_fades_from_search(
        self, deps: Deps, principal: Principal, clock: FrozenClock
    ) -> None:
        await store(deps, make(Memory, memory_id="m", text="Lisbon"), make(Memory, memory_id="p", pinned=True))

        clock.advance(timedelta(days=200))

        assert names(await hits(deps, principal)) == ["p"]


class TestPending:
    async def test_what_was_just_said_is_found_before_it_is_processed(self, deps: Deps, principal: Principal) -> None:
        [event_id] = await ingest(deps, principal, said("I moved to Lisbon."))

        [hit] = await hits(deps, principal, include_source_events=True)

        assert hit.memory is None
        assert hit.event is not None
        assert hit.event.event_id == event_id
        assert hit.source_events == [hit.event]

    async def test_scope_and_filters_hold_for_it_too(self, deps: Deps, principal: Principal) -> None:
        await ingest(deps, principal, said("I moved to Lisbon."))

        assert len(await hits(deps, principal, actor_id="ann")) == 1
        assert await hits(deps, principal, actor_id="bob") == []
        assert await hits(deps, principal, session_id="s2") == []
        assert await hits(deps, principal, exclude_session_id="s1") == []
        assert await hits(deps, principal, kinds=["semantic"]) == []
        assert await hits(deps, principal, occurred_after=NOW + timedelta(seconds=1)) == []

    async def test_processed_and_deleted_events_are_not_pending(self, deps: Deps, principal: Principal) -> None:
        ids = await ingest(deps, principal, said("Lisbon one", "Lisbon two", "Lisbon three"))
        await deps.db.write(events.mark, ORG, ids[:1], EventStatus.COMPLETED, now=NOW)
        await deps.db.write(events.mark_deleted, ORG, ids[1:2], NOW)

        assert [hit.event.event_id for hit in await hits(deps, principal) if hit.event] == ids[2:]

    async def test_many_pending_events_hide_nothing_that_holds_the_word(
        self, deps: Deps, principal: Principal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("memcairn.core.pending.READ_WHOLE", 5)
        [first] = await ingest(deps, principal, said("Lisbon was first"))
        await ingest(deps, principal, said(*(f"filler {n}" for n in range(20))))

        found = await hits(deps, principal, limit=1)

        assert [hit.event.event_id for hit in found if hit.event] == [first]


class _WhereAsked(FakeEmbedder):
    """Notes the thread each question is asked on."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: list[int] = []

    def embed_query(self, text: str) -> NDArray[np.float32]:
        self.threads.append(threading.get_ident())
        return super().embed_query(text)


class TestAtHand:
    @pytest.mark.sqlite
    async def test_what_is_in_memory_already_is_searched_without_another_thread(
        self, deps: Deps, principal: Principal
    ) -> None:
        embedder = _WhereAsked()
        deps = replace(deps, embedder=embedder)
        await store(deps, make(Memory, memory_id="m", text="Lisbon"))
        first, here = await hits(deps, principal), threading.get_ident()
        assert set(embedder.threads) - {here}

        embedder.threads.clear()
        assert await hits(deps, principal) == first
        assert set(embedder.threads) == {here}

        await store(deps, make(Memory, memory_id="n", text="Lisbon too"))
        assert names(await hits(deps, principal)) == ["m", "n"]
        assert set(embedder.threads) - {here}

    async def test_a_longer_search_begins_with_the_same_hits(self, deps: Deps, principal: Principal) -> None:
        await store(deps, *(make(Memory, memory_id=f"m{n}", text=f"Lisbon {n} bread {n % 7}") for n in range(60)))

        brief = [await hits(deps, principal, "lisbon bread 3", limit=BRIEF_HITS) for _ in range(2)]

        assert len(brief[0]) == BRIEF_HITS
        assert (
            brief[0] == brief[1] == (await hits(deps, principal, "lisbon bread 3", limit=BRIEF_HITS + 1))[:BRIEF_HITS]
        )

    async def test_what_was_said_or_deleted_since_the_last_search_counts(
        self, deps: Deps, principal: Principal
    ) -> None:
        await store(deps, make(Memory, memory_id="m", text="Lisbon"), make(Memory, memory_id="n", text="Lisbon too"))
        for _ in range(2):
            assert names(await hits(deps, principal)) == ["m", "n"]

        [event_id] = await ingest(deps, principal, said("I moved to Lisbon."))
        found = await hits(deps, principal)
        assert (names(found), [hit.event.event_id for hit in found if hit.event]) == (["m", "n"], [event_id])

        await deps.db.write(memories.change, ORG, "m", {"deleted_at": NOW})
        await deps.db.write(events.mark_deleted, ORG, [event_id], NOW)
        assert names(await hits(deps, principal)) == ["n"]


class TestSources:
    async def test_they_come_in_the_order_they_were_heard(self, deps: Deps, principal: Principal) -> None:
        ids = await ingest(deps, principal, said("one", "two"))
        await deps.db.write(events.mark, ORG, ids, EventStatus.COMPLETED, now=NOW)
        await store(deps, make(Memory, text="Lisbon", source_event_ids=(ids[1], ids[0])))

        [hit] = await hits(deps, principal, include_source_events=True)
        [plain] = await hits(deps, principal)

        assert hit.source_events is not None
        assert [event.event_id for event in hit.source_events] == [ids[1], ids[0]]
        assert plain.source_events is None


@pytest.mark.parametrize(
    "text", ["", " ", "the", "?!", "🎉", '" OR *', "a" * 20_000, "lisbon " * 3_000, "\x00", "ลิสบอน"]
)
async def test_any_string_is_a_legal_query(deps: Deps, principal: Principal, text: str) -> None:
    await store(deps, make(Memory, text="Lisbon"))
    await ingest(deps, principal, said("Lisbon again"))

    assert len(await hits(deps, principal, text)) <= 2


OPERATORS = (
    "AND",
    "OR",
    "NOT",
    "NEAR",
    "NEAR(a b, 2)",
    "lisbon AND",
    "^lisbon",
    "lis*",
    "words:lisbon",
    "{a b}:c",
    "-x",
)


@pytest.mark.parametrize("exact_rows", [1_000, 0], ids=["ranked whole", "by candidates"])
async def test_no_sign_and_no_operator_is_read_as_a_query_language(
    deps: Deps, principal: Principal, exact_rows: int
) -> None:
    deps = replace(deps, index=index_on(deps.db, exact_rows=exact_rows))
    await store(deps, make(Memory, memory_id="lisbon", text="Lisbon"), make(Memory, memory_id="other", text="Rain"))

    for sign in string.printable:
        found = await hits(deps, principal, f"{sign} lisbon {sign}", limit=1)
        assert names(found) == ["lisbon"], sign
        await hits(deps, principal, sign)
    for text in (*OPERATORS, " ".join(f"term{number}" for number in range(10_000))):
        assert len(await hits(deps, principal, text)) <= 2


@pytest.mark.parametrize("exact_rows", [1_000, 0], ids=["ranked whole", "by candidates"])
async def test_operators_are_words_like_any_other(deps: Deps, principal: Principal, exact_rows: int) -> None:
    deps = replace(deps, index=index_on(deps.db, exact_rows=exact_rows))
    await store(
        deps, make(Memory, memory_id="near", text="near miss"), make(Memory, memory_id="other", text="a wide berth")
    )

    assert names(await hits(deps, principal, 'NEAR("miss", 3)', limit=1)) == ["near"]
