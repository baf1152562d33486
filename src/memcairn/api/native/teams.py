"""Descriptions of teams."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from memcairn.api.native.access import KeyedRoute, bearer, services_of
from memcairn.api.native.answers import answer
from memcairn.api.native.events import Admin, IdempotencyKey, Reader
from memcairn.core import groups as core
from memcairn.core.idempotency import repeatable_request
from memcairn.domain.groups import Group, GroupKind
from memcairn.wire import teams as wire
from memcairn.wire.base import MAX_PAGE

router = APIRouter(prefix="/v1/teams", tags=["teams"], route_class=KeyedRoute, dependencies=[bearer])


@router.get("", operation_id="list_teams", response_model=wire.TeamPage)
async def get_teams(
    request: Request,
    principal: Reader,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    cursor: Annotated[str | None, Query(max_length=2_000)] = None,
) -> Response:
    """Described teams in the order they were described."""
    deps = services_of(request).deps
    page = await core.list_groups(deps, principal, GroupKind.TEAM, limit=limit, cursor=cursor)
    return answer(wire.TeamPage(items=[_view(each) for each in page.items], next_cursor=page.next_cursor))


@router.post("", status_code=201, operation_id="create_team", response_model=wire.Team)
async def post_team(
    request: Request, body: wire.NewTeam, principal: Admin, idempotency_key: IdempotencyKey = None
) -> Response:
    """Describe a team; its promotion prompt is written from name and focus unless one is given."""
    services = services_of(request)
    repeatable = repeatable_request(idempotency_key, "POST /v1/teams", await request.json())
    with services.in_flight.hold(principal, repeatable):
        made = await core.create_group(
            services.deps,
            principal,
            GroupKind.TEAM,
            name=body.name,
            focus=body.focus,
            group_id=body.team_id,
            promotion_prompt=body.promotion_prompt,
            repeatable=repeatable,
        )
    return answer(_view(made), 201)


@router.get("/{team_id}", operation_id="get_team", response_model=wire.Team)
async def get_team(request: Request, team_id: str, principal: Reader) -> Response:
    return answer(_view(await core.get_group(services_of(request).deps, principal, GroupKind.TEAM, team_id)))


@router.patch("/{team_id}", operation_id="update_team", response_model=wire.Team)
async def patch_team(request: Request, team_id: str, body: wire.TeamUpdate, principal: Admin) -> Response:
    """Change what is given; a prompt given here stays until it is regenerated."""
    deps, values = services_of(request).deps, body.model_dump(exclude_none=True)
    return answer(_view(await core.update_group(deps, principal, GroupKind.TEAM, team_id, values)))


@router.post("/{team_id}/regenerate-prompt", operation_id="regenerate_team_prompt", response_model=wire.Team)
async def post_regenerate(request: Request, team_id: str, principal: Admin) -> Response:
    """Write the promotion prompt anew from name and focus."""
    deps = services_of(request).deps
    return answer(_view(await core.regenerate_prompt(deps, principal, GroupKind.TEAM, team_id)))


@router.delete("/{team_id}", status_code=204, operation_id="delete_team")
async def delete_team(request: Request, team_id: str, principal: Admin) -> Response:
    """Remove the description; memories of the team stay as they are."""
    await core.delete_group(services_of(request).deps, principal, GroupKind.TEAM, team_id)
    return Response(status_code=204)


def _view(group: Group) -> wire.Team:
    return wire.Team(
        org_id=group.org_id,
        team_id=group.group_id,
        name=group.name,
        focus=group.focus,
        promotion_prompt=group.promotion_prompt,
        prompt_meta=dict(group.prompt_meta),
        created_at=group.created_at,
        updated_at=group.updated_at,
    )
