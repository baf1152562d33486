"""What an agent should have before it when it answers: the summary, the newest messages, the memories that matter."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from memcairn.core.deps import Deps
from memcairn.core.recall import Recalls
from memcairn.core.search import Hit, SearchQuery, search, source_ids_of
from memcairn.domain.candidates import MESSAGE
from memcairn.domain.context import Item, Material, pack
from memcairn.domain.conversations import actor_of
from memcairn.domain.errors import NotFound
from memcairn.domain.events import Event, EventKind
from memcairn.domain.keys import KeyScope, Principal
from memcairn.domain.summaries import Summary, name_shown, speaker_shown
from memcairn.domain.trust import Trust
from memcairn.store import events, provenance, sessions, summaries

TOKEN_BUDGET = 2_000
MAX_HITS = 100

ASKED_WITH = 3
"""Without a query, memories are looked for with the newest messages of people, at most this many."""

_ASKED_CHARS = 1_000


@dataclass(frozen=True, slots=True)
class ContextOptions:
    """What may go in besides the defaults; a limit of 0 leaves the part out. `threshold` is a floor on the score."""

    message_limit: int = 12
    memory_limit: int = 20
    threshold: float = 0.0
    include_summary: bool = True
    role_ids: Sequence[str] = ()
    team_ids: Sequence[str] = ()
    min_trust: Trust | None = None


DEFAULT_OPTIONS = ContextOptions()


@dataclass(frozen=True, slots=True)
class Context:
    """The block and its parts: what is in `text` is in the parts, and cut short where the block cuts it short.

    Messages stand oldest first, memories best first. `query` is what memories were looked for with, if they were.
    """

    session_id: str
    actor_id: str
    query: str | None
    text: str
    token_count: int
    summary: Summary | None
    messages: Sequence[Event]
    memories: Sequence[Hit]


async def build_context(
    deps: Deps,
    recalls: Recalls,
    principal: Principal,
    *,
    session_id: str,
    actor_id: str | None = None,
    query: str | None = None,
    token_budget: int = TOKEN_BUDGET,
    options: ContextOptions = DEFAULT_OPTIONS,
) -> Context:
    """A block for a prompt of at most `token_budget` tokens, in an order that the same contents always have.

    Stored text is framed as quotations, see `domain.context`. Memories are those the actor may see: `actor_id`, else
    the user of the session, else whoever spoke last in it; what the messages shown say already is left out. NotFound
    without a live session, unless `actor_id` is given: a conversation may begin with what is known of somebody.
    """
    principal.require(KeyScope.READ)
    told = await deps.db.read(_load, principal.org_id, session_id, options)
    if not told.live and actor_id is None:
        raise NotFound(
            f"There is no session {session_id!r}. Add a message to it first, or name an `actor_id` to have the "
            "memories of that actor.",
            code="session_not_found",
        )
    actor_id = actor_id or told.actor_id or actor_of(session_id, None)
    asked = query if query and query.strip() else _question(told.messages)
    hits: Sequence[Hit] = ()
    if asked is not None and options.memory_limit > 0:
        wanted = SearchQuery(
            text=asked,
            # Some of the hits will be the messages that are shown anyway.
            limit=min(MAX_HITS, options.memory_limit + 2 * len(told.messages)),
            threshold=options.threshold,
            actor_id=actor_id,
            role_ids=options.role_ids,
            team_ids=options.team_ids,
            min_trust=options.min_trust,
        )
        hits = await search(deps, recalls, principal, wanted)
    given = _Given(session_id, actor_id, asked, told, hits)
    return await asyncio.to_thread(_packed, deps, given, token_budget, options)


@dataclass(frozen=True, slots=True)
class _Told:
    """What a session holds; nothing, if it is not live. `actor_id` is None if nobody has spoken in it."""

    live: bool
    actor_id: str | None = None
    summary: Summary | None = None
    messages: Sequence[Event] = ()
    summary_trust: Trust = Trust.NORMAL


@dataclass(frozen=True, slots=True)
class _Given:
    session_id: str
    actor_id: str
    asked: str | None
    told: _Told
    hits: Sequence[Hit]


def _load(connection: Connection, org_id: str, session_id: str, options: ContextOptions) -> _Told:
    session = sessions.get(connection, org_id, session_id)
    if session is None:
        return _Told(live=False)
    limit = max(options.message_limit, ASKED_WITH)
    newest = summaries.said_after(connection, org_id, session_id, after=0, limit=limit)
    least = options.min_trust or Trust.LOW
    messages = [event for event in events.by_ids(connection, org_id, newest) if event.trust >= least]
    actor_id = session.user_id or _last_speaker(messages)
    summary = summaries.latest(connection, org_id, session_id) if options.include_summary else None
    if summary is None:
        return _Told(True, actor_id, None, messages)
    trust = provenance.lowest_in_session(connection, org_id, session_id, up_to=summary.up_to_position)
    trust = Trust.NORMAL if trust is None else trust
    return _Told(True, actor_id, summary if trust >= least else None, messages, trust)


def _last_speaker(messages: Sequence[Event]) -> str | None:
    """The actor of the newest message of a person, or else of the newest message."""
    by_people = [event for event in messages if event.kind is EventKind.USER_MESSAGE]
    newest = [*messages[-1:], *by_people[-1:]]
    return newest[-1].actor_id if newest else None


def _question(messages: Sequence[Event]) -> str | None:
    by_people = [event.content for event in messages if event.kind is EventKind.USER_MESSAGE]
    newest = (by_people or [event.content for event in messages])[-ASKED_WITH:]
    return "\n".join(newest)[-_ASKED_CHARS:] or None


def _packed(deps: Deps, given: _Given, token_budget: int, options: ContextOptions) -> Context:
    told = given.told
    messages = {event.event_id: event for event in told.messages[max(0, len(told.messages) - options.message_limit) :]}
    hits = {_hit_id(hit): hit for hit in given.hits}
    material = Material(
        summary=None if told.summary is None else _summary(told.summary, told.summary_trust),
        messages=[_message(event) for event in messages.values()],
        memories=[_memory(hit_id, hit) for hit_id, hit in hits.items()],
        most_memories=options.memory_limit,
    )
    packed = pack(material, budget=token_budget, count_tokens=deps.count_tokens)
    shown = packed.shown
    return Context(
        session_id=given.session_id,
        actor_id=given.actor_id,
        query=given.asked if options.memory_limit else None,
        text=packed.text,
        token_count=packed.token_count,
        summary=replace(told.summary, content=shown.summary.text) if told.summary and shown.summary else None,
        messages=[replace(messages[item.item_id], content=item.text) for item in shown.messages],
        memories=[hits[item.item_id] for item in shown.memories],
    )


def _summary(summary: Summary, trust: Trust) -> Item:
    return Item(summary.summary_id, "", summary.content, low_trust=trust is Trust.LOW)


def _message(event: Event) -> Item:
    label = f"{event.occurred_at:%Y-%m-%d %H:%M} {speaker_shown(event)}"
    return Item(event.event_id, label, event.content, frozenset({event.event_id}), event.trust is Trust.LOW)


def _memory(hit_id: str, hit: Hit) -> Item:
    sources = frozenset(source_ids_of(hit))
    if hit.memory is None:
        event = hit.event
        assert event is not None, "a hit has a memory or an event"  # noqa: S101 -- our own invariant
        label = f"{event.occurred_at:%Y-%m-%d} {speaker_shown(event)}"
        return Item(hit_id, label, event.content, sources, event.trust is Trust.LOW)
    memory = hit.memory
    # What was concluded names its speaker in the text; what is kept as said does not.
    said_by = f" {name_shown(memory.speaker)}" if memory.type == MESSAGE and memory.speaker else ""
    label = f"{memory.observed_at:%Y-%m-%d}{said_by}"
    return Item(hit_id, label, memory.text, sources, memory.trust is Trust.LOW)


def _hit_id(hit: Hit) -> str:
    found = hit.memory.memory_id if hit.memory is not None else hit.event and hit.event.event_id
    assert found, "a hit has a memory or an event"  # noqa: S101 -- our own invariant
    return found
