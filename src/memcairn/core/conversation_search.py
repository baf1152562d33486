"""Searching in one conversation: its messages, or its summaries, by meaning, by metadata and by date."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from memcairn.core.deps import Deps
from memcairn.core.sessions import require_session
from memcairn.domain.errors import Invalid
from memcairn.domain.events import Event
from memcairn.domain.filters import Filter
from memcairn.domain.keys import KeyScope, Principal
from memcairn.domain.mmr import DEFAULT_WEIGHT, candidates_for
from memcairn.domain.mmr import mmr as varied
from memcairn.domain.summaries import Summary
from memcairn.domain.usage import Dimension
from memcairn.store import events, session_search
from memcairn.store.session_search import Bounds, Vectors

MAX_EMBEDDED_NOW = 500
"""Messages without a vector (said a moment ago, or too slight to be remembered) that one search embeds: the newest."""

Scope = Literal["messages", "summaries"]


@dataclass(frozen=True, slots=True)
class SessionHit:
    """A message or a summary, and its cosine with the text asked for, -1 to 1; 0 where none was."""

    event: Event | None
    summary: Summary | None
    similarity: float


@dataclass(frozen=True, slots=True)
class _Look:
    """Where a search looks and how much of it it takes."""

    org_id: str
    session_id: str
    scope: Scope
    bounds: Bounds
    limit: int


async def search_session(
    deps: Deps,
    principal: Principal,
    session_id: str,
    *,
    text: str | None = None,
    filter: Filter | None = None,
    scope: Scope = "messages",
    mmr: bool = False,
    mmr_lambda: float | None = None,
    limit: int = 10,
    start: datetime | None = None,
    end: datetime | None = None,
) -> list[SessionHit]:
    """Live messages or summaries of one session: the nearest to `text` first, or, without it, the newest first.

    Filter and bounds (inclusive, on the time of storing) hold before the limit; the filter's own dates count where
    `start` and `end` are None. With `mmr`, variety counts beside nearness, whose weight is `mmr_lambda` (0 to 1; None
    or 0: one half). NotFound (`session_not_found`) for a session that is unknown or deleted; Invalid
    (`empty_search`) when neither text nor a filter nor a bound is given.
    """
    principal.require(KeyScope.READ)
    bounds = _bounds(filter, start, end)
    asked = text is not None and bool(text.strip())
    if not asked and filter is None and bounds == Bounds():
        raise Invalid("The search is empty: give `text`, `metadata` or a date.", code="empty_search")
    deps.meter.charge(principal, Dimension.SEARCH_QUERIES, 1, deps.clock.now())
    look = _Look(principal.org_id, session_id, scope, bounds, limit)
    if text is None or not asked:
        return await deps.db.read(_newest, look)
    vectors, missing = await deps.db.read(_load, deps, look)
    question, compared = await asyncio.to_thread(_complete, deps, text, vectors, missing)
    taken = candidates_for(limit) if mmr else limit
    ids, similarities, rows = _nearest(question, compared, taken)
    if mmr:
        order = varied(question, rows, weight=mmr_lambda or DEFAULT_WEIGHT, limit=limit)
        ids, similarities = [ids[i] for i in order], [similarities[i] for i in order]
    return await deps.db.read(_hydrate, look, ids, similarities)


def _bounds(filter: Filter | None, start: datetime | None, end: datetime | None) -> Bounds:
    if filter is None:
        return Bounds(None, start, end)
    where = filter if filter.selects else None
    return Bounds(where, start or filter.start, end or filter.end)


def _newest(connection: Connection, look: _Look) -> list[SessionHit]:
    require_session(connection, look.org_id, look.session_id)
    ids_of = session_search.message_ids if look.scope == "messages" else session_search.summary_ids
    ids = ids_of(connection, look.org_id, look.session_id, look.bounds, limit=look.limit)
    return _hydrate(connection, look, ids, [0.0] * len(ids))


def _load(connection: Connection, deps: Deps, look: _Look) -> tuple[Vectors, dict[str, str]]:
    """The vectors there are, and the newest texts that have none."""
    require_session(connection, look.org_id, look.session_id)
    place = (connection, look.org_id, look.session_id, look.bounds)
    model, width = deps.embedder.model, deps.embedder.dimensions
    if look.scope == "messages":
        vectors = session_search.message_vectors(*place, model=model, dimensions=width)
        ids, texts_of = session_search.message_ids(*place), session_search.message_texts
    else:
        vectors = session_search.summary_vectors(*place, model=model, dimensions=width)
        ids, texts_of = session_search.summary_ids(*place), session_search.summary_texts
    known = set(vectors.ids)
    missing = [each for each in ids if each not in known][:MAX_EMBEDDED_NOW]
    return vectors, texts_of(connection, look.org_id, missing)


def _complete(deps: Deps, text: str, vectors: Vectors, missing: dict[str, str]) -> tuple[NDArray[np.float32], Vectors]:
    """The vector of the question, and those of every row, made now where there was none."""
    question = deps.embedder.embed_query(text)
    if not missing:
        return question, vectors
    made = deps.embedder.embed(list(missing.values()))
    return question, replace(vectors, ids=[*vectors.ids, *missing], rows=np.concatenate([vectors.rows, made]))


def _nearest(
    question: NDArray[np.float32], vectors: Vectors, limit: int
) -> tuple[list[str], list[float], NDArray[np.float32]]:
    """The ids whose nearest vector is nearest, with that cosine and that vector."""
    cosines = (vectors.rows @ question).clip(-1.0, 1.0)
    best: dict[str, int] = {}
    for row in np.argsort(-cosines, kind="stable"):
        if len(best) == limit:
            break
        best.setdefault(vectors.ids[row], int(row))
    rows = list(best.values())
    return list(best), [float(cosines[row]) for row in rows], vectors.rows[rows]


def _hydrate(
    connection: Connection, look: _Look, ids: Sequence[str], similarities: Sequence[float]
) -> list[SessionHit]:
    """The hits, read afresh: what was deleted meanwhile is not shown."""
    similarity = dict(zip(ids, similarities, strict=True))
    if look.scope == "messages":
        live = events.by_ids(connection, look.org_id, list(ids))
        return [SessionHit(event, None, similarity[event.event_id]) for event in live]
    found = session_search.summaries_by_id(connection, look.org_id, list(ids))
    return [SessionHit(None, summary, similarity[summary.summary_id]) for summary in found]
