"""Memories by hand."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from memcairn.api.native.access import KeyedRoute, bearer, services_of
from memcairn.api.native.answers import answer
from memcairn.api.native.events import IdFilter, Reader, Writer
from memcairn.api.native.views import event_view, memory_view
from memcairn.core import memories as core
from memcairn.wire import memories as wire
from memcairn.wire.base import MAX_PAGE

router = APIRouter(prefix="/v1/memories", tags=["memories"], route_class=KeyedRoute, dependencies=[bearer])


@router.get("", operation_id="list_memories", response_model=wire.MemoryPage)
async def get_memories(
    request: Request,
    principal: Reader,
    actor_id: IdFilter = None,
    session_id: IdFilter = None,
    role_id: IdFilter = None,
    team_id: IdFilter = None,
    kind: wire.MemoryKind | None = None,
    type: Annotated[str | None, Query(min_length=1, max_length=64)] = None,
    status: wire.MemoryStatus = "active",
    level: wire.Level | None = None,
    q: Annotated[str | None, Query(min_length=1, max_length=1_000, description="Part of the text.")] = None,
    sort: wire.MemorySort = "observed_at_desc",
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    cursor: Annotated[str | None, Query(max_length=2_000)] = None,
) -> Response:
    """Memories by filter, newest observation first unless sorted otherwise."""
    deps = services_of(request).deps
    where = core.MemoryFilter(
        actor_id=actor_id,
        session_id=session_id,
        role_id=role_id,
        team_id=team_id,
        kind=kind,
        type=type,
        status=status,
        level=level,
        text=q,
    )
    page = await core.list_memories(deps, principal, where, sort=sort, limit=limit, cursor=cursor)
    now = deps.clock.now()
    items = [memory_view(memory, now) for memory in page.items]
    return answer(wire.MemoryPage(items=items, next_cursor=page.next_cursor))


@router.get("/{memory_id}", operation_id="get_memory", response_model=wire.Memory)
async def get_memory(request: Request, memory_id: str, principal: Reader) -> Response:
    deps = services_of(request).deps
    return answer(memory_view(await core.get_memory(deps, principal, memory_id), deps.clock.now()))


@router.patch("/{memory_id}", operation_id="update_memory", response_model=wire.Memory)
async def patch_memory(request: Request, memory_id: str, body: wire.MemoryUpdate, principal: Writer) -> Response:
    """Change what is given and keep the rest; the history holds what it was before."""
    deps = services_of(request).deps
    values = body.model_dump(exclude_unset=True)
    changed = await core.update_memory(deps, principal, memory_id, values)
    return answer(memory_view(changed, deps.clock.now()))


@router.delete("/{memory_id}", status_code=204, operation_id="delete_memory")
async def delete_memory(request: Request, memory_id: str, principal: Writer) -> Response:
    """Hide a memory at once; a second time it is not found."""
    await core.delete_memory(services_of(request).deps, principal, memory_id)
    return Response(status_code=204)


@router.get("/{memory_id}/history", operation_id="get_memory_history", response_model=wire.MemoryHistory)
async def get_history(request: Request, memory_id: str, principal: Reader) -> Response:
    """Every change and its reason, oldest first."""
    changes = await core.memory_history(services_of(request).deps, principal, memory_id)
    return answer(wire.MemoryHistory(items=[wire.MemoryChange(**asdict(change)) for change in changes]))


@router.get("/{memory_id}/sources", operation_id="get_memory_sources", response_model=wire.MemorySources)
async def get_sources(request: Request, memory_id: str, principal: Reader) -> Response:
    """The events it rests on."""
    events = await core.memory_sources(services_of(request).deps, principal, memory_id)
    return answer(wire.MemorySources(items=[event_view(event) for event in events]))
