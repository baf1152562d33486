"""Describing the org itself, and the quotas an operator gives it. A key sees its own org alone."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from memcairn.core.deps import Deps
from memcairn.core.groups import described, prompt_values
from memcairn.domain.errors import Conflict, NotFound
from memcairn.domain.groups import Org
from memcairn.domain.keys import KeyScope, Principal
from memcairn.domain.prompts import written_prompt
from memcairn.domain.scopes import Level
from memcairn.domain.usage import Dimension
from memcairn.store import locks, orgs


async def get_org(deps: Deps, principal: Principal, *, org_id: str | None = None) -> Org:
    """The principal's org. Naming another one is NotFound, whether or not it exists."""
    principal.require(KeyScope.READ)
    _check_own(principal, org_id)
    return await deps.db.read(orgs.require, principal.org_id)


async def describe_org(
    deps: Deps, principal: Principal, *, name: str | None = None, focus: str = "", org_id: str | None = None
) -> Org:
    """Describe the org for the first time, and have its prompt written; Conflict when it is described already."""
    principal.require(KeyScope.ADMIN)
    _check_own(principal, org_id)

    def save(connection: Connection) -> Org:
        locks.alone(connection, principal.org_id, "descriptions")
        org = orgs.require(connection, principal.org_id)
        if org.customised:
            raise Conflict(
                f"The org {org.org_id!r} is described already. Update the description, or delete it first.",
                code="org_described",
            )
        chosen = name or org.name
        values = {"name": chosen, "focus": focus} | prompt_values(written_prompt(Level.ORG, chosen, focus))
        return _changed(connection, deps, principal.org_id, values)

    return await deps.db.write(save)


async def update_org(deps: Deps, principal: Principal, values: Mapping[str, str], *, org_id: str | None = None) -> Org:
    """Set `name`, `focus` or `promotion_prompt`. A prompt set here stays until it is regenerated; without one, the old
    one stays, whatever else changes.
    """
    principal.require(KeyScope.ADMIN)
    _check_own(principal, org_id)
    changed = described(values)

    def save(connection: Connection) -> Org:
        locks.alone(connection, principal.org_id, "descriptions")
        org = orgs.require(connection, principal.org_id)
        if not changed:
            return org
        kept = {"promotion_prompt": org.promotion_prompt, "prompt_meta": dict(org.prompt_meta)}
        return _changed(connection, deps, principal.org_id, kept | changed)

    return await deps.db.write(save)


async def regenerate_prompt(deps: Deps, principal: Principal, *, org_id: str | None = None) -> Org:
    """Have the template write the prompt anew from name and focus, over a manual one too."""
    principal.require(KeyScope.ADMIN)
    _check_own(principal, org_id)

    def save(connection: Connection) -> Org:
        locks.alone(connection, principal.org_id, "descriptions")
        org = orgs.require(connection, principal.org_id)
        values = prompt_values(written_prompt(Level.ORG, org.name, org.focus))
        return _changed(connection, deps, principal.org_id, values)

    return await deps.db.write(save)


async def forget_description(deps: Deps, principal: Principal, *, org_id: str | None = None) -> None:
    """Take the description back; the org, its keys and its memories stay. NotFound when it is not described."""
    principal.require(KeyScope.ADMIN)
    _check_own(principal, org_id)

    def save(connection: Connection) -> None:
        locks.alone(connection, principal.org_id, "descriptions")
        org = orgs.require(connection, principal.org_id)
        if not org.customised:
            raise NotFound(f"The org {org.org_id!r} has no description.", code="org_not_described")
        values = {"name": org.org_id, "focus": "", "promotion_prompt": "", "prompt_meta": None}
        _changed(connection, deps, principal.org_id, values)

    await deps.db.write(save)


async def set_quotas(deps: Deps, org_id: str, quotas: Mapping[Dimension, int]) -> None:
    """Replace the org's own monthly quotas, for operators; dimensions left out follow the settings of the server.

    Servers that are running notice within seconds. NotFound when there is no such org.
    """

    def save(connection: Connection) -> None:
        orgs.require(connection, org_id)
        orgs.change(connection, org_id, {"quotas": {dimension.value: limit for dimension, limit in quotas.items()}})

    await deps.db.write(save)


async def own_quotas(deps: Deps, org_id: str) -> Mapping[str, int]:
    """The org's own monthly quotas by dimension, for operators; NotFound when there is no such org."""

    def load(connection: Connection) -> Mapping[str, int]:
        orgs.require(connection, org_id)
        return orgs.quotas(connection, org_id)

    return await deps.db.read(load)


def _changed(connection: Connection, deps: Deps, org_id: str, values: Mapping[str, Any]) -> Org:
    orgs.change(connection, org_id, {**values, "updated_at": deps.clock.now()})
    return orgs.require(connection, org_id)


def _check_own(principal: Principal, org_id: str | None) -> None:
    if org_id is not None and org_id != principal.org_id:
        raise NotFound(f"There is no org {org_id!r} that this key belongs to.", code="org_not_found")
