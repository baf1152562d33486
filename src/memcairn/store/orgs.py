"""Orgs: the tenants."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from memcairn.domain.errors import Conflict, NotFound
from memcairn.domain.groups import Org as Org
from memcairn.domain.prompts import written_prompt
from memcairn.domain.scopes import Level
from memcairn.store import locks
from memcairn.store.prepared import Prepared
from memcairn.store.schema import orgs

_BY_ID = Prepared(select(orgs).where(orgs.c.org_id == bindparam("of_org")))


def add(connection: Connection, org_id: str, name: str, now: datetime) -> None:
    """Create an org; an id that is taken raises Conflict."""
    locks.alone(connection, "", "orgs")
    if get(connection, org_id) is not None:
        raise Conflict(
            f"The org {org_id!r} exists already. Choose another id, or create a key for it.", code="org_exists"
        )
    number = connection.execute(select(func.coalesce(func.max(orgs.c.number), 0) + 1)).scalar_one()
    row = {"org_id": org_id, "number": number, "name": name, "focus": "", "promotion_prompt": ""}
    connection.execute(insert(orgs), row | {"created_at": now, "updated_at": now})


def get(connection: Connection, org_id: str) -> Org | None:
    row = _BY_ID.first(connection, {"of_org": org_id})
    return None if row is None else _org(row)


def require(connection: Connection, org_id: str) -> Org:
    org = get(connection, org_id)
    if org is None:
        raise NotFound(
            f"There is no org {org_id!r}. `memcairn orgs list` shows those that exist.", code="org_not_found"
        )
    return org


def every(connection: Connection) -> list[Org]:
    return [_org(row) for row in connection.execute(select(orgs).order_by(orgs.c.number))]


def change(connection: Connection, org_id: str, values: Mapping[str, Any]) -> None:
    connection.execute(update(orgs).where(orgs.c.org_id == org_id).values(dict(values)))


def quotas(connection: Connection, org_id: str) -> Mapping[str, int]:
    """The org's own quotas by dimension; those it has none for are the server's."""
    found = connection.execute(select(orgs.c.quotas).where(orgs.c.org_id == org_id)).scalar_one_or_none()
    return found or {}


def _org(row: Row[*tuple[Any, ...]]) -> Org:
    customised = row.prompt_meta is not None
    begun_with = written_prompt(Level.ORG, row.name, row.focus)
    return Org(
        org_id=row.org_id,
        number=row.number,
        name=row.name,
        focus=row.focus,
        promotion_prompt=row.promotion_prompt if customised else begun_with.text,
        prompt_meta=row.prompt_meta if customised else begun_with.meta,
        customised=customised,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
