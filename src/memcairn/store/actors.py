"""Actors, as their memories show them. There is no row of theirs to make: whoever has a memory is one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, or_, select

from memcairn.domain.scopes import Level
from memcairn.domain.statistics import Actor
from memcairn.store.batches import chunks
from memcairn.store.paging import behind
from memcairn.store.schema import actor_tallies, events

SORTS: Mapping[str, tuple[ColumnElement[Any], bool]] = {
    "first_memory_desc": (actor_tallies.c.first_memory_at, True),
    "first_memory_asc": (actor_tallies.c.first_memory_at, False),
    "last_memory_desc": (actor_tallies.c.last_memory_at, True),
    "actor_id_asc": (actor_tallies.c.actor_id, False),
}
"""Sort name to column and whether it descends; ties are broken by id in the same direction."""


@dataclass(frozen=True, slots=True)
class ActorMark:
    """The last actor of a page: the value in the sort column, and the id."""

    value: datetime | str
    actor_id: str


@dataclass(frozen=True, slots=True)
class _Groups:
    role_ids: set[str]
    team_ids: set[str]


_NONE = _Groups(set(), set())


def page(
    connection: Connection,
    org_id: str,
    *,
    sort: str,
    limit: int,
    q: str | None = None,
    after: ActorMark | None = None,
    skip: int = 0,
) -> list[Actor]:
    """At most `limit` actors whose id holds `q`, in the order of `sort`, behind `after` or without the first `skip`."""
    column, descending = SORTS[sort]
    statement = select(actor_tallies).where(*_matching(org_id, q))
    ids = actor_tallies.c.actor_id
    if after is not None:
        statement = statement.where(behind((column, ids), (after.value, after.actor_id), descending=descending))
    order = (column.desc(), ids.desc()) if descending else (column, ids)
    rows = connection.execute(statement.order_by(*order).limit(limit).offset(skip)).all()
    return _actors(connection, org_id, rows)


def count(connection: Connection, org_id: str, *, q: str | None = None) -> int:
    """How many actors have an id that holds `q`, in whatever case."""
    statement = select(func.count()).select_from(actor_tallies).where(*_matching(org_id, q))
    return connection.execute(statement).scalar_one()


def get(connection: Connection, org_id: str, actor_id: str) -> Actor | None:
    statement = select(actor_tallies).where(actor_tallies.c.org_id == org_id, actor_tallies.c.actor_id == actor_id)
    found = _actors(connection, org_id, connection.execute(statement).all())
    return found[0] if found else None


def _matching(org_id: str, q: str | None) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [actor_tallies.c.org_id == org_id]
    if q is not None:
        conditions.append(actor_tallies.c.actor_id.icontains(q, autoescape=True))
    return conditions


def _actors(connection: Connection, org_id: str, rows: Sequence[Row[*tuple[Any, ...]]]) -> list[Actor]:
    groups = _groups(connection, org_id, [row.actor_id for row in rows])
    return [
        Actor(
            actor_id=row.actor_id,
            memory_count=row.memory_count,
            active_memory_count=row.active_count,
            first_memory_at=row.first_memory_at,
            last_memory_at=row.last_memory_at,
            scope_levels=(Level.ACTOR.value,),
            role_ids=sorted(groups.get(row.actor_id, _NONE).role_ids),
            team_ids=sorted(groups.get(row.actor_id, _NONE).team_ids),
        )
        for row in rows
    ]


def _groups(connection: Connection, org_id: str, actor_ids: Sequence[str]) -> dict[str, _Groups]:
    """The roles and teams that what was said by or to each actor was marked with."""
    found: dict[str, _Groups] = {}
    marked = (events.c.deleted_at.is_(None), or_(events.c.role_id.is_not(None), events.c.team_id.is_not(None)))
    columns = (events.c.actor_id, events.c.role_id, events.c.team_id)
    for chunk in chunks(actor_ids):
        mine = (events.c.org_id == org_id, events.c.actor_id.in_(chunk))
        for row in connection.execute(select(*columns).where(*mine, *marked).distinct()):
            groups = found.setdefault(row.actor_id, _Groups(set(), set()))
            groups.role_ids.update([row.role_id] if row.role_id is not None else ())
            groups.team_ids.update([row.team_id] if row.team_id is not None else ())
    return found
