"""Saying things in sessions, and looking everywhere for them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, text

from memcairn.core import events, memories, messages, sessions
from memcairn.core.deps import Deps
from memcairn.core.events import EventFilter
from memcairn.core.memories import MemoryFilter
from memcairn.core.recall import Recalls
from memcairn.core.search import SearchQuery, search
from memcairn.domain.conversations import NewMessage
from memcairn.domain.errors import NotFound
from memcairn.domain.keys import Principal
from memcairn.pipeline.worker import Worker

STATUSES = ("active", "superseded", "archived", "decayed")


async def say(deps: Deps, principal: Principal, session_id: str, *words: str, **fields: Any) -> list[str]:
    """User messages, in order; returns their ids."""
    said = [NewMessage("user", each, **fields) for each in words]
    return await messages.add_messages(deps, principal, session_id, said)


async def process(deps: Deps) -> None:
    """Let the worker do all that is due."""
    worker = Worker(deps)
    while await worker.run_once():
        pass


async def contents(deps: Deps, principal: Principal, session_id: str) -> list[str]:
    """What a session says, oldest first; a session that is not there says nothing."""
    try:
        page = await messages.message_page(deps, principal, session_id, page=1, size=None)
    except NotFound:
        return []
    return [event.content for event in page.items]


async def kept(deps: Deps, principal: Principal, **where: Any) -> list[str]:
    """The texts of all active memories that fit."""
    where = {"status": "active", **where}
    page = await memories.list_memories(deps, principal, MemoryFilter(**where), sort="created_at_desc", limit=10_000)
    return sorted(memory.text for memory in page.items)


async def found(deps: Deps, principal: Principal, words: str) -> list[str]:
    """The texts of all hits for these words."""
    hits = await search(deps, Recalls(), principal, SearchQuery(words, limit=50, include_source_events=True))
    memories_found = [hit.memory.text for hit in hits if hit.memory is not None]
    return sorted(memories_found + [hit.event.content for hit in hits if hit.event is not None])


async def everything_read(deps: Deps, principal: Principal, words: str) -> str:
    """All that any read tells, as one text: what is deleted must not be in it."""
    told: list[object] = []
    listed = await sessions.sessions_after(deps, principal, limit=None)
    told += listed
    for session in listed:
        told += (await messages.message_page(deps, principal, session.session_id, page=1, size=None)).items
    told += (await events.list_events(deps, principal, EventFilter(), limit=10_000)).items
    for status in STATUSES:
        where = MemoryFilter(status=status)
        page = await memories.list_memories(deps, principal, where, sort="created_at_desc", limit=10_000)
        for memory in page.items:
            told.append(memory)
            told += await memories.memory_history(deps, principal, memory.memory_id)
            told += await memories.memory_sources(deps, principal, memory.memory_id)
    query = SearchQuery(words, limit=100, include_source_events=True)
    told += await search(deps, Recalls(), principal, query)
    return "\n".join(map(repr, told))


async def rows(deps: Deps, statement: str, **bound: Any) -> Sequence[Any]:
    """Rows as they are in the database, whatever the reads would show."""

    def read(connection: Connection) -> Sequence[Any]:
        return connection.execute(text(statement), bound).all()

    return await deps.db.read(read)
