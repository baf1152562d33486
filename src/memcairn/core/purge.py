"""Removing for good what was deleted, in pieces so small that nobody has to wait for them."""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection

from memcairn.core.deps import Deps
from memcairn.store import orgs, wiping
from memcairn.store import purge as rows
from memcairn.store.purge import AnswerKey

ROWS_AT_ONCE = 60
"""Events, and memories, removed in one transaction: about 30 ms."""
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
        while True:
            removed = await deps.db.write(rows.remove_some, each, until, limit=ROWS_AT_ONCE)
            if not removed.total:
                break
            counts.update(removed.counts)
            gone |= removed.ids
            await asyncio.sleep(PAUSE_SECONDS)
        if gone:
            counts.update(await clear_traces(deps, each, gone))
    return PurgeReport({table: count for table, count in sorted(counts.items()) if count}, await wipe(deps))


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
    while True:
        if not await deps.db.write(deps.index.tidy):
            break
        await asyncio.sleep(PAUSE_SECONDS)
    if not await deps.db.wipe():
        return False
    await deps.db.write(wiping.settle, owed)
    return True
