"""Candidates from scopes too large to rank whole: the best by words, the best by meaning, and their neighbours."""

import hashlib
import json
from collections.abc import Sequence, Set
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, or_, select, text

from memcairn.domain.scopes import EVERYTHING
from memcairn.store.batches import chunks
from memcairn.store.index.analysis import QueryTerm
from memcairn.store.index.base import IndexQuery
from memcairn.store.index.pools import vectors_of
from memcairn.store.prepared import Prepared
from memcairn.store.schema import index_rows

CANDIDATES_PER_ARM = 200
"""Each arm's best rows; the gold turn is among the best 50 of an arm in four of five questions (LoCoMo)."""

NEIGHBOURS = 2
"""Turns before and after a candidate that ranking takes as its context."""

SCAN_ROWS = 20_000
"""Vectors read and compared at once: bounds the memory of a scan."""

POOL_COLUMNS = (
    index_rows.c.memory_id,
    index_rows.c.segment,
    index_rows.c.row_number,
    index_rows.c.session_id,
    index_rows.c.position,
    index_rows.c.source,
    index_rows.c.speaker,
    index_rows.c.kind,
    index_rows.c.type,
    index_rows.c.traits,
    index_rows.c.occurred_at,
    index_rows.c.terms,
    index_rows.c.vector,
    index_rows.c.model,
)

_VECTORS = Prepared(
    select(index_rows.c.row_number, index_rows.c.vector, index_rows.c.model).where(
        index_rows.c.org_id == bindparam("of_org"), index_rows.c.row_number.in_(bindparam("these", expanding=True))
    ),
    many="these",
)

_BY_WORDS = "SELECT rowid FROM memory_words WHERE memory_words MATCH :match AND rowid BETWEEN :low AND :high "
_OF_SOME = "AND rowid IN (SELECT value FROM json_each(:among)) "
# One look-up in a unique index for each row with one of the words.
_WITH_TRAITS = (
    "AND (SELECT traits & :looked_at FROM index_rows WHERE org_id = :org_id AND row_number = memory_words.rowid) "
    "= :reading "
)
_WITHIN = "AND (SELECT {condition} FROM index_rows WHERE org_id = :org_id AND row_number = memory_words.rowid) "
_BEST_FIRST = "ORDER BY bm25(memory_words, 0.0, 1.0) LIMIT :limit"
_COUNT_BY_WORDS = text(
    "SELECT count(*) FROM memory_words WHERE memory_words MATCH :match AND rowid BETWEEN :low AND :high"
)


def scope_token(scope_key: str) -> str:
    """A scope key as one word the word index can hold."""
    return "k" + hashlib.blake2b(scope_key.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def scope_condition(scope_keys: Sequence[str]) -> tuple[ColumnElement[bool], ...]:
    """What keeps a statement on index rows inside the visible scopes; the whole org needs nothing."""
    return () if EVERYTHING in scope_keys else (index_rows.c.scope_key.in_(scope_keys),)


def best_by_words(
    connection: Connection,
    org_id: str,
    scope_keys: Sequence[str],
    query: IndexQuery,
    among: Set[int] | None,
    *,
    low: int,
    high: int,
) -> list[int]:
    """Row numbers of the best lexical matches (of `among`, if a filter chose some), best first."""
    if not query.terms:
        return []
    statement = _BY_WORDS
    bound: dict[str, Any] = {"match": _match(scope_keys, query.terms), "low": low, "high": high}
    if among is not None:
        statement += _OF_SOME
        bound["among"] = json.dumps(sorted(among))
    if query.traits is not None:
        statement += _WITH_TRAITS
        bound |= {"org_id": org_id, "looked_at": query.traits[0], "reading": query.traits[1]}
    condition, of_bounds = query.bounds.condition()
    if condition:
        statement += _WITHIN.format(condition=condition)
        bound |= of_bounds | {"org_id": org_id}
    found = connection.execute(text(statement + _BEST_FIRST), bound | {"limit": CANDIDATES_PER_ARM})
    return list(found.scalars())


def rows_of(connection: Connection, org_id: str, scope_keys: Sequence[str], memory_ids: Set[str]) -> set[int]:
    """The visible row numbers of these memories."""
    found: set[int] = set()
    for chunk in chunks(sorted(memory_ids)):
        statement = select(index_rows.c.row_number).where(
            index_rows.c.org_id == org_id, *scope_condition(scope_keys), index_rows.c.memory_id.in_(chunk)
        )
        found |= set(connection.execute(statement).scalars())
    return found


def vectors_by_number(
    connection: Connection, org_id: str, row_numbers: Sequence[int], *, model: str, dimensions: int
) -> dict[int, NDArray[np.float32]]:
    """The vectors `model` made of these rows."""
    found: dict[int, NDArray[np.float32]] = {}
    for chunk in chunks(row_numbers):
        # The model is no condition of the statement: SQLite would go through everything the model ever embedded.
        asked = _VECTORS.rows(connection, {"of_org": org_id, "these": chunk})
        rows = [row for row in asked if row.model == model]
        vectors = vectors_of(rows, model=model, dimensions=dimensions)
        found |= {row.row_number: vector for row, vector in zip(rows, vectors, strict=True)}
    return found


def frequencies(
    connection: Connection, scope_keys: Sequence[str], terms: Sequence[QueryTerm], *, low: int, high: int
) -> dict[QueryTerm, int]:
    """In how many visible rows each term occurs."""
    counts = {}
    for term in terms:
        bound = {"match": _match(scope_keys, [term]), "low": low, "high": high}
        counts[term] = connection.execute(_COUNT_BY_WORDS, bound).scalar_one()
    return counts


def best_by_meaning(
    connection: Connection, org_id: str, scope_keys: Sequence[str], query: IndexQuery, among: Set[int] | None
) -> list[int]:
    """Row numbers of the nearest vectors (of `among`, if a filter chose some), by an exact scan in pieces."""
    if not query.vectors:
        return []
    wanted = np.stack(query.vectors)
    best: list[tuple[float, int]] = []
    statement = select(index_rows.c.row_number, index_rows.c.vector, index_rows.c.model).where(
        index_rows.c.org_id == org_id, *scope_condition(scope_keys)
    )
    if query.traits is not None:
        looked_at, reading = query.traits
        statement = statement.where(index_rows.c.traits.bitwise_and(looked_at) == reading)
    condition, of_bounds = query.bounds.condition()
    if condition:
        statement = statement.where(text(condition).bindparams(**of_bounds))
    result = connection.execute(statement.order_by(index_rows.c.row_number).execution_options(yield_per=SCAN_ROWS))
    for seen in result.partitions(SCAN_ROWS):
        rows = seen if among is None else [row for row in seen if row.row_number in among]
        near = (vectors_of(rows, model=query.model, dimensions=query.dimensions) @ wanted.T).max(axis=1)
        picked = np.argsort(-near, kind="stable")[:CANDIDATES_PER_ARM]
        best += [(float(near[i]), rows[i].row_number) for i in picked]
        best = sorted(best, key=lambda pair: -pair[0])[:CANDIDATES_PER_ARM]
    return [row_number for _, row_number in best]


def with_neighbours(
    connection: Connection, org_id: str, scope_keys: Sequence[str], row_numbers: Sequence[int]
) -> list[Row[*tuple[Any, ...]]]:
    """The rows of those numbers and the turns around them, each once."""
    found: dict[int, Row[*tuple[Any, ...]]] = {}
    for chunk in chunks(row_numbers):
        statement = select(*POOL_COLUMNS).where(
            index_rows.c.org_id == org_id, *scope_condition(scope_keys), index_rows.c.row_number.in_(chunk)
        )
        found |= {row.row_number: row for row in connection.execute(statement)}
    places = sorted({(row.session_id, row.position) for row in found.values() if row.session_id is not None})
    for batch in chunks(places):
        around = or_(
            *(
                and_(
                    index_rows.c.session_id == session_id,
                    index_rows.c.position.between(position - NEIGHBOURS, position + NEIGHBOURS),
                )
                for session_id, position in batch
            )
        )
        statement = select(*POOL_COLUMNS).where(index_rows.c.org_id == org_id, *scope_condition(scope_keys), around)
        found |= {row.row_number: row for row in connection.execute(statement)}
    return list(found.values())


def _match(scope_keys: Sequence[str], terms: Sequence[QueryTerm]) -> str:
    # Terms are letters and digits only; the quotes keep FTS5 from reading AND, OR, NOT or NEAR as operators.
    alternatives = dict.fromkeys(word for term in terms for word in term.alternatives)
    match = "words : (" + " OR ".join(f'"{word}"' for word in alternatives) + ")"
    if EVERYTHING in scope_keys:
        return match
    return match + " AND scope : (" + " OR ".join(f'"{scope_token(key)}"' for key in scope_keys) + ")"
