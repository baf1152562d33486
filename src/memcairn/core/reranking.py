"""A second opinion on the best hits, from a model that reads question and text together.

It reads no more than the first ranking has found, holds no connection meanwhile, and has a budget of time: when it
takes longer, or fails, the first ranking stands and says so.
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from memcairn.core.deps import Deps
from memcairn.domain.errors import Unavailable
from memcairn.domain.explanation import Arm, Explanation
from memcairn.domain.pool import Pool, Trait
from memcairn.domain.ranking import Ranked
from memcairn.store import events, memories

ARM = "reranker"

log = logging.getLogger(__name__)


async def reranked(deps: Deps, org_id: str, text: str, ranked: Sequence[Ranked], pool: Pool) -> list[Ranked]:
    """The same rows in the order of both rankings; unchanged without a reranker, and when it cannot be waited for.

    Scores stay with their places: what comes first has the score of the first place.
    """
    reranking = deps.reranking
    if reranking is None or len(ranked) < 2:
        return list(ranked)
    found = await deps.db.read(_texts, org_id, ranked, pool)
    texts = [found.get(pool.memory_ids[row.row], "") for row in ranked]
    started = time.perf_counter()
    try:
        async with asyncio.timeout(reranking.seconds):
            values = await asyncio.to_thread(reranking.reranker.rerank, text, texts, seconds=reranking.seconds)
    except (Unavailable, TimeoutError) as error:
        deps.metrics.provider_called("rerank", time.perf_counter() - started, failed=True)
        why = error.message if isinstance(error, Unavailable) else f"it took longer than {reranking.seconds:g} s"
        log.warning("a search went on without the reranker", extra={"reason": why})
        return [_told(row, f"the reranker had no say: {why}") for row in ranked]
    deps.metrics.provider_called("rerank", time.perf_counter() - started)
    return fused(ranked, values, weight=reranking.weight)


def fused(ranked: Sequence[Ranked], values: NDArray[np.float64], *, weight: float) -> list[Ranked]:
    """Both rankings as shares of their best, weighed; a row whose value is not a number keeps its own share alone."""
    best = ranked[0].fused
    shares = np.array([row.fused / best if best > 0 else 0.0 for row in ranked]).clip(0.0, 1.0)
    known = np.isfinite(values)
    low, high = (values[known].min(), values[known].max()) if known.any() else (0.0, 0.0)
    opinions = np.where(known, (values - low) / (high - low), shares) if high > low else shares
    blended = (1.0 - weight) * shares + weight * opinions
    places = np.empty(len(ranked), dtype=np.int64)
    places[np.argsort(-np.where(known, values, -np.inf), kind="stable")] = np.arange(1, len(ranked) + 1)
    scores = sorted((row.score for row in ranked), reverse=True)
    order = np.argsort(-blended, kind="stable").tolist()
    return [
        replace(
            ranked[at],
            fused=float(blended[at] * best),
            score=score,
            explanation=_explained(ranked[at], float(blended[at] * best), int(places[at]), float(values[at])),
        )
        for at, score in zip(order, scores, strict=True)
    ]


def _explained(row: Ranked, fused: float, place: int, value: float) -> Explanation | None:
    explanation = row.explanation
    if explanation is None or not np.isfinite(value):
        return explanation and replace(explanation, fused=fused)
    arm = Arm(place, value, fused - row.fused)
    reason = f"the reranker: place {place} ({arm.contribution:+.3f})"
    arms: Mapping[str, Arm] = {**explanation.arms, ARM: arm}
    return replace(explanation, fused=fused, arms=arms, reasons=[reason, *explanation.reasons])


def _told(row: Ranked, reason: str) -> Ranked:
    if row.explanation is None:
        return row
    return replace(row, explanation=replace(row.explanation, reasons=[*row.explanation.reasons, reason]))


def _texts(connection: Connection, org_id: str, ranked: Sequence[Ranked], pool: Pool) -> dict[str, str]:
    """The whole text of each memory, or of the event that is not processed yet."""
    pending = [pool.memory_ids[row.row] for row in ranked if pool.traits[row.row] & Trait.PENDING]
    others = [pool.memory_ids[row.row] for row in ranked if not pool.traits[row.row] & Trait.PENDING]
    found = {memory.memory_id: memory.text for memory in memories.by_ids(connection, org_id, others)}
    return found | {event.event_id: event.content for event in events.by_ids(connection, org_id, pending)}
