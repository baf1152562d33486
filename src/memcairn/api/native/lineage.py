"""Why a memory stands where it does."""

from dataclasses import asdict

from fastapi import APIRouter, Request, Response

from memcairn.api.native.access import KeyedRoute, bearer, services_of
from memcairn.api.native.answers import answer
from memcairn.api.native.events import Reader
from memcairn.core.lineage import Lineage, lineage
from memcairn.domain.scopes import Scope
from memcairn.wire import lineage as wire
from memcairn.wire.memories import Scope as ScopeView

router = APIRouter(prefix="/v1/memories", tags=["memories"], route_class=KeyedRoute, dependencies=[bearer])


@router.get("/{memory_id}/lineage", operation_id="get_memory_lineage", response_model=wire.Lineage)
async def get_lineage(request: Request, memory_id: str, principal: Reader) -> Response:
    """How many people hold it, since when and why, and what has risen from it; nobody is named."""
    return answer(_view(await lineage(services_of(request).deps, principal, memory_id)))


def _view(found: Lineage) -> wire.Lineage:
    supporting = found.supporting_memory_ids
    return wire.Lineage(
        memory_id=found.memory.memory_id,
        scope=_scope(found.memory.scope),
        actors=found.actors,
        memories=found.memories,
        needed=found.needed,
        groups=[wire.LineageGroup(scope=_scope(each.scope), actors=each.actors) for each in found.groups],
        since=found.since,
        last_support_at=found.last_support_at,
        why=found.why,
        supporting_memory_ids=None if supporting is None else list(supporting),
        promoted_to=[wire.RisenMemory(memory_id=each.memory_id, scope=_scope(each.scope)) for each in found.risen],
        steps=[wire.LineageStep(**asdict(each)) for each in found.steps],
    )


def _scope(scope: Scope) -> ScopeView:
    return ScopeView(level=scope.level.value, actor_id=scope.actor_id, role_id=scope.role_id, team_id=scope.team_id)
