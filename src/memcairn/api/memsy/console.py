"""What a console shows: memories, their statistics, actors and events, in pages counted from the start."""

import uuid
from collections.abc import Sequence

from starlette.responses import JSONResponse, Response

from memcairn.api.memsy.call import Call
from memcairn.api.memsy.errors import RefusalError, invalid
from memcairn.api.memsy.values import Json
from memcairn.api.memsy.views import actor_view, event_view, lineage_view, memory_view, stats_view
from memcairn.core.actors import DEFAULT_SORT, actors_from, get_actor
from memcairn.core.events import EventFilter, events_from
from memcairn.core.lineage import lineage
from memcairn.core.memories import MemoryFilter, get_memory, memories_from
from memcairn.core.statistics import memory_stats
from memcairn.domain.errors import NotFound
from memcairn.domain.events import EventKind
from memcairn.domain.memories import MemoryKind, MemoryStatus
from memcairn.domain.scopes import Level

MEMORY_SORTS = ("observed_at_desc", "observed_at_asc", "strength_desc", "confidence_desc", "created_at_desc")
ACTOR_SORTS = ("first_memory_desc", "first_memory_asc", "last_memory_desc", "actor_id_asc")
EVENT_SORTS = ("ts_desc", "ts_asc")
DEFAULT_PAGE, MAX_PAGE = 50, 200
DEFAULT_ACTORS, MAX_ACTORS = 100, 500


async def list_memories(call: Call) -> Response:
    """Active ones unless another status is asked for; without an actor, those of every scope."""
    limit, offset = call.number("limit", DEFAULT_PAGE, low=1, high=MAX_PAGE), call.offset()
    where = MemoryFilter(
        actor_id=call.text("actor_id"),
        kind=call.choice("kind", [kind.value for kind in MemoryKind]),
        type=call.text("type"),
        status=call.choice("status", [status.value for status in MemoryStatus], MemoryStatus.ACTIVE.value),
        text=call.text("search"),
    )
    sort = call.choice("sort", MEMORY_SORTS) or MEMORY_SORTS[0]
    found = await memories_from(call.deps, call.principal, where, sort=sort, skip=offset, limit=limit)
    now = call.deps.clock.now()
    return _page([memory_view(memory, now) for memory in found.items], found.total, limit, offset)


async def get_one_memory(call: Call) -> Response:
    """422 for an id that is no UUID, 404 for one that is unknown. One that has risen tells its lineage as payload."""
    given = call.path("memory_id")
    try:
        memory_id = str(uuid.UUID(given))
    except ValueError:
        raise invalid(f"A memory's id is a UUID; {given[:64]!r} is none.") from None
    memory = await get_memory(call.deps, call.principal, memory_id)
    shown = memory_view(memory, call.deps.clock.now())
    if memory.scope.level is not Level.ACTOR:
        its_lineage = lineage_view(await lineage(call.deps, call.principal, memory_id))
        shown["payload"] = (shown["payload"] or {}) | {"lineage": its_lineage}
    return JSONResponse(shown)


async def get_stats(call: Call) -> Response:
    return JSONResponse(stats_view(await memory_stats(call.deps, call.principal)))


async def list_actors(call: Call) -> Response:
    """Whoever has a memory; counts are exact, so nothing is ever truncated."""
    call.check_org_in_query()
    limit, offset = call.number("limit", DEFAULT_ACTORS, low=1, high=MAX_ACTORS), call.offset()
    sort = call.choice("sort", ACTOR_SORTS) or DEFAULT_SORT
    found = await actors_from(call.deps, call.principal, sort=sort, q=call.text("q"), skip=offset, limit=limit)
    shown = [actor_view(actor) for actor in found.items]
    return _page(shown, found.total, limit, offset, truncated=False)


async def get_one_actor(call: Call) -> Response:
    """404 for an actor without a memory, whatever was said by it."""
    call.check_org_in_query()
    try:
        return JSONResponse(actor_view(await get_actor(call.deps, call.principal, call.path("actor_id"))))
    except NotFound as error:
        raise RefusalError(404, error.code, error.message) from None


async def list_events(call: Call) -> Response:
    limit, offset = call.number("limit", DEFAULT_PAGE, low=1, high=MAX_PAGE), call.offset()
    where = EventFilter(
        actor_id=call.text("actor_id"),
        session_id=call.text("session_id"),
        kind=call.choice("kind", [kind.value for kind in EventKind]),
    )
    newest_first = (call.choice("sort", EVENT_SORTS) or EVENT_SORTS[0]) == EVENT_SORTS[0]
    found = await events_from(call.deps, call.principal, where, newest_first=newest_first, skip=offset, limit=limit)
    return _page([event_view(event) for event in found.items], found.total, limit, offset)


def _page(items: Sequence[Json], total: int, limit: int, offset: int, **more: bool) -> Response:
    return JSONResponse({"items": list(items), "total": total, "limit": limit, "offset": offset} | more)
