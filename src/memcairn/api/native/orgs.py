"""The description of the org a key belongs to."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from memcairn.api.native.access import KeyedRoute, bearer, services_of
from memcairn.api.native.answers import answer
from memcairn.api.native.events import Admin, Reader
from memcairn.core import orgs as core
from memcairn.domain.groups import Org
from memcairn.wire import orgs as wire
from memcairn.wire.base import MAX_ID_CHARS

router = APIRouter(prefix="/v1/org", tags=["org"], route_class=KeyedRoute, dependencies=[bearer])

OwnOrg = Annotated[
    str | None, Query(min_length=1, max_length=MAX_ID_CHARS, description="The key's own org; any other is not found.")
]


@router.get("", operation_id="get_org", response_model=wire.Org)
async def get_org(request: Request, principal: Reader, org_id: OwnOrg = None) -> Response:
    """The org of this key; one that nobody described has the name and prompt it began with."""
    return answer(_view(await core.get_org(services_of(request).deps, principal, org_id=org_id)))


@router.post("", status_code=201, operation_id="describe_org", response_model=wire.Org)
async def post_org(request: Request, body: wire.NewOrgDescription, principal: Admin, org_id: OwnOrg = None) -> Response:
    """Describe the org for the first time."""
    deps = services_of(request).deps
    return answer(_view(await core.describe_org(deps, principal, name=body.name, focus=body.focus, org_id=org_id)), 201)


@router.patch("", operation_id="update_org", response_model=wire.Org)
async def patch_org(request: Request, body: wire.OrgUpdate, principal: Admin, org_id: OwnOrg = None) -> Response:
    """Change what is given; a prompt given here stays until it is regenerated."""
    deps, values = services_of(request).deps, body.model_dump(exclude_none=True)
    return answer(_view(await core.update_org(deps, principal, values, org_id=org_id)))


@router.post("/regenerate-prompt", operation_id="regenerate_org_prompt", response_model=wire.Org)
async def post_regenerate(request: Request, principal: Admin, org_id: OwnOrg = None) -> Response:
    """Write the promotion prompt anew from name and focus."""
    return answer(_view(await core.regenerate_prompt(services_of(request).deps, principal, org_id=org_id)))


@router.delete("", status_code=204, operation_id="forget_org_description")
async def delete_org(request: Request, principal: Admin, org_id: OwnOrg = None) -> Response:
    """Take the description back; the org, its keys and all memories stay."""
    await core.forget_description(services_of(request).deps, principal, org_id=org_id)
    return Response(status_code=204)


def _view(org: Org) -> wire.Org:
    return wire.Org(
        org_id=org.org_id,
        name=org.name,
        focus=org.focus,
        promotion_prompt=org.promotion_prompt,
        prompt_meta=dict(org.prompt_meta),
        customised=org.customised,
        created_at=org.created_at,
        updated_at=org.updated_at,
    )
