"""What a search index must do, whichever database carries it."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from memcairn.domain.pool import Pool
from memcairn.store.index.analysis import QueryTerm


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One segment of a memory, ready to be found. `vector` has unit length; None means words only."""

    memory_id: str
    segment: int
    scope_key: str
    session_id: str | None
    position: int | None
    source: str
    speaker: str | None
    kind: str
    type: str
    traits: int
    occurred_at: int
    terms: Sequence[str]
    vector: NDArray[np.float32] | None


@dataclass(frozen=True, slots=True)
class Found:
    """The rows a search will rank.

    When they are all the visible ones, `frequencies` is None and the pool speaks for itself. When the scope was too
    large to rank whole, they are the best candidates with their neighbours in the conversation; `frequencies` then
    holds in how many of the `total` visible rows each query term occurs.
    """

    pool: Pool
    frequencies: Mapping[QueryTerm, int] | None = None
    total: int | None = None


class Index(Protocol):
    """Lexical and vector structures over memories; all of it derived, none of it the truth."""

    def put(self, connection: Connection, org_id: str, entries: Sequence[IndexEntry], *, model: str) -> None:
        """Add segments; `model` names what made their vectors. The memories must not be in the index."""
        ...

    def remove(self, connection: Connection, org_id: str, memory_ids: Sequence[str]) -> int:
        """Take memories out; returns how many segments were removed. Unknown ids are passed over."""
        ...

    def add_trait(self, connection: Connection, org_id: str, memory_ids: Sequence[str], trait: int) -> None:
        """Set a trait bit on every segment of these memories."""
        ...

    def drop_trait(self, connection: Connection, org_id: str, memory_ids: Sequence[str], trait: int) -> None:
        """Clear a trait bit on every segment of these memories."""
        ...

    def forget_empty_scopes(self, connection: Connection, org_id: str) -> int:
        """Forget the names of scopes that hold no row any more; returns how many there were."""
        ...

    def tidy(self, connection: Connection) -> bool:
        """Rewrite a small part of what still holds words of removed rows; False when there is nothing left to do."""
        ...

    def find(self, connection: Connection, org_id: str, scope_keys: Sequence[str], query: "IndexQuery") -> Found:
        """The visible rows worth ranking for `query`, as of this connection's snapshot."""
        ...


@dataclass(frozen=True, slots=True)
class IndexQuery:
    """What candidates are chosen by: the terms asked for, and the query vectors of `model`.

    `allowed` are the memories that a filter has left, `traits` is (bits to look at, what they must read); an index that
    takes candidates takes them among the rows that fulfil both.
    """

    terms: Sequence[QueryTerm]
    vectors: Sequence[NDArray[np.float32]]
    model: str
    dimensions: int
    allowed: Set[str] | None = None
    traits: tuple[int, int] | None = None
