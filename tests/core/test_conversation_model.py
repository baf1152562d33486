"""Conversations in any order of events, held to a plain dictionary after every step."""

import asyncio
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from memcairn.core import messages, sessions, users
from memcairn.core.deps import Deps
from memcairn.core.memories import MemoryFilter, list_memories
from memcairn.core.purge import purge
from memcairn.core.recall import Recalls
from memcairn.core.search import SearchQuery, search, source_ids_of
from memcairn.domain.clock import FrozenClock
from memcairn.domain.conversations import NewMessage
from memcairn.domain.errors import Conflict, NotFound
from memcairn.domain.keys import ALL_SCOPES, Principal
from memcairn.domain.merge import merge
from memcairn.observability.metrics import Metrics
from memcairn.providers.fake import FakeEmbedder
from memcairn.store import orgs
from memcairn.store.database import SqliteDatabase
from memcairn.store.index.sqlite import SqliteIndex
from memcairn.store.migrate import migrate
from tests.core.talk import everything_read, process

T = TypeVar("T")

PRINCIPAL = Principal("model", "key", ALL_SCOPES)
SESSIONS = st.sampled_from(("s/1", "s 2", "s3"))
USERS = st.sampled_from(("ann", "ben"))
PICKS = st.integers(0, 1_000_000)
METADATA = st.dictionaries(
    st.sampled_from("ab"), st.none() | st.integers(0, 3) | st.dictionaries(st.sampled_from("cd"), st.integers(0, 3))
)


@dataclass
class SessionState:
    user_id: str | None
    metadata: dict[str, Any] | None
    deleted: bool = False


@dataclass
class MessageState:
    session_id: str
    word: str
    at_home: bool
    said_at: datetime
    actor: str
    metadata: dict[str, Any] = field(default_factory=dict)
    deleted: bool = False
    held: bool = False

    @property
    def content(self) -> str:
        return f"I live in {self.word}." if self.at_home else f"The {self.word} stood by the river."


class ConversationModel(RuleBasedStateMachine):
    """Every message holds a word of its own; `gone` are the words no read may tell any more."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = FrozenClock()
        self.deps = self.run(self._open())
        self.users: dict[str, dict[str, Any]] = {}
        self.sessions: dict[str, SessionState] = {}
        self.messages: dict[str, MessageState] = {}
        self.words = 0
        self.gone: set[str] = set()
        self.all_processed = True

    async def _open(self) -> Deps:
        database = SqliteDatabase(Path(self.folder.name) / "memory.db")
        await database.write(migrate)
        await database.write(orgs.add, PRINCIPAL.org_id, "Model", self.clock.now())
        return Deps(db=database, index=SqliteIndex(), embedder=FakeEmbedder(), clock=self.clock, metrics=Metrics())

    def run(self, task: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(task)

    def refused(self, task: Coroutine[Any, Any, Any], error: type[Exception] | tuple[type[Exception], ...]) -> bool:
        try:
            self.run(task)
        except error:
            return True
        return False

    def word(self) -> str:
        """One that reads as the name of a place and that no stemmer shortens."""
        self.words += 1
        letters = "".join(chr(ord("a") + self.words // 26**power % 26) for power in (2, 1, 0))
        return f"Qw{letters}ox"

    def pick(self, number: int) -> str:
        return sorted(self.messages)[number % len(self.messages)]

    def tick(self) -> None:
        self.clock.advance(timedelta(seconds=1))

    # What a caller can do

    @rule(user_id=USERS, metadata=METADATA)
    def create_user(self, user_id: str, metadata: dict[str, Any]) -> None:
        refused = self.refused(users.create_user(self.deps, PRINCIPAL, user_id, metadata=metadata), Conflict)

        assert refused == (user_id in self.users)
        self.users.setdefault(user_id, metadata)

    @rule(user_id=USERS, metadata=METADATA)
    def update_user(self, user_id: str, metadata: dict[str, Any]) -> None:
        refused = self.refused(users.update_user(self.deps, PRINCIPAL, user_id, metadata=metadata), NotFound)

        assert refused == (user_id not in self.users)
        if not refused:
            self.users[user_id] = merge(self.users[user_id], metadata)

    @rule(session_id=SESSIONS, user_id=st.none() | USERS, metadata=st.none() | METADATA)
    def create_session(self, session_id: str, user_id: str | None, metadata: dict[str, Any] | None) -> None:
        task = sessions.create_session(self.deps, PRINCIPAL, session_id, user_id=user_id, metadata=metadata)
        refused = self.refused(task, (Conflict, NotFound))

        assert refused == (session_id in self.sessions or (user_id is not None and user_id not in self.users))
        if not refused:
            self.sessions[session_id] = SessionState(user_id, metadata)

    @rule(session_id=SESSIONS, metadata=METADATA)
    def update_session(self, session_id: str, metadata: dict[str, Any]) -> None:
        refused = self.refused(sessions.update_session(self.deps, PRINCIPAL, session_id, metadata=metadata), NotFound)

        assert refused == (session_id not in self.sessions)
        if not refused:
            state = self.sessions[session_id]
            state.metadata, state.deleted = merge(state.metadata, metadata), False

    @rule(session_id=SESSIONS, homes=st.lists(st.booleans(), max_size=3))
    def add(self, session_id: str, homes: list[bool]) -> None:
        state = self.sessions.setdefault(session_id, SessionState(None, None))
        actor = state.user_id or f"session:{session_id}"
        new = [
            MessageState(session_id, self.word(), at_home and n == 0, self.clock.now(), actor)
            for n, at_home in enumerate(homes)
        ]
        said = [NewMessage("user", each.content) for each in new]
        ids = self.run(messages.add_messages(self.deps, PRINCIPAL, session_id, said))
        self.messages |= dict(zip(ids, new, strict=True))
        state.deleted = False
        self.all_processed = self.all_processed and not new
        self.tick()

    @precondition(lambda self: self.messages)
    @rule(number=PICKS, at_home=st.booleans(), metadata=METADATA)
    def rewrite(self, number: int, at_home: bool, metadata: dict[str, Any]) -> None:
        message_id = self.pick(number)
        state = self.messages[message_id]
        self.gone.add(state.word)
        state.word, state.at_home, state.metadata = self.word(), at_home, merge(state.metadata, metadata)
        said = NewMessage("user", state.content, message_id=message_id, metadata=metadata)
        self.run(messages.add_messages(self.deps, PRINCIPAL, state.session_id, [said]))
        self.sessions[state.session_id].deleted = False
        self.all_processed = self.all_processed and state.deleted
        if state.deleted:
            self.gone.add(state.word)
        self.tick()

    @precondition(lambda self: self.messages)
    @rule(number=PICKS, metadata=METADATA)
    def update_message(self, number: int, metadata: dict[str, Any]) -> None:
        message_id = self.pick(number)
        state = self.messages[message_id]
        task = messages.update_message_metadata(self.deps, PRINCIPAL, state.session_id, message_id, metadata=metadata)

        assert self.refused(task, NotFound) == state.deleted
        if not state.deleted:
            state.metadata = merge(state.metadata, metadata)

    @precondition(lambda self: self.messages)
    @rule(number=PICKS)
    def delete_message(self, number: int) -> None:
        message_id = self.pick(number)
        state = self.messages[message_id]
        task = messages.delete_message(self.deps, PRINCIPAL, state.session_id, message_id)

        assert self.refused(task, NotFound) == state.deleted
        state.deleted = True
        self.gone.add(state.word)

    @precondition(lambda self: self.messages)
    @rule(number=PICKS)
    def restore(self, number: int) -> None:
        message_id = self.pick(number)
        state = self.messages[message_id]
        self.run(messages.restore_message(self.deps, PRINCIPAL, state.session_id, message_id))
        self.all_processed = self.all_processed and not state.deleted
        if state.deleted:
            self.sessions[state.session_id].deleted = False
        state.deleted = False
        self.gone.discard(state.word)

    @precondition(lambda self: self.messages)
    @rule(number=PICKS, held=st.booleans())
    def hold(self, number: int, held: bool) -> None:
        message_id = self.pick(number)
        state = self.messages[message_id]
        self.run(messages.hold_message(self.deps, PRINCIPAL, state.session_id, message_id, held=held))
        state.held = held

    @rule(session_id=SESSIONS)
    def delete_session(self, session_id: str) -> None:
        refused = self.refused(sessions.delete_session(self.deps, PRINCIPAL, session_id), NotFound)

        assert refused == (session_id not in self.sessions or self.sessions[session_id].deleted)
        if refused:
            return
        self.sessions[session_id].deleted = True
        for state in self.messages.values():
            if state.session_id == session_id:
                state.deleted = True
                self.gone.add(state.word)

    @rule()
    def process(self) -> None:
        self.run(process(self.deps))
        self.all_processed = True

    @rule()
    def purge(self) -> None:
        report = self.run(purge(self.deps, older_than=timedelta(0)))

        assert report.wiped
        self.messages = {key: each for key, each in self.messages.items() if each.held or not each.deleted}
        left = {each.session_id for each in self.messages.values()}
        self.sessions = {key: each for key, each in self.sessions.items() if key in left or not each.deleted}
        self.no_byte_is_left()

    @rule(user_id=USERS)
    def erase(self, user_id: str) -> None:
        task = users.erase_user(self.deps, PRINCIPAL, user_id)

        assert self.refused(task, NotFound) == (user_id not in self.users)
        if self.users.pop(user_id, None) is None:
            return
        mine = {key for key, each in self.sessions.items() if each.user_id == user_id}
        self.gone |= {each.word for each in self.messages.values() if each.session_id in mine}
        self.messages = {key: each for key, each in self.messages.items() if each.session_id not in mine}
        self.sessions = {key: each for key, each in self.sessions.items() if key not in mine}

    # What must hold after each of it

    @invariant()
    def users_are_as_they_were_made(self) -> None:
        listed = self.run(users.users_after(self.deps, PRINCIPAL, limit=None))

        assert {user.user_id: user.metadata for user in listed} == self.users

    @invariant()
    def sessions_are_as_they_were_made(self) -> None:
        listed = self.run(sessions.sessions_after(self.deps, PRINCIPAL, limit=None))

        live = {key: each for key, each in self.sessions.items() if not each.deleted}
        assert {each.session_id: (each.user_id, each.metadata) for each in listed} == {
            key: (each.user_id, each.metadata) for key, each in live.items()
        }

    @invariant()
    def each_session_tells_its_messages_in_order(self) -> None:
        for session_id, session in self.sessions.items():
            live = [each for each in self.messages.values() if each.session_id == session_id and not each.deleted]
            task = messages.message_page(self.deps, PRINCIPAL, session_id, page=1, size=None)
            if session.deleted:
                assert self.refused(task, NotFound)
                assert live == []
                continue
            told = self.run(task)
            assert [(each.content, each.metadata) for each in told.items] == [
                (each.content, each.metadata) for each in live
            ]

    @invariant()
    def what_is_gone_is_in_no_read(self) -> None:
        told = self.run(everything_read(self.deps, PRINCIPAL, "Who stood by the river, and who lives where?"))

        assert [word for word in self.gone if word.lower() in told.lower()] == []

    @invariant()
    def what_is_live_is_found_by_its_word(self) -> None:
        for message_id, state in self.messages.items():
            if not state.deleted:
                hits = self.run(search(self.deps, Recalls(), PRINCIPAL, SearchQuery(state.word)))
                assert message_id in {event_id for hit in hits for event_id in source_ids_of(hit)}, state

    @invariant()
    def the_last_home_holds(self) -> None:
        if not self.all_processed:
            return
        said: dict[str, MessageState] = {}
        for state in sorted(self.messages.values(), key=lambda each: each.said_at):
            if state.at_home and not state.deleted:
                said[state.actor] = state
        page = self.run(
            list_memories(
                self.deps, PRINCIPAL, MemoryFilter(type="fact", status="active"), sort="observed_at_asc", limit=99
            )
        )
        held = sorted(memory.text.rstrip(".").split()[-1].casefold() for memory in page.items)

        assert held == sorted(state.word.casefold() for state in said.values())

    def no_byte_is_left(self) -> None:
        kept = {each.word for each in self.messages.values()}
        files = [file.read_bytes().lower() for file in Path(self.folder.name).iterdir()]
        assert [word for word in self.gone - kept if any(word.lower().encode() in data for data in files)] == []

    def teardown(self) -> None:
        self.run(self.deps.db.close())
        self.loop.close()
        self.folder.cleanup()


TestConversationModel = ConversationModel.TestCase
TestConversationModel.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
