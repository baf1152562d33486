"""Roles and teams as admins described them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, delete, insert, select, update

from memcairn.domain.groups import Group, GroupKind
from memcairn.store.paging import behind
from memcairn.store.schema import roles, teams


@dataclass(frozen=True, slots=True)
class GroupMark:
    """The last group of a page."""

    created_at: datetime
    group_id: str


def add(connection: Connection, group: Group) -> None:
    table, key = _of(group.kind)
    row = {name: getattr(group, name) for name in Group.__slots__ if name not in ("kind", "group_id")}
    connection.execute(insert(table), row | {key: group.group_id, "prompt_meta": dict(group.prompt_meta)})


def get(connection: Connection, org_id: str, kind: GroupKind, group_id: str) -> Group | None:
    table, key = _of(kind)
    row = connection.execute(select(table).where(table.c.org_id == org_id, table.c[key] == group_id)).one_or_none()
    return None if row is None else _group(kind, row)


def page(
    connection: Connection,
    org_id: str,
    kind: GroupKind,
    *,
    limit: int,
    after: GroupMark | None = None,
    skip: int = 0,
) -> list[Group]:
    """At most `limit` groups in the order they were made, behind `after` or without the first `skip`."""
    table, key = _of(kind)
    statement = select(table).where(table.c.org_id == org_id)
    order = (table.c.created_at, table.c[key])
    if after is not None:
        statement = statement.where(behind(order, (after.created_at, after.group_id)))
    statement = statement.order_by(*order).limit(limit).offset(skip)
    return [_group(kind, row) for row in connection.execute(statement)]


def change(connection: Connection, org_id: str, kind: GroupKind, group_id: str, values: Mapping[str, Any]) -> int:
    """Set columns of one group; returns 0 when there is none of that id."""
    table, key = _of(kind)
    statement = update(table).where(table.c.org_id == org_id, table.c[key] == group_id)
    return connection.execute(statement.values(dict(values))).rowcount


def remove(connection: Connection, org_id: str, kind: GroupKind, group_id: str) -> int:
    """Remove the description; returns 0 when there is none of that id."""
    table, key = _of(kind)
    return connection.execute(delete(table).where(table.c.org_id == org_id, table.c[key] == group_id)).rowcount


def _of(kind: GroupKind) -> tuple[Table, str]:
    return (roles, "role_id") if kind is GroupKind.ROLE else (teams, "team_id")


def _group(kind: GroupKind, row: Row[*tuple[Any, ...]]) -> Group:
    _, key = _of(kind)
    values = dict(row._mapping)
    return Group(kind=kind, group_id=values.pop(key), **values)
