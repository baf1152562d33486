"""Whom the memories are about."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from memcairn.api.native.access import KeyedRoute, bearer, services_of
from memcairn.api.native.answers import answer
from memcairn.api.native.events import Reader
from memcairn.core import actors as core
from memcairn.domain.statistics import Actor
from memcairn.wire import actors as wire
from memcairn.wire.base import MAX_ID_CHARS, MAX_PAGE

router = APIRouter(prefix="/v1/actors", tags=["actors"], route_class=KeyedRoute, dependencies=[bearer])


@router.get("", operation_id="list_actors", response_model=wire.ActorPage)
async def get_actors(
    request: Request,
    principal: Reader,
    sort: wire.ActorSort = "first_memory_desc",
    q: Annotated[str | None, Query(min_length=1, max_length=MAX_ID_CHARS, description="Part of the id.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    cursor: Annotated[str | None, Query(max_length=2_000)] = None,
) -> Response:
    """Every actor with a memory, and exact counts."""
    deps = services_of(request).deps
    page = await core.list_actors(deps, principal, sort=sort, q=q, limit=limit, cursor=cursor)
    items = [_view(actor) for actor in page.items]
    return answer(wire.ActorPage(items=items, total=page.total, next_cursor=page.next_cursor))


@router.get("/{actor_id}", operation_id="get_actor", response_model=wire.Actor)
async def get_actor(request: Request, actor_id: str, principal: Reader) -> Response:
    """One actor; whoever has no memory is not found, whatever was said by them."""
    return answer(_view(await core.get_actor(services_of(request).deps, principal, actor_id)))


def _view(actor: Actor) -> wire.Actor:
    return wire.Actor(
        actor_id=actor.actor_id,
        memory_count=actor.memory_count,
        active_memory_count=actor.active_memory_count,
        first_memory_at=actor.first_memory_at,
        last_memory_at=actor.last_memory_at,
        scope_levels=list(actor.scope_levels),
        role_ids=list(actor.role_ids),
        team_ids=list(actor.team_ids),
    )
