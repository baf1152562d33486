"""In how many rows each term stands: our own counts, so that a rarity means the same on every database and shard.

They are kept for the whole org, under the slots of its writers, and for each scope of COUNTED_ROWS and more. Below
that a count is taken from the word index when it is asked for: writing it down for millions of small scopes would cost
more than it saves.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from memcairn.store.index import lexemes
from memcairn.store.index.analysis import QueryTerm, term_ids

COUNTED_ROWS = 10_000
"""The words of a scope are counted for good from here on."""

# In the order of the terms: two transactions that count the same words then wait for each other and never in a ring.
_COUNT = text(
    """
    INSERT INTO index_terms (org_id, scope_key, term, row_count)
    SELECT :org_id, :scope_key, term, :sign * row_count
    FROM unnest(CAST(:terms AS bigint[]), CAST(:counts AS bigint[])) AS counted (term, row_count) ORDER BY term
    ON CONFLICT (org_id, scope_key, term) DO UPDATE SET row_count = index_terms.row_count + excluded.row_count
    """
)
_READ = text(
    """
    SELECT term, sum(row_count)::bigint AS row_count FROM index_terms
    WHERE org_id = :org_id AND scope_key = ANY(CAST(:scope_keys AS text[])) AND term = ANY(CAST(:terms AS bigint[]))
    GROUP BY term
    """
)
_TERMS_OF_SCOPE = text("SELECT terms FROM index_rows WHERE org_id = :org_id AND scope_key = :scope_key")
_FORGET_SCOPE = text("DELETE FROM index_terms WHERE org_id = :org_id AND scope_key = :scope_key")
_LOCK_SLOTS = text("SELECT slot FROM index_slots WHERE org_id = :org_id ORDER BY slot FOR UPDATE")
_FORGET_UNUSED = text(
    """
    DELETE FROM index_terms WHERE org_id = :org_id AND scope_key LIKE '*%' AND term IN (
        SELECT term FROM index_terms WHERE org_id = :org_id AND scope_key LIKE '*%'
        GROUP BY term HAVING sum(row_count) <= 0
    )
    """
)
_FORGET_UNUSED_OF_SCOPES = text(
    "DELETE FROM index_terms WHERE org_id = :org_id AND scope_key NOT LIKE '*%' AND row_count <= 0"
)


def count(
    connection: Connection, org_id: str, scope_key: str, rows: Sequence[NDArray[np.uint32]], *, sign: int = 1
) -> None:
    """Add the terms of rows that came, or with a `sign` of -1 take off those of rows that went."""
    if not rows:
        return
    terms, counts = np.unique(np.concatenate([np.unique(row) for row in rows]), return_counts=True)
    bound = {"org_id": org_id, "scope_key": scope_key, "sign": sign}
    connection.execute(_COUNT, bound | {"terms": terms.tolist(), "counts": counts.tolist()})


def follow_scope(
    connection: Connection,
    org_id: str,
    scope_key: str,
    rows: Sequence[NDArray[np.uint32]],
    *,
    before: int,
    after: int,
) -> None:
    """Keep the counts of a scope that has changed from `before` to `after` rows by these; it must be locked."""
    if before < COUNTED_ROWS <= after:
        everything = connection.execute(_TERMS_OF_SCOPE, {"org_id": org_id, "scope_key": scope_key}).scalars()
        count(connection, org_id, scope_key, [np.frombuffer(terms, dtype="<u4") for terms in everything])
    elif after < COUNTED_ROWS <= before:
        connection.execute(_FORGET_SCOPE, {"org_id": org_id, "scope_key": scope_key})
    elif after >= COUNTED_ROWS:
        count(connection, org_id, scope_key, rows, sign=1 if after > before else -1)


def kept(
    connection: Connection, org_id: str, scope_keys: Sequence[str], terms: Sequence[QueryTerm]
) -> Mapping[QueryTerm, int]:
    """What has been counted for these scopes or slots.

    A row with two forms of one term counts twice; forms differ by language, and one text is of one language.
    """
    ids = {term: term_ids(term.alternatives).tolist() for term in terms}
    wanted = sorted({number for numbers in ids.values() for number in numbers})
    found = connection.execute(_READ, {"org_id": org_id, "scope_keys": list(scope_keys), "terms": wanted})
    by_term = {row.term: row.row_count for row in found}
    return {term: sum(by_term.get(number, 0) for number in set(numbers)) for term, numbers in ids.items()}


def counted_now(
    connection: Connection, org_id: str, scope_keys: Sequence[str], terms: Sequence[QueryTerm]
) -> Mapping[QueryTerm, int]:
    """The same from the rows themselves, for scopes whose words are not counted for good."""
    queries = {f"q{n}": lexemes.any_of(org_id, [term]) for n, term in enumerate(terms)}
    columns = ", ".join(f"count(*) FILTER (WHERE words @@ CAST(:{name} AS tsquery)) AS {name}" for name in queries)
    statement = text(
        f"SELECT {columns} FROM index_rows WHERE org_id = :org_id AND words @@ CAST(:any_term AS tsquery) "  # noqa: S608 -- names of our own making
        "AND scope_key = ANY(CAST(:scope_keys AS text[]))"
    )
    bound = {"org_id": org_id, "any_term": lexemes.within(org_id, scope_keys, lexemes.any_of(org_id, terms))}
    row = connection.execute(statement, queries | bound | {"scope_keys": list(scope_keys)}).one()
    return dict(zip(terms, row, strict=True))


def forget_unused(connection: Connection, org_id: str) -> None:
    """Drop the terms no row holds any more. Waits for every writer of the org to end."""
    connection.execute(_LOCK_SLOTS, {"org_id": org_id})
    connection.execute(_FORGET_UNUSED, {"org_id": org_id})
    connection.execute(_FORGET_UNUSED_OF_SCOPES, {"org_id": org_id})
