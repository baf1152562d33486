"""Removing for good what was deleted, in pieces so small that nobody has to wait for them."""

import asyncio
import time
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from memcairn.core.deps import Deps
from memcairn.store import orgs, wiping
from memcairn.store import purge as rows
from memcairn.store.purge import AnswerKey, Removed

ROWS_AT_ONCE = 60
FEWEST_AT_ONCE = 5
"""Events, and memories, removed in one transaction: as many as take about STEP_SECONDS, between these two."""
STEP_SECONDS = 0.03
PAUSE_SECONDS = 0.005
"""Between two pieces: whoever has come meanwhile goes first."""


@dataclass(frozen=True, slots=True)
class PurgeReport:
    """How many rows of each table were removed, and whether every trace of them is overwritten by now."""

    counts: Mapping[str, int]
    wiped: bool = True


async def purge(deps: Deps, *, older_than: timedelta, org_id: str | None = None) -> PurgeReport:
    """Remove what was deleted at least `older_than` ago, in one org or in all; messages that are held stay.

    When it returns with `wiped`, no byte of it is left in the database, its log or its index. Other requests go on
    meanwhile. Running it twice at once does no harm.
    """
    until = deps.clock.now() - older_than
    counts: Counter[str] = Counter()
    chosen = [org_id] if org_id is not None else [org.org_id for org in await deps.db.read(orgs.every)]
    for each in chosen:
        gone: set[str] = set()
        limit = min(FEWEST_AT_ONCE, ROWS_AT_ONCE)
        while True:
            removed, seconds = await deps.db.write(_timed_step, each, until, limit=limit)
            if not removed.total:
                break
            counts.update(removed.counts)
            gone |= removed.ids
            limit = _fitting(limit, seconds)
            await asyncio.sleep(PAUSE_SECONDS)
        if gone:
            counts.update(await clear_traces(deps, each, gone))
    return PurgeReport({table: count for table, count in sorted(counts.items()) if count}, await wipe(deps))


def _timed_step(connection: Connection, org_id: str, until: datetime, *, limit: int) -> tuple[Removed, float]:
    started = time.perf_counter()
    removed = rows.remove_some(connection, org_id, until, limit=limit)
    return removed, time.perf_counter() - started


def _fitting(limit: int, seconds: float) -> int:
    """How many rows to take next when `limit` of them took so long."""
    if seconds > STEP_SECONDS:
        return max(FEWEST_AT_ONCE, limit // 2)
    return min(ROWS_AT_ONCE, 2 * limit) if seconds < STEP_SECONDS / 2 else limit


async def clear_traces(deps: Deps, org_id: str, gone: Collection[str]) -> Mapping[str, int]:
    """Remove the jobs and kept answers that are about these ids, and the names of scopes nobody is left in."""
    counts = {"jobs": 0, "idempotency": 0}
    after: str | None = ""
    while after is not None:
        removed, after = await deps.db.write(rows.clear_jobs, org_id, after=after)
        counts["jobs"] += removed
    answer: AnswerKey | None = None
    while True:
        naming, answer = await deps.db.read(rows.answers_naming, org_id, gone, after=answer)
        counts["idempotency"] += await deps.db.write(rows.remove_answers, org_id, naming, deps.clock.now())
        if answer is None:
            break
        await asyncio.sleep(PAUSE_SECONDS)

    def forget_scopes(connection: Connection) -> None:
        deps.index.forget_empty_scopes(connection, org_id)
        wiping.owe(connection)

    await deps.db.write(forget_scopes)
    return counts


async def wipe(deps: Deps) -> bool:
    """Overwrite what removed rows have left behind, if there is any; False when it has to be tried again."""
    owed = await deps.db.read(wiping.owed)
    if not owed:
        return True
    left = await deps.db.write(deps.index.tidy, None)
    while left:
        await asyncio.sleep(PAUSE_SECONDS)
        left = await deps.db.write(deps.index.tidy, left)
    if not await deps.db.wipe():
        return False
    await deps.db.write(wiping.settle, owed)
    return True
