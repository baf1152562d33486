"""Recording that an org asks for more than this server has."""

from memcairn.core.deps import Deps
from memcairn.domain.interest import Interest
from memcairn.domain.keys import KeyScope, Principal
from memcairn.store import interests


async def express_interest(deps: Deps, principal: Principal, interest: Interest) -> None:
    """Keep the interest of the principal's org, in place of one expressed before."""
    principal.require(KeyScope.WRITE)
    await deps.db.write(interests.put, principal.org_id, interest, deps.clock.now())


async def has_expressed_interest(deps: Deps, principal: Principal) -> bool:
    """Whether anyone of the org ever did."""
    principal.require(KeyScope.READ)
    return await deps.db.read(interests.exists, principal.org_id)
