"""Who is asking."""

from fastapi import APIRouter, Request, Response

from memcairn.api.native.access import KeyedRoute, bearer, services_of
from memcairn.api.native.answers import answer
from memcairn.core.me import who_am_i
from memcairn.domain.keys import KeyScope, Principal
from memcairn.wire.me import Me

router = APIRouter(prefix="/v1/me", tags=["me"], route_class=KeyedRoute, dependencies=[bearer])

_LOCAL = "local"
"""Name and prefix of the key of a server inside its client's process, which is stored nowhere."""


@router.get("", operation_id="who_am_i", response_model=Me)
async def get_me(request: Request) -> Response:
    """The org and the key of this request; open to every valid key."""
    principal: Principal = request.state.principal
    me = await who_am_i(services_of(request).deps, principal)
    return answer(
        Me(
            org_id=me.org.org_id,
            org_name=me.org.name,
            key_id=principal.key_id,
            key_name=_LOCAL if me.key is None else me.key.name,
            prefix=_LOCAL if me.key is None else me.key.prefix,
            scopes=sorted(scope.value for scope in principal.scopes),
            is_admin=KeyScope.ADMIN in principal.scopes,
            expires_at=None if me.key is None else me.key.expires_at,
        )
    )
