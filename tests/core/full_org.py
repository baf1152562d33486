"""An org with a bit of everything in it, and all that it answers."""

from dataclasses import asdict
from typing import Any

from memcairn.core import documents, groups, messages, sessions, users
from memcairn.core.collections import add_collection
from memcairn.core.deps import Deps
from memcairn.core.ingest import ingest
from memcairn.core.keys import create_key
from memcairn.core.memories import delete_memory, list_memories, memory_history, update_memory
from memcairn.core.recall import Recalls
from memcairn.core.search import SearchQuery, search
from memcairn.core.statistics import memory_stats
from memcairn.domain.collections import NewDocument
from memcairn.domain.conversations import NewMessage
from memcairn.domain.events import NewEvent
from memcairn.domain.groups import GroupKind
from memcairn.domain.keys import KeyScope, Principal
from memcairn.pipeline.worker import Worker
from memcairn.store.memories import MemoryFilter
from tests.build import ORG, at, make

QUESTIONS = ("where do I live?", "what do I drink?", "what is my dog called?", "who sings?")


async def fill(deps: Deps, principal: Principal) -> None:
    """Put something into nearly every table of the principal's org: corrected, deleted, pending."""
    said = ["I live in Porto.", "I moved to Lisbon last week.", "I prefer tea to coffee.", "My dog is called Biscuit."]
    new = [make(NewEvent, content=words, occurred_at=at(minute), role_id="pilot") for minute, words in enumerate(said)]
    gone = make(NewEvent, content="The parrot sings at noon.", session_id="gone")
    await ingest(deps, principal, [*new, gone])
    await groups.create_group(deps, principal, GroupKind.ROLE, name="Pilots")
    await users.create_user(deps, principal, "zoe", metadata={"likes": {"tea": 1.5, "big": 2**60}})
    await sessions.create_session(deps, principal, "chat", user_id="zoe")
    talk = [NewMessage(role="human", content=f"Letter {n} tells of a tower {n * 7} steps high.") for n in range(26)]
    await messages.add_messages(deps, principal, "chat", talk)
    await add_collection(deps, principal, "travels")
    await documents.add_documents(deps, principal, "travels", [NewDocument(content="Trains of Porto")])
    await create_key(deps, ORG, name="for the app", scopes=frozenset({KeyScope.READ}))
    while await Worker(deps).run_once():
        pass
    await sessions.delete_session(deps, principal, "gone")
    listed = await list_memories(deps, principal, MemoryFilter(text="tea"), sort="created_at_desc", limit=10)
    await update_memory(deps, principal, listed.items[0].memory_id, {"text": "Ann prefers green tea."})
    await delete_memory(deps, principal, listed.items[-1].memory_id)
    await ingest(deps, principal, [make(NewEvent, content="A tern sings by the sea.", session_id="late")])


async def answers(deps: Deps, principal: Principal) -> list[Any]:
    found: list[Any] = [await memory_stats(deps, principal, actor_id=actor_id) for actor_id in (None, "ann")]
    for question in QUESTIONS:
        for actor_id in ("ann", None):
            hits = await search(deps, Recalls(), principal, SearchQuery(question, actor_id=actor_id, explain=True))
            found += sorted(hits, key=lambda hit: (-hit.score, hit.memory.memory_id if hit.memory else ""))
    listed = await list_memories(deps, principal, MemoryFilter(), sort="created_at_desc", limit=200)
    found += listed.items
    for memory in listed.items:
        found += await memory_history(deps, principal, memory.memory_id)
    found += await messages.last_messages(deps, principal, "chat", 30)
    found.append(await users.get_user(deps, principal, "zoe"))
    return [_without_org(asdict(each)) for each in found]


def _without_org(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_org(inner) for key, inner in value.items() if key != "org_id"}
    if isinstance(value, list | tuple):
        return [_without_org(inner) for inner in value]
    # The order in which sums of single precision are taken is the database's.
    return round(value, 5) if isinstance(value, float) else value
