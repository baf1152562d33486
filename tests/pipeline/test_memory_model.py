"""Events, memories and deletion in any order, held to a plain model after every step."""

import asyncio
import tempfile
from collections.abc import Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from memcairn.core.deps import Deps
from memcairn.core.events import EventFilter, list_events
from memcairn.core.ingest import ingest
from memcairn.core.memories import delete_memory, get_memory, list_memories, update_memory
from memcairn.core.recall import Recalls
from memcairn.core.search import SearchQuery, search, source_ids_of
from memcairn.domain.clock import FrozenClock
from memcairn.domain.errors import NotFound
from memcairn.domain.events import EventKind, NewEvent
from memcairn.domain.keys import ALL_SCOPES, Principal
from memcairn.observability.metrics import Metrics
from memcairn.pipeline.worker import Worker
from memcairn.providers.fake import FakeEmbedder
from memcairn.store import orgs
from memcairn.store.database import SqliteDatabase
from memcairn.store.index.sqlite import SqliteIndex
from memcairn.store.memories import MemoryFilter
from memcairn.store.migrate import migrate

T = TypeVar("T")

PRINCIPAL = Principal("model", "key", ALL_SCOPES)
ACTORS = ("ann", "ben")
SESSIONS = ("s1", "s2")


def _word(number: int) -> str:
    """A word no other event holds, and that no stemmer shortens."""
    return f"k{number}x"


class MemoryModel(RuleBasedStateMachine):
    """`said` maps every accepted event to its words; `gone` holds the words of deleted memories."""

    remembered = Bundle("remembered")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = FrozenClock()
        self.deps = self.run(self._open())
        self.said: dict[str, str] = {}
        self.pending: set[str] = set()
        self.known: dict[str, tuple[str, str]] = {}
        self.gone: set[str] = set()

    async def _open(self) -> Deps:
        database = SqliteDatabase(Path(self.folder.name) / "memory.db")
        await database.write(migrate)
        await database.write(orgs.add, PRINCIPAL.org_id, "Model", self.clock.now())
        return Deps(db=database, index=SqliteIndex(), embedder=FakeEmbedder(), clock=self.clock, metrics=Metrics())

    def run(self, task: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(task)

    @rule(actor=st.sampled_from(ACTORS), session=st.sampled_from(SESSIONS), count=st.integers(1, 3))
    def say(self, actor: str, session: str, count: int) -> None:
        words = [_word(len(self.said) + i) for i in range(count)]
        events = [NewEvent(actor, session, EventKind.USER_MESSAGE, f"The {word} stood by the river.") for word in words]
        event_ids = self.run(ingest(self.deps, PRINCIPAL, events))
        self.clock.advance(timedelta(seconds=1))
        self.said |= dict(zip(event_ids, words, strict=True))
        self.pending |= set(event_ids)

    @rule(target=remembered)
    def process(self) -> str:
        while self.run(Worker(self.deps).run_once()):
            pass
        self.pending.clear()
        for memory in self.run(_everything(self.deps)):
            self.known.setdefault(memory.memory_id, (self.said[memory.source_event_ids[0]], memory.text))
        alive = [memory_id for memory_id in self.known if self.known[memory_id][0] not in self.gone]
        return alive[-1] if alive else ""

    @rule(memory_id=consumes(remembered))
    def delete(self, memory_id: str) -> None:
        if not memory_id or self.known[memory_id][0] in self.gone:
            return
        self.run(delete_memory(self.deps, PRINCIPAL, memory_id))
        self.gone.add(self.known[memory_id][0])

    @rule(memory_id=remembered, number=st.integers(0, 9))
    def edit(self, memory_id: str, number: int) -> None:
        if not memory_id or self.known[memory_id][0] in self.gone:
            return
        word = self.known[memory_id][0]
        text = f"The {word} moved {number} times."
        self.run(update_memory(self.deps, PRINCIPAL, memory_id, {"text": text}))
        self.known[memory_id] = (word, text)

    @invariant()
    def the_log_holds_what_was_said(self) -> None:
        page = self.run(list_events(self.deps, PRINCIPAL, EventFilter(), limit=500))
        assert [event.event_id for event in page.items] == list(self.said)

    @invariant()
    def lists_hold_what_is_known(self) -> None:
        listed = {memory.memory_id: memory.text for memory in self.run(_everything(self.deps))}
        assert listed == {memory_id: text for memory_id, (word, text) in self.known.items() if word not in self.gone}

    @invariant()
    def deleted_memories_are_nowhere(self) -> None:
        for memory_id, (word, _) in self.known.items():
            if word not in self.gone:
                continue
            try:
                self.run(get_memory(self.deps, PRINCIPAL, memory_id))
            except NotFound:
                continue
            raise AssertionError(f"{memory_id} was deleted and is still there")

    @invariant()
    def search_finds_the_newest_word_and_no_deleted_one(self) -> None:
        if not self.said:
            return
        event_id, word = list(self.said.items())[-1]
        hits = self.run(search(self.deps, Recalls(), PRINCIPAL, SearchQuery(f"Where is the {word}?")))
        found = {source for hit in hits for source in source_ids_of(hit)}
        assert (event_id in found) == (word not in self.gone)
        assert not {self.said[source] for source in found} & self.gone

    def teardown(self) -> None:
        self.run(self.deps.db.close())
        self.loop.close()
        self.folder.cleanup()


async def _everything(deps: Deps) -> list[Any]:
    page = await list_memories(deps, PRINCIPAL, MemoryFilter(), sort="created_at_desc", limit=500)
    return list(page.items)


TestMemoryModel = MemoryModel.TestCase
TestMemoryModel.settings = settings(
    max_examples=12,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
