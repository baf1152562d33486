"""Index rows of a Postgres: written many at once, found by words, by meaning and by their place in a conversation."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Text,
    TextClause,
    and_,
    any_,
    func,
    literal,
    select,
    text,
)
from sqlalchemy.types import TypeEngine

from memcairn.domain.scopes import EVERYTHING
from memcairn.store.halfvec import as_text
from memcairn.store.index import lexemes, wide
from memcairn.store.index.analysis import QueryTerm, term_ids
from memcairn.store.index.base import IndexEntry, IndexQuery
from memcairn.store.index.pools import pack_vector
from memcairn.store.schema import index_rows

MATCHES = 20_000
"""Rows weighed by their words: those with the rarest terms asked for, as many terms as stay within it."""

WEIGHED_TERMS = 16
"""Terms of a long query that rows are weighed by: its rarest."""

MAPPED_FROM = 50_000
"""Rows of an org from which on its vectors go into the graph of near ones (HNSW). Up to here comparing them all takes
tens of milliseconds, and adding a row is ten times as cheap."""

MAPPED_BEHIND = 2
"""Rows from before that are put into the graph with each new one, until none is left."""

_BUILDING = ("statement_timeout = 0", "maintenance_work_mem = '512MB'")
"""pgvector builds a graph far more slowly once it no longer fits into this memory."""

_BEAM = 200
"""`hnsw.ef_search`: at least as many as are asked for."""

_ADD = """
    INSERT INTO index_rows (
        org_id, memory_id, segment, row_number, scope_key, session_id, position, source, speaker, kind, type, traits,
        occurred_at, terms, vector, model, words, mapped
    )
    SELECT :org_id, memory_id, segment, :first_row + ordinal - 1, scope_key, session_id, position, source, speaker,
        kind, type, traits, occurred_at, terms, CAST(vector AS halfvec({dimensions})),
        CASE WHEN vector IS NULL THEN NULL ELSE :model END, CAST(words AS tsvector), :mapped
    FROM unnest(
        CAST(:memory_id AS text[]), CAST(:segment AS integer[]), CAST(:scope_key AS text[]),
        CAST(:session_id AS text[]), CAST(:position AS bigint[]), CAST(:source AS text[]), CAST(:speaker AS text[]),
        CAST(:kind AS text[]), CAST(:type AS text[]), CAST(:traits AS integer[]), CAST(:occurred_at AS bigint[]),
        CAST(:terms AS bytea[]), CAST(:vector AS text[]), CAST(:words AS text[])
    ) WITH ORDINALITY AS given (
        memory_id, segment, scope_key, session_id, position, source, speaker, kind, type, traits, occurred_at, terms,
        vector, words, ordinal
    )
"""
_REMOVE = text(
    """
    DELETE FROM index_rows WHERE org_id = :org_id AND memory_id = ANY(CAST(:memory_ids AS text[]))
    RETURNING scope_key, terms
    """
)
# As a subquery the choice might be made again for each row.
_MAP_SOME = text(
    """
    WITH chosen AS MATERIALIZED (
        SELECT row_number AS number FROM index_rows WHERE org_id = :org_id AND NOT mapped
        ORDER BY row_number LIMIT :count FOR UPDATE SKIP LOCKED
    )
    UPDATE index_rows SET mapped = true FROM chosen WHERE org_id = :org_id AND row_number = number
    """
)
_SEARCH_WIDELY = text(
    """
    SELECT set_config('hnsw.iterative_scan', 'relaxed_order', true), set_config('hnsw.ef_search', :beam, true)
    """
)
_PROPAGATE = text("SELECT set_config('citus.propagate_set_commands', 'local', true)")
_FIND_GRAPH = text("SELECT CAST(to_regclass(:name) AS text)")
_HAS_CITUS = text("SELECT count(*) FROM pg_extension WHERE extname = 'citus'")


def add(
    connection: Connection, org_id: str, entries: Sequence[IndexEntry], *, model: str, first_row: int, mapped: bool
) -> list[NDArray[np.uint32]]:
    """Write rows numbered from `first_row` on; returns the terms of each."""
    terms = [term_ids(entry.terms) for entry in entries]
    columns: dict[str, list[Any]] = {
        name: [getattr(entry, name) for entry in entries]
        for name in (
            *("memory_id", "segment", "scope_key", "session_id", "position", "source"),
            *("speaker", "kind", "type", "traits", "occurred_at"),
        )
    }
    columns["terms"] = [row.astype("<u4").tobytes() for row in terms]
    columns["vector"] = [None if entry.vector is None else as_text(pack_vector(entry.vector)) for entry in entries]
    columns["words"] = [
        lexemes.words_of_row(org_id, entry.scope_key, row) for entry, row in zip(entries, terms, strict=True)
    ]
    dimensions = max((len(entry.vector) for entry in entries if entry.vector is not None), default=1)
    bound = {"org_id": org_id, "first_row": first_row, "model": model, "mapped": mapped}
    connection.execute(text(_ADD.format(dimensions=dimensions)), columns | bound)
    return terms


def remove(connection: Connection, org_id: str, memory_ids: Sequence[str]) -> list[tuple[str, NDArray[np.uint32]]]:
    """Scope and terms of each row that went."""
    gone = connection.execute(_REMOVE, {"org_id": org_id, "memory_ids": list(memory_ids)})
    return [(row.scope_key, np.frombuffer(row.terms, dtype="<u4")) for row in gone]


def map_some(connection: Connection, org_id: str, count: int) -> None:
    """Put up to `count` rows into the graph that came before it was worth while; none that another one is changing."""
    connection.execute(_MAP_SOME, {"org_id": org_id, "count": count})


def make_graph(connection: Connection, model: str, dimensions: int) -> None:
    """Make the graph for vectors of a model, unless there is one. Quick while there are no rows of that model; for a
    million of them it takes minutes, in which nobody may write.
    """
    name = f"ix_index_rows_near_{lexemes.scope_lexeme(model, str(dimensions))}"
    # Even with IF NOT EXISTS the statement would first wait for every writer to end, and hold up the next ones.
    if connection.execute(_FIND_GRAPH, {"name": name}).scalar_one() is not None:
        return
    for setting in _BUILDING:
        connection.exec_driver_sql(f"SET LOCAL {setting}")
    # A definition takes no bound values. In a text() a colon would begin the name of one.
    quoted = "'" + model.replace("'", "''").replace(":", r"\:") + "'"
    connection.execute(
        text(
            f"CREATE INDEX IF NOT EXISTS {name} ON index_rows USING hnsw ({_of_width(dimensions)} halfvec_cosine_ops) "
            f"WHERE mapped AND model = {quoted} AND vector_dims(vector) = {dimensions:d}"
        )
    )


def best_by_words(
    connection: Connection,
    org_id: str,
    scope_keys: Sequence[str],
    query: IndexQuery,
    frequencies: Mapping[QueryTerm, int],
    total: int,
) -> list[int]:
    """Row numbers of the best lexical matches, best first, weighed by rarity of what they hold and by their length."""
    found = sorted((term for term in frequencies if frequencies[term]), key=lambda term: frequencies[term])
    if not found:
        return []
    searched = found[:1]
    for term in found[1:]:
        if sum(frequencies[each] for each in (*searched, term)) > MATCHES:
            break
        searched.append(term)
    weighed = found[:WEIGHED_TERMS]
    bound: dict[str, Any] = {"org_id": org_id, "matches": MATCHES, "limit": wide.CANDIDATES_PER_ARM}
    bound |= {f"q{n}": lexemes.any_of(org_id, [term]) for n, term in enumerate(weighed)}
    bound |= {f"w{n}": _rarity(frequencies[term], total) for n, term in enumerate(weighed)}
    match = lexemes.any_of(org_id, searched)
    bound["match"] = match if EVERYTHING in scope_keys else lexemes.within(org_id, scope_keys, match)
    where, among = _allowed(scope_keys, query)
    return list(connection.execute(_weighing(len(weighed), where), bound | among).scalars())


def best_by_meaning(
    connection: Connection, org_id: str, scope_keys: Sequence[str], query: IndexQuery, total: int
) -> list[int]:
    """Row numbers of the nearest vectors: of all when there are few enough to compare, else by the graph."""
    if not query.vectors:
        return []
    by_graph = total > MAPPED_FROM and query.allowed is None
    if by_graph:
        if connection.execute(_HAS_CITUS).scalar_one():
            connection.execute(_PROPAGATE)
        connection.execute(_SEARCH_WIDELY, {"beam": str(max(_BEAM, wide.CANDIDATES_PER_ARM))})
    nearest: dict[int, float] = {}
    for vector in query.vectors:
        for row in _nearest(connection, org_id, scope_keys, query, as_text(pack_vector(vector)), by_graph=by_graph):
            nearest[row.row_number] = min(row.distance, nearest.get(row.row_number, 2.0))
    return sorted(nearest, key=lambda number: nearest[number])[: wide.CANDIDATES_PER_ARM]


def with_neighbours(
    connection: Connection, org_id: str, scope_keys: Sequence[str], row_numbers: Sequence[int]
) -> list[Row[*tuple[Any, ...]]]:
    """The rows of those numbers and the turns around them, each once."""
    mine = (index_rows.c.org_id == org_id, *wide.scope_condition(scope_keys))
    chosen = select(*wide.POOL_COLUMNS).where(*mine, index_rows.c.row_number == any_(_array(row_numbers, BigInteger())))
    found = {row.row_number: row for row in connection.execute(chosen)}
    places = {
        (row.session_id, row.position + step)
        for row in found.values()
        if row.session_id is not None and row.position is not None
        for step in range(-wide.NEIGHBOURS, wide.NEIGHBOURS + 1)
    }
    if places:
        sessions, positions = zip(*sorted(places), strict=True)
        place = (
            func.unnest(_array(sessions, Text()), _array(positions, BigInteger()))
            .table_valued("session_id", "at")
            .render_derived()
        )
        here = and_(index_rows.c.session_id == place.c.session_id, index_rows.c.position == place.c.at)
        around = select(*wide.POOL_COLUMNS).select_from(index_rows.join(place, here)).where(*mine)
        found |= {row.row_number: row for row in connection.execute(around)}
    return list(found.values())


def _array(values: Sequence[Any], of: TypeEngine[Any]) -> ColumnElement[Any]:
    return literal(list(values), ARRAY(of))


def _rarity(frequency: int, total: int) -> float:
    """IDF as ranking has it (`domain.lexical`)."""
    return math.log1p((max(total - frequency, 0) + 0.5) / (frequency + 0.5))


def _allowed(scope_keys: Sequence[str], query: IndexQuery) -> tuple[str, dict[str, Any]]:
    """Conditions that keep a statement to the rows a search may see and its filters leave, and what they bind."""
    where, bound = "", dict[str, Any]()
    if EVERYTHING not in scope_keys:
        where += " AND scope_key = ANY(CAST(:scope_keys AS text[]))"
        bound["scope_keys"] = list(scope_keys)
    if query.allowed is not None:
        where += " AND memory_id = ANY(CAST(:allowed AS text[]))"
        bound["allowed"] = sorted(query.allowed)
    if query.traits is not None:
        where += " AND traits & :looked_at = :reading"
        bound |= {"looked_at": query.traits[0], "reading": query.traits[1]}
    condition, of_bounds = query.bounds.condition()
    return f"{where} AND {condition}" if condition else where, bound | of_bounds


def _weighing(terms: int, where: str) -> TextClause:
    weight = " + ".join(f"CASE WHEN words @@ CAST(:q{n} AS tsquery) THEN :w{n} ELSE 0 END" for n in range(terms))
    return text(
        f"SELECT row_number FROM (SELECT row_number, ({weight}) / (0.3 + 0.9 * octet_length(terms) "  # noqa: S608 -- numbered names
        "/ avg(octet_length(terms)) OVER () + 1) AS weight FROM ("
        "SELECT row_number, words, terms FROM index_rows WHERE org_id = :org_id "
        f"AND words @@ CAST(:match AS tsquery){where} LIMIT :matches) AS matching) AS weighed "
        "ORDER BY weight DESC, row_number LIMIT :limit"
    )


def _nearest(
    connection: Connection, org_id: str, scope_keys: Sequence[str], query: IndexQuery, vector: str, *, by_graph: bool
) -> Iterable[Row[*tuple[Any, ...]]]:
    """Row numbers and distances of the rows nearest to one vector; those not in the graph yet are always compared."""
    allowed, bound = _allowed(scope_keys, query)
    where = f"org_id = :org_id AND model = :model AND vector_dims(vector) = {query.dimensions:d}{allowed}"
    bound |= {"org_id": org_id, "model": query.model, "vector": vector, "limit": wide.CANDIDATES_PER_ARM}
    wanted = f"CAST(:vector AS halfvec({query.dimensions}))"
    nearest = "SELECT row_number, {near} <=> {wanted} AS distance FROM index_rows WHERE {where} ORDER BY 2 LIMIT :limit"
    if not by_graph:
        return connection.execute(text(nearest.format(near="vector", wanted=wanted, where=where)), bound)
    mapped = nearest.format(near=_of_width(query.dimensions), wanted=wanted, where=f"{where} AND mapped")
    rest = nearest.format(near="vector", wanted=wanted, where=f"{where} AND NOT mapped")
    return connection.execute(text(f"({mapped}) UNION ALL ({rest})"), bound)


def _of_width(dimensions: int) -> str:
    """The expression that the graph of one width is made of: a query says the same to be answered by it."""
    return f"(vector::halfvec({dimensions:d}))"
