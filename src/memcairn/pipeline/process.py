"""From events to memories, the whole pipeline on one page: read, extract, embed, decide, write.

Models and rules run while no connection is held. What they found is decided on and written in one transaction, with
the index, the status of the events and the end of the jobs; running it again changes nothing.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby

from sqlalchemy import Connection

from memcairn.core import promotion
from memcairn.core.deps import Deps
from memcairn.core.indexing import Prepared, prepare_now
from memcairn.domain.candidates import Candidate, digest_as
from memcairn.domain.consolidation import Add, Decision, Known, LookupKeys, Strengthen, consolidate, lookup_keys
from memcairn.domain.events import Event, EventStatus
from memcairn.domain.extraction import extract
from memcairn.domain.ids import new_id
from memcairn.domain.jobs import MAX_ERROR_CHARS, Job
from memcairn.pipeline import effects
from memcairn.store import events, jobs, lineage, locks, memories
from memcairn.store.memories import KnownMemory


@dataclass(frozen=True, slots=True)
class Heard:
    """An event, what was read out of it, and each candidate's text cut and embedded."""

    event: Event
    candidates: Sequence[Candidate]
    prepared: Sequence[Prepared]


async def process_events(deps: Deps, held: Sequence[Job]) -> None:
    """Derive memories from the events of these jobs and finish the jobs; LeaseLost if another worker has one by now."""
    waiting = await deps.db.read(_read, held)
    heard = await asyncio.to_thread(_understand, deps, waiting)
    await deps.db.write(_write, deps, held, heard)
    now = deps.clock.now()
    for event in waiting:
        deps.metrics.event_searchable((now - event.created_at).total_seconds())
    if heard:
        deps.metrics.memories_changed("added", sum(len(each.candidates) for each in heard))


def give_up(connection: Connection, job: Job, reason: str, now: datetime, retry_after: timedelta) -> bool:
    """Put a failed job back for later; after its last attempt its events are failed. Returns whether it is dead."""
    dead = jobs.fail(connection, job, reason, now, retry_after=retry_after)
    if dead:
        failed = EventStatus.FAILED
        ids: Sequence[str] = job.payload["event_ids"]
        events.mark(connection, job.org_id, ids, failed, now=now, error=reason[:MAX_ERROR_CHARS])
    return dead


def _read(connection: Connection, held: Sequence[Job]) -> list[Event]:
    """The events still waiting, in the order they were accepted."""
    found: list[Event] = []
    for org_id, its_jobs in groupby(sorted(held, key=_org), key=_org):
        ids = [event_id for job in its_jobs for event_id in job.payload["event_ids"]]
        found += [event for event in events.by_ids(connection, org_id, ids) if event.status is EventStatus.PENDING]
    return found


def _org(job: Job) -> str:
    return job.org_id


def _understand(deps: Deps, waiting: Sequence[Event]) -> list[Heard]:
    read = [(event, extract(event)) for event in waiting]
    prepared = iter(prepare_now(deps, [candidate.text for _, candidates in read for candidate in candidates]))
    return [Heard(event, candidates, [next(prepared) for _ in candidates]) for event, candidates in read]


def _write(connection: Connection, deps: Deps, held: Sequence[Job], heard: Sequence[Heard]) -> None:
    jobs.finish(connection, held)
    now = deps.clock.now()
    for org_id, of_org in _grouped(heard, lambda each: each.event.org_id):
        locks.deriving(connection, org_id)
        # What was deleted or rewritten meanwhile, or processed by a worker whose lease we took over, has no effect.
        unchanged = events.unchanged(connection, org_id, [each.event for each in of_org])
        waiting = [each for each in of_org if each.event.event_id in unchanged]
        decisions = _remember(connection, deps, waiting, now)
        _promote_later(connection, deps, waiting, decisions)
        events.mark(connection, org_id, [each.event.event_id for each in waiting], EventStatus.COMPLETED, now=now)


def _remember(connection: Connection, deps: Deps, heard: Sequence[Heard], now: datetime) -> list[Decision]:
    """Decide what one org's events mean, each actor's by themselves, and write it with few statements for all."""
    if not heard:
        return []
    org_id = heard[0].event.org_id
    read_before = memories.ids_by_sources(connection, org_id, [each.event.event_id for each in heard])
    work = effects.Effects(connection, deps, org_id, now)
    decided: list[Decision] = []
    for scope_key, of_scope in _grouped(heard, lambda each: effects.scope_of(each.event).key):
        decisions = _decide(connection, scope_key, of_scope, read_before=read_before, now=now)
        prepared = [one for each in of_scope for one in each.prepared]
        spoken_in = [each.event for each in of_scope for _ in each.candidates]
        for decision, text, event in zip(decisions, prepared, spoken_in, strict=True):
            _apply(work, decision, text, event)
        decided += decisions
    work.write()
    return decided


def _decide(
    connection: Connection, scope_key: str, heard: Sequence[Heard], *, read_before: Sequence[str], now: datetime
) -> list[Decision]:
    """One decision per candidate of one actor; `read_before` are memories that rest on events of the batch already."""
    org_id = heard[0].event.org_id
    candidates = [candidate for each in heard for candidate in each.candidates]
    keys = [lookup_keys(candidate) for candidate in candidates]
    known = memories.known(
        connection,
        org_id,
        scope_key,
        digests=list(dict.fromkeys(key.digest for key in keys)),
        slots=list(dict.fromkeys(key.slot_key for key in keys if key.slot_key is not None)),
        memory_ids=read_before,
    )
    return consolidate(candidates, _as_known(connection, org_id, known, keys), now, new_id=new_id)


def _promote_later(connection: Connection, deps: Deps, heard: Sequence[Heard], decisions: Sequence[Decision]) -> None:
    """What was said in a role or a team may be what others there say too; what was corrected is held no more."""
    if not heard:
        return
    org_id = heard[0].event.org_id
    if any(promotion.concerns(each.event) for each in heard):
        touched = [each.memory_id for each in decisions if isinstance(each, Add | Strengthen)]
        promotion.take_note(connection, deps, org_id, list(dict.fromkeys(touched)))
    closed = [each.supersedes for each in decisions if isinstance(each, Add) and each.supersedes is not None]
    if closed:
        promotion.recheck_around(connection, deps, org_id, closed)


def _apply(work: effects.Effects, decision: Decision, prepared: Prepared, event: Event) -> None:
    if isinstance(decision, Add):
        work.add(decision, prepared, event)
    elif isinstance(decision, Strengthen):
        work.strengthen(decision)


def _grouped(heard: Sequence[Heard], key: Callable[[Heard], str]) -> Iterable[tuple[str, list[Heard]]]:
    """Events by key, in their order inside each group."""
    groups: dict[str, list[Heard]] = {}
    for each in heard:
        groups.setdefault(key(each), []).append(each)
    return groups.items()


def _as_known(
    connection: Connection, org_id: str, known: Sequence[KnownMemory], keys: Sequence[LookupKeys]
) -> list[Known]:
    """Only memories that were read from these events before are asked for what they said then: hardly ever any."""
    event_ids = {key.event_id for key in keys}
    found = []
    for each in known:
        memory = each.memory
        again = not event_ids.isdisjoint(memory.source_event_ids)
        texts = lineage.former_texts(connection, org_id, memory.memory_id) if again else []
        found.append(replace(_known(each), former=frozenset(digest_as(memory, text) for text in texts)))
    return found


def _known(known: KnownMemory) -> Known:
    memory = known.memory
    return Known(
        memory_id=memory.memory_id,
        kind=memory.kind,
        type=memory.type,
        text=memory.text,
        speaker=memory.speaker,
        digest=known.digest,
        observed_at=memory.observed_at,
        slot=memory.slot,
        value=known.value,
        valid_to=memory.valid_to,
        status=memory.status,
        source_event_ids=memory.source_event_ids,
        trust=memory.trust,
    )
