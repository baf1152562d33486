"""One evaluation: say every turn, ask every question, through the core a server uses."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from memcairn.cli.eval_set import EvalSet, Question, Turn
from memcairn.core import ingest as core_ingest
from memcairn.core.deps import Deps
from memcairn.core.keys import create_org
from memcairn.core.recall import Recalls
from memcairn.core.search import SearchQuery, search, source_ids_of
from memcairn.domain.evaluation import Answered, distinct
from memcairn.domain.events import MAX_CONTENT_CHARS, EventKind, EventStatus, NewEvent
from memcairn.domain.keys import ALL_SCOPES, Principal
from memcairn.pipeline.worker import Worker

BATCH = 100
PLACES = 10
"""Hits asked for, and places among which the gold is looked for."""

_PART = "\x1f"
"""Between a doc_id and the number of its part, where one turn is more than an event may hold."""

_ROLES = {
    "assistant": EventKind.ASSISTANT_MESSAGE,
    "tool": EventKind.TOOL_RESULT,
    "system": EventKind.APP_EVENT,
}


class Progress(Protocol):
    def __call__(self, step: str, done: int, total: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Measured:
    """What one run gave: answers, and how long each part took. `unprocessed` counts events that did not get through."""

    answered: Sequence[Answered]
    events: int
    unprocessed: int
    ingest_seconds: float
    process_seconds: float
    search_millis: Sequence[float]


async def measure(deps: Deps, chosen: EvalSet, progress: Progress) -> Measured:
    """Ingest and process the whole set, then ask; the recalls of the questions are not written back, so that no answer
    changes the next."""
    events = {tenant: [event for turn in turns for event in events_of(turn)] for tenant, turns in chosen.turns.items()}
    total = sum(len(of_tenant) for of_tenant in events.values())
    started = time.perf_counter()
    await _ingest(deps, events, total, progress)
    accepted = time.perf_counter()
    await _process(deps, total, progress)
    processed = time.perf_counter()
    unprocessed = await _count_unprocessed(deps, events)
    answered, millis = await _ask(deps, chosen.questions, progress)
    return Measured(answered, total, unprocessed, accepted - started, processed - accepted, millis)


def events_of(turn: Turn) -> list[NewEvent]:
    """One event per turn, in the name of one actor per tenant; a turn longer than an event may be becomes several."""
    pieces = [turn.text[start : start + MAX_CONTENT_CHARS] for start in range(0, len(turn.text), MAX_CONTENT_CHARS)]
    return [
        NewEvent(
            actor_id=turn.tenant,
            session_id=turn.session,
            kind=_ROLES.get(turn.role, EventKind.USER_MESSAGE),
            content=piece,
            name=turn.speaker,
            occurred_at=turn.said_at,
            event_id=turn.doc_id if number == 0 else f"{turn.doc_id}{_PART}{number}",
        )
        for number, piece in enumerate(pieces)
        if piece.strip()
    ]


async def _ingest(deps: Deps, events: dict[str, list[NewEvent]], total: int, progress: Progress) -> None:
    done = 0
    for tenant, of_tenant in events.items():
        await create_org(deps, tenant)
        for start in range(0, len(of_tenant), BATCH):
            batch = of_tenant[start : start + BATCH]
            await core_ingest.ingest(deps, _principal(tenant), batch)
            done += len(batch)
            progress("ingest", done, total)


async def _process(deps: Deps, total: int, progress: Progress) -> None:
    worker = Worker(deps)
    done = 0
    progress("process", 0, total)
    while claimed := await worker.run_once():
        done = min(total, done + claimed * BATCH)
        progress("process", done, total)
    progress("process", total, total)


async def _count_unprocessed(deps: Deps, events: dict[str, list[NewEvent]]) -> int:
    count = 0
    for tenant, of_tenant in events.items():
        ids = [event.event_id for event in of_tenant if event.event_id is not None]
        states = await core_ingest.statuses(deps, _principal(tenant), ids)
        count += sum(state.status is not EventStatus.COMPLETED for state in states)
    return count


async def _ask(deps: Deps, questions: Sequence[Question], progress: Progress) -> tuple[list[Answered], list[float]]:
    answered: list[Answered] = []
    millis: list[float] = []
    recalls = Recalls()
    for number, question in enumerate(questions, start=1):
        query = SearchQuery(question.text, limit=PLACES, actor_id=question.tenant, asked_at=question.asked_at)
        started = time.perf_counter()
        hits = await search(deps, recalls, _principal(question.tenant), query)
        millis.append((time.perf_counter() - started) * 1000)
        sources = [[event_id.partition(_PART)[0] for event_id in source_ids_of(hit)] for hit in hits]
        answered.append(Answered(question.type, question.gold, distinct(sources, PLACES)))
        progress("search", number, len(questions))
    return answered, millis


def _principal(tenant: str) -> Principal:
    return Principal(tenant, "eval", ALL_SCOPES)
