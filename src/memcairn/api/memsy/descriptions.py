"""`/orgs`, `/roles` and `/teams`: how an org, its roles and its teams are described, prompts of promotion included."""

from collections.abc import Awaitable, Callable

from starlette.responses import JSONResponse, Response

from memcairn.api.memsy.call import Call
from memcairn.api.memsy.errors import RefusalError
from memcairn.api.memsy.schemas import DescriptionUpdate, NewDescription
from memcairn.api.memsy.views import group_view, org_view
from memcairn.core import groups, orgs
from memcairn.domain.groups import GroupKind, Org

DEFAULT_PAGE, MAX_PAGE = 100, 200

Handler = Callable[[Call], Awaitable[Response]]


async def list_orgs(call: Call) -> Response:
    """The key's own org, once it is described."""
    org = await orgs.get_org(call.deps, call.principal)
    return JSONResponse([org_view(org)] if org.customised else [])


async def create_org(call: Call) -> Response:
    """Describes the key's own org; 409 when it is described already."""
    new = await call.body(NewDescription)
    call.check_org(new.org_id)
    return JSONResponse(org_view(await orgs.describe_org(call.deps, call.principal, name=new.name, focus=new.focus)))


async def get_org(call: Call) -> Response:
    return JSONResponse(org_view(await _described(call)))


async def update_org(call: Call) -> Response:
    values = await _changes(call)
    await _described(call)
    return JSONResponse(org_view(await orgs.update_org(call.deps, call.principal, values)))


async def regenerate_org(call: Call) -> Response:
    await _described(call)
    return JSONResponse(org_view(await orgs.regenerate_prompt(call.deps, call.principal)))


async def delete_org(call: Call) -> Response:
    """Only the description goes; memories stay."""
    call.check_org(call.path("org_id"))
    await orgs.forget_description(call.deps, call.principal)
    return Response(status_code=204)


def list_groups(kind: GroupKind) -> Handler:
    async def handler(call: Call) -> Response:
        call.check_org_in_query()
        limit = call.number("limit", DEFAULT_PAGE, low=1, high=MAX_PAGE)
        found = await groups.groups_from(call.deps, call.principal, kind, skip=call.offset(), limit=limit)
        return JSONResponse([group_view(group) for group in found])

    return handler


def create_group(kind: GroupKind) -> Handler:
    """The id is the server's to choose."""

    async def handler(call: Call) -> Response:
        new = await call.body(NewDescription)
        call.check_org(new.org_id)
        group = await groups.create_group(call.deps, call.principal, kind, name=new.name, focus=new.focus)
        return JSONResponse(group_view(group))

    return handler


def get_group(kind: GroupKind) -> Handler:
    async def handler(call: Call) -> Response:
        call.check_org_in_query()
        return JSONResponse(group_view(await groups.get_group(call.deps, call.principal, kind, _id(call))))

    return handler


def update_group(kind: GroupKind) -> Handler:
    async def handler(call: Call) -> Response:
        call.check_org_in_query()
        values = await _changes(call)
        return JSONResponse(group_view(await groups.update_group(call.deps, call.principal, kind, _id(call), values)))

    return handler


def regenerate_group(kind: GroupKind) -> Handler:
    async def handler(call: Call) -> Response:
        call.check_org_in_query()
        return JSONResponse(group_view(await groups.regenerate_prompt(call.deps, call.principal, kind, _id(call))))

    return handler


def delete_group(kind: GroupKind) -> Handler:
    async def handler(call: Call) -> Response:
        call.check_org_in_query()
        await groups.delete_group(call.deps, call.principal, kind, _id(call))
        return Response(status_code=204)

    return handler


def _id(call: Call) -> str:
    return call.path("group_id")


async def _changes(call: Call) -> dict[str, str]:
    given = await call.body(DescriptionUpdate)
    return given.model_dump(exclude_none=True)


async def _described(call: Call) -> Org:
    call.check_org(call.path("org_id"))
    org = await orgs.get_org(call.deps, call.principal)
    if not org.customised:
        raise RefusalError(404, "org_not_described", "The org has no description yet; create one.")
    return org
