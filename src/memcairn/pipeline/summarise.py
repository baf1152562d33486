"""Rolling summaries: what a session said before its newest events, folded into one text with the summary before it.

The words are chosen while no connection is held. A summary is written only if everything it was made from is still
there and unchanged, in the transaction that ends its job; otherwise the job is queued again.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from memcairn.core.deps import Deps
from memcairn.domain.errors import Unavailable
from memcairn.domain.events import Event
from memcairn.domain.ids import new_id
from memcairn.domain.jobs import Job
from memcairn.domain.summaries import MAX_SUMMARY_CHARS, Summary, shortened, utterance_of
from memcairn.providers.base import Summariser
from memcairn.providers.extractive import ExtractiveSummariser
from memcairn.store import events, jobs, locks, sessions, summaries

EVENTS_AT_ONCE = 500
"""Folded by one job; a session with more of them gets a summary of each stretch on the way."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Work:
    """The events of one session that are to be folded into `previous`; `more` are due behind them."""

    org_id: str
    session_id: str
    previous: Summary | None
    folded: Sequence[Event]
    more: bool


@dataclass(frozen=True, slots=True)
class _Made:
    work: _Work
    summary: Summary
    vector: NDArray[np.float32] | None


async def summarise_sessions(deps: Deps, held: Sequence[Job]) -> None:
    """Fold what is due in the sessions of these jobs and finish the jobs; LeaseLost if another worker has one by now.

    All but the newest half of the window is folded. A session in which less than a window has gathered is left alone,
    so that carrying a job out twice changes nothing.
    """
    waiting = await deps.db.read(_read, held, deps.summary_window)
    made = await asyncio.to_thread(_make, deps, waiting)
    await deps.db.write(_write, deps, held, made)


def _read(connection: Connection, held: Sequence[Job], window: int) -> list[_Work]:
    named = dict.fromkeys((job.org_id, str(job.payload["session_id"])) for job in held)
    found = [_work(connection, org_id, session_id, window) for org_id, session_id in named]
    return [work for work in found if work is not None]


def _work(connection: Connection, org_id: str, session_id: str, window: int) -> _Work | None:
    if sessions.get(connection, org_id, session_id) is None:
        return None
    previous = summaries.latest(connection, org_id, session_id)
    after = 0 if previous is None else previous.up_to_position
    ids = summaries.said_after(connection, org_id, session_id, after=after)
    if len(ids) < window:
        return None
    old = ids[: len(ids) - window // 2]
    folded = [event for event in events.by_ids(connection, org_id, old[:EVENTS_AT_ONCE]) if event.content.strip()]
    more = len(ids) - EVENTS_AT_ONCE >= window
    return _Work(org_id, session_id, previous, folded, more) if folded else None


def _make(deps: Deps, waiting: Sequence[_Work]) -> list[_Made]:
    texts = [_text(deps.summariser, work) for work in waiting]
    vectors = deps.embedder.embed([text for text, _ in texts])
    now = deps.clock.now()
    made = []
    for work, (text, maker), vector in zip(waiting, texts, vectors, strict=True):
        summary = _summary(deps, work, text, maker=maker, now=now)
        made.append(_Made(work, summary, vector if vector.any() else None))
    return made


def _text(summariser: Summariser, work: _Work) -> tuple[str, str]:
    """The summary and the name of what made it."""
    previous = None if work.previous is None else work.previous.content
    said = [utterance_of(event) for event in work.folded]
    try:
        text = shortened(summariser.summarise(previous, said).strip(), MAX_SUMMARY_CHARS)
    except Unavailable as error:
        log.warning("the summariser failed; sentences were chosen by rules instead", extra={"code": error.code})
        text = ""
    if text:
        return text, summariser.name
    plain = ExtractiveSummariser()
    return plain.summarise(previous, said), plain.name


def _summary(deps: Deps, work: _Work, text: str, *, maker: str, now: datetime) -> Summary:
    last = work.folded[-1]
    return Summary(
        org_id=work.org_id,
        summary_id=new_id(),
        session_id=work.session_id,
        content=text,
        token_count=deps.count_tokens(text),
        metadata={"summariser": maker},
        up_to_position=last.position,
        up_to_event_id=last.event_id,
        created_at=now,
    )


def _write(connection: Connection, deps: Deps, held: Sequence[Job], made: Sequence[_Made]) -> None:
    jobs.finish(connection, held)
    again = []
    for each in made:
        work = each.work
        locks.deriving(connection, work.org_id)
        if sessions.get(connection, work.org_id, work.session_id) is None:
            continue
        unchanged = _is_unchanged(connection, work)
        if unchanged:
            summaries.add(connection, each.summary, vector=each.vector, model=deps.embedder.model)
        if work.more or not unchanged:
            again.append(summaries.job_for(work.org_id, work.session_id))
    jobs.enqueue(connection, again, deps.clock.now())


def _is_unchanged(connection: Connection, work: _Work) -> bool:
    """Nobody has deleted or rewritten what was read, and nobody else has summarised it."""
    latest = summaries.latest(connection, work.org_id, work.session_id)
    if (latest and latest.summary_id) != (work.previous and work.previous.summary_id):
        return False
    return events.all_unchanged(connection, work.org_id, work.folded)
