"""Actors: whom the memories are about."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from memcairn.core import cursors
from memcairn.core.deps import Deps
from memcairn.domain.errors import NotFound
from memcairn.domain.keys import KeyScope, Principal
from memcairn.domain.statistics import Actor
from memcairn.store import actors

DEFAULT_SORT = "first_memory_desc"


@dataclass(frozen=True, slots=True)
class ActorPage:
    """Some actors of a list in its order, and how many the whole list holds."""

    items: Sequence[Actor]
    total: int
    next_cursor: str | None = None


async def list_actors(
    deps: Deps,
    principal: Principal,
    *,
    sort: str = DEFAULT_SORT,
    q: str | None = None,
    limit: int,
    cursor: str | None = None,
) -> ActorPage:
    """Actors with a memory, those whose id holds `q` in whatever case; counts are exact at any size."""
    principal.require(KeyScope.READ)
    of = {"actors": sort, "q": q}
    after = None
    if cursor is not None:
        value, actor_id = cursors.decode(cursor, of, length=2)
        after = actors.ActorMark(str(value) if sort == "actor_id_asc" else cursors.moment(value), str(actor_id))

    def load(connection: Connection) -> ActorPage:
        found = actors.page(connection, principal.org_id, sort=sort, q=q, limit=limit + 1, after=after)
        total = actors.count(connection, principal.org_id, q=q)
        following = cursors.encode(_place(found[limit - 1], sort), of) if len(found) > limit else None
        return ActorPage(found[:limit], total, following)

    return await deps.db.read(load)


async def actors_from(
    deps: Deps, principal: Principal, *, sort: str = DEFAULT_SORT, q: str | None = None, skip: int, limit: int
) -> ActorPage:
    """The same list without its first `skip`."""
    principal.require(KeyScope.READ)

    def load(connection: Connection) -> ActorPage:
        total = actors.count(connection, principal.org_id, q=q)
        # What lies behind the end is not looked for: an absurd offset may not fit the database's integers.
        if skip >= total:
            return ActorPage([], total)
        return ActorPage(actors.page(connection, principal.org_id, sort=sort, q=q, limit=limit, skip=skip), total)

    return await deps.db.read(load)


async def get_actor(deps: Deps, principal: Principal, actor_id: str) -> Actor:
    """The actor of that id; NotFound for one that has no memory, whatever was said by it."""
    principal.require(KeyScope.READ)
    found = await deps.db.read(actors.get, principal.org_id, actor_id)
    if found is None:
        raise NotFound(f"No memory is about an actor {actor_id!r}.", code="actor_not_found")
    return found


def _place(actor: Actor, sort: str) -> list[str]:
    value = getattr(actor, actors.SORTS[sort][0].name)
    return [value.isoformat() if isinstance(value, datetime) else value, actor.actor_id]
