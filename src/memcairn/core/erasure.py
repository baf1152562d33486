"""Erasing a user: everything of theirs, everything derived from it, and every trace, for good."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from memcairn.core import promotion
from memcairn.core.deletion import forget_summaries, hide_events, prepared_for
from memcairn.core.deps import Deps
from memcairn.core.indexing import Prepared
from memcairn.core.purge import PAUSE_SECONDS, clear_traces, wipe
from memcairn.domain.ids import new_id
from memcairn.domain.scopes import actor_scope
from memcairn.store import events, locks, memories, sessions, users, wiping
from memcairn.store import purge as rows

ROWS_AT_ONCE = 200
"""Events erased in one transaction: those of most users in a single one."""
HIDDEN_AT_ONCE = 2_000
SESSIONS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class _Step:
    counts: Mapping[str, int]
    gone: frozenset[str]
    touched_sessions: frozenset[str]
    finished: bool


async def erase(deps: Deps, org_id: str, user_id: str) -> Mapping[str, int]:
    """Erase an existing user; returns the receipt: how many rows of each table were removed.

    That is: the profile, the user's sessions with all that was said in them, what the user said in other sessions,
    and those sessions too if nothing and nobody else is in them; memories that rest on other people's words as well
    stay, in those words. Interrupted, it can be repeated: the profile goes last.
    """
    counts: Counter[str] = Counter()
    await _hide_at_once(deps, org_id, user_id)
    gone: set[str] = {user_id}
    touched: frozenset[str] = frozenset()
    finished = False
    while not finished:

        def to_erase(connection: Connection) -> list[str]:
            return _to_erase(connection, org_id, user_id)

        prepared = await prepared_for(deps, org_id, to_erase)
        step = await deps.db.write(_erase_some, deps, org_id, user_id, prepared=prepared, touched=touched)
        counts.update(step.counts)
        gone |= step.gone
        touched |= step.touched_sessions
        finished = step.finished
        await asyncio.sleep(PAUSE_SECONDS)
    counts.update(await clear_traces(deps, org_id, gone))
    receipt = {table: count for table, count in sorted(counts.items()) if count}
    now = deps.clock.now()
    await deps.db.write(users.keep_receipt, org_id, new_id(), counts=receipt, now=now)
    await wipe(deps)
    return receipt


async def _hide_at_once(deps: Deps, org_id: str, user_id: str) -> None:
    """Out of sight first: removing takes longer, and counts as sources only what others have said."""

    def hide_sessions(connection: Connection) -> None:
        locks.reworking(connection, org_id)
        sessions.hide_of_user(connection, org_id, user_id, deps.clock.now())

    await deps.db.write(hide_sessions)

    def hide_some(connection: Connection) -> int:
        locks.reworking(connection, org_id)
        own = sessions.ids_of_user(connection, org_id, user_id, limit=SESSIONS_AT_ONCE)
        now = deps.clock.now()
        return events.hide_some_of(connection, org_id, actor_id=user_id, session_ids=own, now=now, limit=HIDDEN_AT_ONCE)

    while True:
        if await deps.db.write(hide_some) < HIDDEN_AT_ONCE:
            break
        await asyncio.sleep(PAUSE_SECONDS)


def _to_erase(connection: Connection, org_id: str, user_id: str) -> list[str]:
    own = sessions.ids_of_user(connection, org_id, user_id, limit=SESSIONS_AT_ONCE)
    return events.to_erase_of(connection, org_id, actor_id=user_id, session_ids=own, limit=ROWS_AT_ONCE)


def _erase_some(
    connection: Connection,
    deps: Deps,
    org_id: str,
    user_id: str,
    *,
    prepared: Mapping[str, Prepared],
    touched: frozenset[str],
) -> _Step:
    """One transaction: some of the events with what rests on them; with the last of them, everything else."""
    locks.reworking(connection, org_id)
    event_ids = _to_erase(connection, org_id, user_id)
    said = events.by_ids(connection, org_id, event_ids, deleted=True)
    touched |= {event.session_id for event in said}
    counts: Counter[str] = Counter()
    resting = [
        *memories.ids_by_sources(connection, org_id, event_ids),
        *rows.deleted_resting_on(connection, org_id, event_ids),
    ]
    said_with_others = promotion.risen_from(connection, org_id, resting)
    hidden = hide_events(connection, deps, org_id, event_ids, prepared=prepared)
    counts.update({"index_rows": hidden.index_rows, "memory_sources": hidden.links})
    forget_summaries(connection, org_id, said, deps.clock.now())
    counts["summaries"] += rows.erase_hidden_summaries(connection, org_id, touched)
    counts.update(_erase_memories(connection, deps, org_id, rows.deleted_resting_on(connection, org_id, event_ids)))
    counts.update(_erase_memories(connection, deps, org_id, rows.deleted_among(connection, org_id, said_with_others)))
    counts.update(rows.erase_events(connection, org_id, event_ids))
    finished, gone = False, set(event_ids)
    if len(event_ids) < ROWS_AT_ONCE:
        rest = _erase_the_rest(connection, deps, org_id, user_id, touched)
        counts.update(rest.counts)
        finished, gone = rest.finished, gone | rest.gone
    wiping.owe(connection)
    return _Step(counts, frozenset(gone), touched, finished)


def _erase_the_rest(connection: Connection, deps: Deps, org_id: str, user_id: str, touched: frozenset[str]) -> _Step:
    """With no event left: memories without sources, the sessions, and last of all the profile."""
    scope_key = actor_scope(user_id).key
    counts: Counter[str] = Counter()
    left = rows.memories_of_scope(connection, org_id, scope_key, limit=ROWS_AT_ONCE)
    counts.update(_erase_memories(connection, deps, org_id, left))
    own = sessions.ids_of_user(connection, org_id, user_id, limit=SESSIONS_AT_ONCE)
    empty = sessions.empty_among(connection, org_id, [*own, *sorted(touched)], user_id=user_id)
    counts.update(sessions.erase(connection, org_id, list(dict.fromkeys(empty))))
    finished = len(left) < ROWS_AT_ONCE and not sessions.ids_of_user(connection, org_id, user_id, limit=1)
    if finished:
        counts["users"] += users.erase(connection, org_id, user_id)
    return _Step(counts, frozenset(empty), touched, finished)


def _erase_memories(connection: Connection, deps: Deps, org_id: str, memory_ids: Sequence[str]) -> dict[str, int]:
    counts = {"index_rows": deps.index.remove(connection, org_id, memory_ids)}
    return counts | rows.erase_memories(connection, org_id, memory_ids)
