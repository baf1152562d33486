"""Descriptions of roles."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from memcairn.api.native.access import KeyedRoute, bearer, services_of
from memcairn.api.native.answers import answer
from memcairn.api.native.events import Admin, IdempotencyKey, Reader
from memcairn.core import groups as core
from memcairn.core.idempotency import repeatable_request
from memcairn.domain.groups import Group, GroupKind
from memcairn.wire import roles as wire
from memcairn.wire.base import MAX_PAGE

router = APIRouter(prefix="/v1/roles", tags=["roles"], route_class=KeyedRoute, dependencies=[bearer])


@router.get("", operation_id="list_roles", response_model=wire.RolePage)
async def get_roles(
    request: Request,
    principal: Reader,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    cursor: Annotated[str | None, Query(max_length=2_000)] = None,
) -> Response:
    """Described roles in the order they were described."""
    deps = services_of(request).deps
    page = await core.list_groups(deps, principal, GroupKind.ROLE, limit=limit, cursor=cursor)
    return answer(wire.RolePage(items=[_view(each) for each in page.items], next_cursor=page.next_cursor))


@router.post("", status_code=201, operation_id="create_role", response_model=wire.Role)
async def post_role(
    request: Request, body: wire.NewRole, principal: Admin, idempotency_key: IdempotencyKey = None
) -> Response:
    """Describe a role; its promotion prompt is written from name and focus unless one is given."""
    services = services_of(request)
    repeatable = repeatable_request(idempotency_key, "POST /v1/roles", await request.json())
    with services.in_flight.hold(principal, repeatable):
        made = await core.create_group(
            services.deps,
            principal,
            GroupKind.ROLE,
            name=body.name,
            focus=body.focus,
            group_id=body.role_id,
            promotion_prompt=body.promotion_prompt,
            repeatable=repeatable,
        )
    return answer(_view(made), 201)


@router.get("/{role_id}", operation_id="get_role", response_model=wire.Role)
async def get_role(request: Request, role_id: str, principal: Reader) -> Response:
    return answer(_view(await core.get_group(services_of(request).deps, principal, GroupKind.ROLE, role_id)))


@router.patch("/{role_id}", operation_id="update_role", response_model=wire.Role)
async def patch_role(request: Request, role_id: str, body: wire.RoleUpdate, principal: Admin) -> Response:
    """Change what is given; a prompt given here stays until it is regenerated."""
    deps, values = services_of(request).deps, body.model_dump(exclude_none=True)
    return answer(_view(await core.update_group(deps, principal, GroupKind.ROLE, role_id, values)))


@router.post("/{role_id}/regenerate-prompt", operation_id="regenerate_role_prompt", response_model=wire.Role)
async def post_regenerate(request: Request, role_id: str, principal: Admin) -> Response:
    """Write the promotion prompt anew from name and focus."""
    deps = services_of(request).deps
    return answer(_view(await core.regenerate_prompt(deps, principal, GroupKind.ROLE, role_id)))


@router.delete("/{role_id}", status_code=204, operation_id="delete_role")
async def delete_role(request: Request, role_id: str, principal: Admin) -> Response:
    """Remove the description; memories of the role stay as they are."""
    await core.delete_group(services_of(request).deps, principal, GroupKind.ROLE, role_id)
    return Response(status_code=204)


def _view(group: Group) -> wire.Role:
    return wire.Role(
        org_id=group.org_id,
        role_id=group.group_id,
        name=group.name,
        focus=group.focus,
        promotion_prompt=group.promotion_prompt,
        prompt_meta=dict(group.prompt_meta),
        created_at=group.created_at,
        updated_at=group.updated_at,
    )
