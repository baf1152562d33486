"""Who is asking, told to who is asking."""

from dataclasses import dataclass

from sqlalchemy import Connection

from memcairn.core.deps import Deps
from memcairn.domain.groups import Org
from memcairn.domain.keys import ApiKey, Principal
from memcairn.store import keys, orgs


@dataclass(frozen=True, slots=True)
class Me:
    """A principal with its org and its key; the key of a server inside its client's process is stored nowhere."""

    principal: Principal
    org: Org
    key: ApiKey | None


async def who_am_i(deps: Deps, principal: Principal) -> Me:
    """Open to every valid key, whatever its scopes."""

    def load(connection: Connection) -> Me:
        return Me(principal, orgs.require(connection, principal.org_id), keys.find(connection, principal.key_id))

    return await deps.db.read(load)
