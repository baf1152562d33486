"""Accepting events: one durable transaction that holds them and the work they cause."""

import asyncio
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from json.encoder import encode_basestring_ascii

from sqlalchemy import Connection

from memcairn.core.counting import token_counts
from memcairn.core.deps import Deps
from memcairn.core.idempotency import Repeatable, once
from memcairn.domain.errors import Conflict
from memcairn.domain.events import Event, EventKind, EventStatus, NewEvent, trust_heard
from memcairn.domain.ids import new_id
from memcairn.domain.jobs import NewJob, Task
from memcairn.domain.keys import KeyScope, Principal
from memcairn.domain.usage import Dimension
from memcairn.store import events, jobs, locks, sessions, summaries

COLLAPSE_WITHIN = timedelta(seconds=60)
EVENTS_PER_JOB = 100
WAIT_SECONDS = 30.0
_FIRST_POLL_SECONDS = 0.002
_LONGEST_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class EventState:
    """How far an event got; status None means the org holds no such event."""

    event_id: str
    status: EventStatus | None
    error: str | None


async def ingest(
    deps: Deps,
    principal: Principal,
    new_events: Sequence[NewEvent],
    *,
    repeatable: Repeatable | None = None,
    timeless: bool = False,
) -> list[str]:
    """Store events and queue their processing; returns their ids in order, after the commit is synced.

    An event equal to one of the last 60 seconds (actor, session, kind, content, name and, unless `timeless`, time said)
    is not stored again: its place holds the id of the first. An event sent again under its own id is left as it is; the
    same id with another content is a Conflict, and nothing of the batch is stored. QuotaReached when the month has no
    room for all.
    """
    principal.require(KeyScope.WRITE)
    deps.meter.require_room(principal.org_id, len(new_events), deps.clock.now())
    tokens = await token_counts(deps, [event.content for event in new_events])
    digests = [digest_of(replace(event, occurred_at=None) if timeless else event) for event in new_events]
    heard = [_Heard(*each) for each in zip(new_events, digests, tokens, strict=True)]
    stored = 0

    def save(connection: Connection) -> list[str]:
        nonlocal stored
        stored = 0

        def effect() -> list[str]:
            nonlocal stored
            ids, stored = _save(connection, deps, principal, heard)
            return ids

        ids: list[str] = once(connection, deps, principal, repeatable, effect)
        return ids

    event_ids = await deps.db.write(save)
    deps.metrics.events_ingested(stored, collapsed=len(event_ids) - stored)
    deps.meter.note(principal, Dimension.EVENTS_INGESTED, stored, deps.clock.now())
    deps.wakeup.set()
    return event_ids


async def statuses(deps: Deps, principal: Principal, event_ids: Sequence[str]) -> list[EventState]:
    """One state per id, in the order asked for."""
    principal.require(KeyScope.READ)
    return await _states(deps, principal.org_id, event_ids)


async def wait_until_processed(deps: Deps, principal: Principal, event_ids: Sequence[str]) -> list[EventState]:
    """The states of events just ingested, once none is pending or after WAIT_SECONDS, whichever comes first."""
    pause = _FIRST_POLL_SECONDS
    states = await _states(deps, principal.org_id, event_ids)
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while any(state.status is EventStatus.PENDING for state in states):
                await asyncio.sleep(pause)
                pause = min(_LONGEST_POLL_SECONDS, pause * 1.5)
                states = await _states(deps, principal.org_id, event_ids)
    except TimeoutError:
        pass
    return states


async def _states(deps: Deps, org_id: str, event_ids: Sequence[str]) -> list[EventState]:
    found = await deps.db.read(events.states, org_id, list(dict.fromkeys(event_ids)))
    missing: tuple[EventStatus | None, str | None] = (None, None)
    return [EventState(event_id, *found.get(event_id, missing)) for event_id in event_ids]


@dataclass(frozen=True, slots=True)
class _Heard:
    """An event with what was worked out before its transaction began."""

    event: NewEvent
    digest: bytes
    tokens: int


def _save(connection: Connection, deps: Deps, principal: Principal, heard: Sequence[_Heard]) -> tuple[list[str], int]:
    """The id of every event, and how many of them were stored now."""
    now, org_id = deps.clock.now(), principal.org_id
    # Of two equal events at once, the second must see the first.
    locks.alone_in_sessions(connection, org_id, [each.event.session_id for each in heard])
    ids, fresh = _assign_ids(connection, now, org_id, heard)
    positions = _positions(connection, now, org_id, [heard[i].event.session_id for i in fresh])
    rows = [
        _event(heard[i], principal, event_id=ids[i], position=position, now=now)
        for i, position in zip(fresh, positions, strict=True)
    ]
    events.add(connection, rows, [heard[i].digest for i in fresh])
    jobs.enqueue(connection, list(work_for(org_id, rows)), now)
    jobs.enqueue(connection, summaries.due(connection, org_id, rows, window=deps.summary_window), now)
    return ids, len(rows)


def _assign_ids(
    connection: Connection, now: datetime, org_id: str, heard: Sequence[_Heard]
) -> tuple[list[str], list[int]]:
    """The id of every event, and the indexes of those that have to be stored."""
    given = [each.event.event_id for each in heard if each.event.event_id is not None]
    by_id = events.digests_by_id(connection, org_id, given)
    unnamed = [each.digest for each in heard if each.event.event_id is None]
    by_digest = events.ids_by_digest(connection, org_id, unnamed, now - COLLAPSE_WITHIN)
    ids: list[str] = []
    fresh: list[int] = []
    for i, each in enumerate(heard):
        event, digest = each.event, each.digest
        if event.event_id is not None:
            event_id = event.event_id
            if by_id.get(event_id, digest) != digest:
                raise Conflict(
                    f"The event id {event_id!r} is taken by an event with other content. Events do not change; "
                    "use another id.",
                    code="event_exists",
                )
            is_new = event_id not in by_id
        else:
            known = by_digest.get(digest)
            event_id = known or new_id()
            is_new = known is None
        ids.append(event_id)
        if is_new:
            fresh.append(i)
            by_id[event_id] = digest
            by_digest.setdefault(digest, event_id)
    return ids, fresh


def _positions(connection: Connection, now: datetime, org_id: str, session_ids: Sequence[str]) -> list[int]:
    """The next free position of each event's session, in order."""
    counts: dict[str, int] = {}
    for session_id in session_ids:
        counts[session_id] = counts.get(session_id, 0) + 1
    following = sessions.reserve(connection, org_id, counts, now)
    positions = []
    for session_id in session_ids:
        positions.append(following[session_id])
        following[session_id] += 1
    return positions


def _event(heard: _Heard, principal: Principal, *, event_id: str, position: int, now: datetime) -> Event:
    new = heard.event
    return Event(
        org_id=principal.org_id,
        event_id=event_id,
        session_id=new.session_id,
        position=position,
        actor_id=new.actor_id,
        kind=new.kind,
        content=new.content,
        name=new.name,
        role=new.role,
        token_count=heard.tokens,
        metadata=new.metadata,
        role_id=new.role_id,
        team_id=new.team_id,
        status=EventStatus.PENDING,
        error=None,
        occurred_at=new.occurred_at or now,
        created_at=now,
        updated_at=now,
        key_id=principal.key_id,
        channel=principal.channel,
        trust=trust_heard(principal.trust, new.kind),
    )


def work_for(org_id: str, rows: Sequence[Event]) -> Iterable[NewJob]:
    """The jobs that derive memories from these events: an actor's, in their order."""
    by_actor: dict[str, list[str]] = {}
    for event in rows:
        by_actor.setdefault(event.actor_id, []).append(event.event_id)
    for actor_id, event_ids in by_actor.items():
        for start in range(0, len(event_ids), EVENTS_PER_JOB):
            payload = {"event_ids": event_ids[start : start + EVENTS_PER_JOB]}
            yield NewJob(org_id, Task.PROCESS_EVENTS, f"{org_id}:{actor_id}", payload)


def digest_of(event: NewEvent) -> bytes:
    """Equal for events that say the same thing in the same place."""
    said_at = None if event.occurred_at is None else event.occurred_at.isoformat()
    return digest_of_words(
        event.actor_id, event.session_id, event.kind, event.content, name=event.name, said_at=said_at
    )


def digest_of_words(
    actor_id: str, session_id: str, kind: EventKind, content: str, *, name: str | None, said_at: str | None = None
) -> bytes:
    """The same of an event's parts; `said_at` is when it was said in ISO form, if that was told."""
    parts = (actor_id, session_id, kind.value, content, name, said_at)
    # A list in JSON: older events were hashed so, and every message is. `json.dumps` takes three times as long.
    identity = ", ".join(["null" if part is None else encode_basestring_ascii(part) for part in parts])
    return hashlib.blake2b(f"[{identity}]".encode(), digest_size=16).digest()
