"""The keys of the org, for its admins."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from memcairn.api.native.access import KeyedRoute, bearer, services_of
from memcairn.api.native.answers import answer
from memcairn.api.native.events import Admin
from memcairn.api.native.usage import UsageMoment, series_fields
from memcairn.core import keys as core
from memcairn.core.usage import key_usage
from memcairn.domain.keys import ApiKey, scopes_from
from memcairn.domain.trust import trust_named
from memcairn.domain.usage import Granularity
from memcairn.wire import keys as wire
from memcairn.wire import usage as usage_wire
from memcairn.wire.base import MAX_PAGE

router = APIRouter(prefix="/v1/keys", tags=["keys"], route_class=KeyedRoute, dependencies=[bearer])


@router.get("", operation_id="list_keys", response_model=wire.KeyPage)
async def get_keys(
    request: Request,
    principal: Admin,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    cursor: Annotated[str | None, Query(max_length=2_000)] = None,
) -> Response:
    """Every key of the org, ended ones included, without their secrets."""
    deps = services_of(request).deps
    page = await core.own_keys(deps, principal, limit=limit, cursor=cursor)
    now = deps.clock.now()
    items = [wire.Key(**_fields(key), is_active=key.usable_at(now)) for key in page.items]
    return answer(
        wire.KeyPage(items=items, next_cursor=page.next_cursor, active_count=page.active, max_keys=page.limit)
    )


@router.post("", status_code=201, operation_id="create_key", response_model=wire.MadeKey)
async def post_key(request: Request, body: wire.NewKey, principal: Admin) -> Response:
    """Make a key. It is shown in this answer alone, which is why there is no `Idempotency-Key` for it."""
    made = await core.issue_key(
        services_of(request).deps,
        principal,
        name=body.name,
        scopes=scopes_from(body.scopes),
        expires_at=body.expires_at,
        trust=None if body.trust is None else trust_named(body.trust),
    )
    return answer(wire.MadeKey(**_fields(made.key), is_active=True, api_key=made.raw_key), 201)


@router.delete("/{key_id}", status_code=204, operation_id="revoke_key")
async def delete_key(request: Request, key_id: str, principal: Admin) -> Response:
    """End a key: every request after this answer is refused."""
    await core.end_key(services_of(request).deps, principal, key_id)
    return Response(status_code=204)


@router.get("/{key_id}/usage", operation_id="get_key_usage", response_model=usage_wire.KeyUsage)
async def get_key_usage(
    request: Request,
    key_id: str,
    principal: Admin,
    granularity: usage_wire.Granularity = "day",
    start: UsageMoment = None,
    end: UsageMoment = None,
) -> Response:
    """What a key was used for, hour by hour or day by day; this month unless told otherwise."""
    deps = services_of(request).deps
    series = await key_usage(deps, principal, key_id, granularity=Granularity(granularity), start=start, end=end)
    return answer(usage_wire.KeyUsage(key_id=key_id, **series_fields(series)))


def _fields(key: ApiKey) -> dict[str, object]:
    names = ("key_id", "name", "prefix", "created_at", "expires_at", "last_used_at", "revoked_at")
    scopes = sorted(scope.value for scope in key.scopes)
    return {name: getattr(key, name) for name in names} | {"scopes": scopes, "trust": key.trust.label}
