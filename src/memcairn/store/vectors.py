"""Whose vectors there are: which model made those of memories, summaries and documents, and which still want one."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, select, update

from memcairn.domain.pool import Trait
from memcairn.store.batches import chunks
from memcairn.store.index.pools import pack_vector
from memcairn.store.schema import collections, documents, index_rows, summaries


def counts(connection: Connection, org_id: str) -> dict[str | None, int]:
    """How many segments of memories each model has a vector of; those under None are found by words alone."""
    statement = select(index_rows.c.model, func.count()).where(index_rows.c.org_id == org_id)
    return {row[0]: row[1] for row in connection.execute(statement.group_by(index_rows.c.model))}


def other_model(connection: Connection, org_id: str, model: str) -> str | None:
    """Some model other than this that has a vector of a memory; answered by two looks into an index."""
    of_org = index_rows.c.org_id == org_id
    for beside in (index_rows.c.model < model, index_rows.c.model > model):
        statement = select(index_rows.c.model).where(of_org, beside).order_by(index_rows.c.model).limit(1)
        found: str | None = connection.execute(statement).scalar_one_or_none()
        if found is not None:
            return found
    return None


def memories_of(connection: Connection, org_id: str, model: str, *, limit: int) -> list[str]:
    """Some memories with a segment whose vector is of this model."""
    statement = select(index_rows.c.memory_id).where(index_rows.c.org_id == org_id, index_rows.c.model == model)
    return list(dict.fromkeys(connection.execute(statement.limit(limit)).scalars()))


def memories_without(connection: Connection, org_id: str, *, after: str, limit: int) -> list[str]:
    """Memories with a segment without a vector, by id, behind `after`."""
    statement = select(index_rows.c.memory_id).where(
        index_rows.c.org_id == org_id, index_rows.c.model.is_(None), index_rows.c.memory_id > after
    )
    statement = statement.order_by(index_rows.c.memory_id).limit(limit)
    return list(dict.fromkeys(connection.execute(statement).scalars()))


def indexed(
    connection: Connection, org_id: str, memory_ids: Sequence[str]
) -> dict[str, Sequence[tuple[str | None, int]]]:
    """Model and traits of each segment these memories have in the index, in order; those not in it are left out."""
    found: dict[str, list[tuple[str | None, int]]] = {}
    columns = (index_rows.c.memory_id, index_rows.c.model, index_rows.c.traits)
    for chunk in chunks(memory_ids):
        mine = (index_rows.c.org_id == org_id, index_rows.c.memory_id.in_(chunk))
        for row in connection.execute(select(*columns).where(*mine).order_by(index_rows.c.segment)):
            found.setdefault(row.memory_id, []).append((row.model, row.traits))
    return {memory_id: tuple(rows) for memory_id, rows in found.items()}


def is_by_assistant(rows: Sequence[tuple[str | None, int]]) -> bool:
    return any(traits & Trait.BY_ASSISTANT for _, traits in rows)


def summaries_without(connection: Connection, org_id: str, *, model: str, after: str, limit: int) -> dict[str, str]:
    """Content of live summaries that have no vector of this model, by id, behind `after`."""
    statement = select(summaries.c.summary_id, summaries.c.content).where(
        summaries.c.org_id == org_id,
        summaries.c.summary_id > after,
        summaries.c.model.is_distinct_from(model),
        summaries.c.deleted_at.is_(None),
    )
    rows = connection.execute(statement.order_by(summaries.c.summary_id).limit(limit))
    return {row.summary_id: row.content for row in rows}


def set_summaries(connection: Connection, org_id: str, made: Mapping[str, NDArray[np.float32]], *, model: str) -> None:
    """Give summaries their vectors: they are never rewritten, so that nothing has to be compared. Zeros are none."""
    for summary_id, vector in made.items():
        mine = (summaries.c.org_id == org_id, summaries.c.summary_id == summary_id)
        connection.execute(
            update(summaries).where(*mine).values(vector=pack_vector(vector) if vector.any() else None, model=model)
        )


def documents_without(connection: Connection, org_id: str, *, model: str, after: str, limit: int) -> list[str]:
    """Live documents of auto-embedded collections that have no vector of this model, by id, behind `after`."""
    statement = (
        select(documents.c.document_uuid)
        .join(
            collections,
            (collections.c.org_id == documents.c.org_id) & (collections.c.collection_id == documents.c.collection_id),
        )
        .where(
            documents.c.org_id == org_id,
            documents.c.document_uuid > after,
            documents.c.model.is_distinct_from(model),
            documents.c.deleted_at.is_(None),
            collections.c.is_auto_embedded,
        )
    )
    return list(connection.execute(statement.order_by(documents.c.document_uuid).limit(limit)).scalars())
