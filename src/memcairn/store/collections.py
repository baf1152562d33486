"""Collections at rest, with the progress of their embedding counted afresh."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, case, delete, func, insert, or_, select, update

from memcairn.domain.collections import Collection
from memcairn.store.batches import chunks
from memcairn.store.schema import collections, documents

_COLUMNS = [collections.c[name] for name in Collection.__slots__ if name in collections.c]


def add(connection: Connection, collection: Collection) -> None:
    row = {column.name: getattr(collection, column.name) for column in _COLUMNS}
    connection.execute(insert(collections), row | {"metadata": dict(collection.metadata)})


def by_name(connection: Connection, org_id: str, name: str, *, model: str) -> Collection | None:
    """The collection of that name; documents count as embedded with vectors of their own or of `model`."""
    where = (collections.c.org_id == org_id, collections.c.name == name)
    row = connection.execute(select(*_COLUMNS).where(*where)).one_or_none()
    return None if row is None else _counted(connection, org_id, [row], model=model)[0]


def identify(connection: Connection, org_id: str, name: str) -> Collection | None:
    """The collection of that name without its counts, which are 0 here."""
    where = (collections.c.org_id == org_id, collections.c.name == name)
    row = connection.execute(select(*_COLUMNS).where(*where)).one_or_none()
    return None if row is None else Collection(**row._mapping)


def page(
    connection: Connection, org_id: str, *, model: str, after: str | None = None, limit: int | None = None
) -> list[Collection]:
    """Collections by name, at most `limit` of them behind the name `after`."""
    statement = select(*_COLUMNS).where(collections.c.org_id == org_id)
    if after is not None:
        statement = statement.where(collections.c.name > after)
    rows = connection.execute(statement.order_by(collections.c.name).limit(limit)).all()
    return _counted(connection, org_id, rows, model=model)


def change(connection: Connection, org_id: str, collection_id: str, values: Mapping[str, Any]) -> None:
    where = (collections.c.org_id == org_id, collections.c.collection_id == collection_id)
    connection.execute(update(collections).where(*where).values(dict(values)))


def erase(connection: Connection, org_id: str, collection_id: str) -> int:
    """Remove a collection and its documents for good; returns how many documents there were."""
    its_documents = (documents.c.org_id == org_id, documents.c.collection_id == collection_id)
    count = connection.execute(delete(documents).where(*its_documents)).rowcount
    where = (collections.c.org_id == org_id, collections.c.collection_id == collection_id)
    connection.execute(delete(collections).where(*where))
    return count


def _counted(
    connection: Connection, org_id: str, rows: Sequence[Row[*tuple[Any, ...]]], *, model: str
) -> list[Collection]:
    usable = and_(documents.c.vector.is_not(None), or_(documents.c.model.is_(None), documents.c.model == model))
    counts: dict[str, tuple[int, int]] = {}
    for chunk in chunks([row.collection_id for row in rows]):
        statement = (
            select(documents.c.collection_id, func.count(), func.sum(case((usable, 1), else_=0)))
            .where(
                documents.c.org_id == org_id,
                documents.c.collection_id.in_(chunk),
                documents.c.deleted_at.is_(None),
            )
            .group_by(documents.c.collection_id)
        )
        counts |= {row[0]: (row[1], row[2]) for row in connection.execute(statement)}
    found = []
    for row in rows:
        total, embedded = counts.get(row.collection_id, (0, 0))
        found.append(Collection(**row._mapping, document_count=total, document_embedded_count=embedded))
    return found
