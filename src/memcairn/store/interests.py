"""Interests at rest: one per org, the last one expressed."""

from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection, select

from memcairn.domain.interest import Interest
from memcairn.store.dialect import upsert
from memcairn.store.schema import interests


def put(connection: Connection, org_id: str, interest: Interest, now: datetime) -> None:
    values = asdict(interest) | {"created_at": now}
    statement = upsert(connection, interests).values(org_id=org_id, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["org_id"], set_=values))


def exists(connection: Connection, org_id: str) -> bool:
    statement = select(interests.c.org_id).where(interests.c.org_id == org_id)
    return connection.execute(statement).one_or_none() is not None
