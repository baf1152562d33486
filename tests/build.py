"""Plain builders: `make(Event, content="…")` is a whole value whose other fields do not matter to the test."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest

from memcairn.domain.clock import FrozenClock
from memcairn.domain.events import Event, EventKind, EventStatus, NewEvent
from memcairn.domain.ids import new_id
from memcairn.domain.jobs import NewJob, Task
from memcairn.domain.keys import ApiKey, KeyScope
from memcairn.domain.memories import HALF_LIFE_DAYS, Memory, MemoryKind, MemoryStatus
from memcairn.domain.scopes import actor_scope
from memcairn.providers.fake import FakeEmbedder
from memcairn.store.database import Database
from memcairn.store.index.analysis import analyse
from memcairn.store.index.base import Index, IndexEntry
from memcairn.store.index.postgres import PostgresIndex
from memcairn.store.index.sqlite import CACHE_BYTES, EXACT_ROWS, SqliteIndex
from memcairn.store.memories import MemoryRow
from memcairn.store.postgres import PostgresDatabase

T = TypeVar("T")

NOW = FrozenClock().now()
ORG = "default"


def make(kind: type[T], /, **fields: Any) -> T:
    """A value of `kind` with these fields; ids are fresh unless given."""
    value: T = _DEFAULTS[kind]()
    return replace(value, **fields)  # type: ignore[type-var]  # every kind here is a dataclass


def at(hour: int = 0, minute: int = 0, second: int = 0, *, day: int = 1) -> datetime:
    """A moment of January 2026, in UTC."""
    return datetime(2026, 1, day, hour, minute, second, tzinfo=UTC)


def entry(text: str, **fields: Any) -> IndexEntry:
    """An index entry of `text` as the product would make it with the fake embedder."""
    [vector] = FakeEmbedder().embed([text])
    return make(IndexEntry, terms=analyse(text), vector=vector if vector.any() else None, **fields)


def index_on(database: Database, *, exact_rows: int = EXACT_ROWS, cache_bytes: int = CACHE_BYTES) -> Index:
    """A fresh index of the kind that belongs to a database."""
    kind = PostgresIndex if isinstance(database, PostgresDatabase) else SqliteIndex
    return kind(exact_rows=exact_rows, cache_bytes=cache_bytes)


ON_BOTH = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
"""The databases, as parameters of what runs on each of them."""


def digest(words: str) -> bytes:
    """Some 16 bytes that belong to `words`."""
    return hashlib.blake2b(words.encode(), digest_size=16).digest()


def _event() -> Event:
    return Event(
        org_id=ORG,
        event_id=new_id(),
        session_id="s1",
        position=1,
        actor_id="ann",
        kind=EventKind.USER_MESSAGE,
        content="I moved to Lisbon.",
        name=None,
        role=None,
        token_count=5,
        metadata={},
        role_id=None,
        team_id=None,
        status=EventStatus.PENDING,
        error=None,
        occurred_at=NOW,
        created_at=NOW,
        updated_at=NOW,
    )


def _new_event() -> NewEvent:
    return NewEvent("ann", "s1", EventKind.USER_MESSAGE, "I moved to Lisbon.")


def _memory() -> Memory:
    return Memory(
        org_id=ORG,
        memory_id=new_id(),
        scope=actor_scope("ann"),
        session_id=None,
        position=None,
        kind=MemoryKind.SEMANTIC,
        type="fact",
        status=MemoryStatus.ACTIVE,
        text="Ann lives in Lisbon.",
        title=None,
        speaker="ann",
        slot=None,
        tags=(),
        entities=(),
        confidence=0.8,
        strength=1.0,
        recall_count=0,
        last_recalled_at=None,
        half_life_days=HALF_LIFE_DAYS,
        pinned=False,
        observed_at=NOW,
        valid_from=None,
        valid_to=None,
        supersedes=None,
        metadata={},
        created_at=NOW,
        updated_at=NOW,
    )


def _entry() -> IndexEntry:
    memory_id = new_id()
    return IndexEntry(
        memory_id=memory_id,
        segment=0,
        scope_key="actor:ann",
        session_id="s1",
        position=1,
        source=memory_id,
        speaker="ann",
        kind="episodic",
        type="message",
        traits=0,
        occurred_at=int(NOW.timestamp()),
        terms=("lisbon",),
        vector=None,
    )


def _key() -> ApiKey:
    return ApiKey(
        key_id=new_id(),
        org_id=ORG,
        name="a key",
        prefix="mc_",
        secret_hash=hashlib.sha256(b"a secret").digest(),
        scopes=frozenset({KeyScope.READ}),
        created_at=NOW,
        expires_at=None,
        last_used_at=None,
        revoked_at=None,
    )


_DEFAULTS: Mapping[type[Any], Callable[[], Any]] = {
    Event: _event,
    NewEvent: _new_event,
    Memory: _memory,
    MemoryRow: lambda: MemoryRow(_memory(), digest="d"),
    IndexEntry: _entry,
    ApiKey: _key,
    NewJob: lambda: NewJob(ORG, Task.PROCESS_EVENTS, f"{ORG}:ann", {"event_ids": ["e1"]}),
}
