"""Our terms as Postgres' lexemes.

A lexeme is the number of a term with the org's mark before it: the word index of a database with many orgs then holds
a list for each word *of each org*, nothing has to be quoted, and a word means to the database what it means to
ranking.
"""

import functools
import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from memcairn.store.index.analysis import QueryTerm, term_ids

SCOPE = "k"
"""Between the mark and the number of a scope: no term has this letter in its place."""


@functools.lru_cache(maxsize=10_000)
def org_mark(org_id: str) -> str:
    """Eight letters that stand for an org. Two orgs that share them cost time and never show each other's rows."""
    return _digest(org_id, 4)


@functools.lru_cache(maxsize=100_000)
def scope_lexeme(org_id: str, scope_key: str) -> str:
    return org_mark(org_id) + SCOPE + _digest(scope_key, 8)


def of_terms(org_id: str, ids: Iterable[int]) -> list[str]:
    """The lexemes of terms given by number."""
    mark = org_mark(org_id)
    return [f"{mark}{term:08x}" for term in ids]


def words_of_row(org_id: str, scope_key: str, ids: NDArray[np.uint32]) -> str:
    """What a row is found by, as the text of a tsvector."""
    return " ".join((scope_lexeme(org_id, scope_key), *of_terms(org_id, set(ids.tolist()))))


def any_of(org_id: str, terms: Sequence[QueryTerm]) -> str:
    """A tsquery that rows with at least one of the terms fulfil."""
    alternatives = dict.fromkeys(word for term in terms for word in term.alternatives)
    return " | ".join(of_terms(org_id, term_ids(list(alternatives)).tolist()))


def within(org_id: str, scope_keys: Sequence[str], words: str) -> str:
    """The same query, fulfilled by rows of these scopes only."""
    return f"({words}) & ({' | '.join(scope_lexeme(org_id, key) for key in scope_keys)})"


def _digest(text: str, size: int) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size).hexdigest()
