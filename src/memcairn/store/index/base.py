"""What a search index must do, whichever database carries it."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Protocol

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

    def tidy(self, connection: Connection, left: Set[int] | None) -> Set[int]:
        """Rewrite a small part of what still holds words of removed rows; None begins.

        What it gives is `left` for the next call, and empty when no word is left of what was removed before the first.
        """
        ...

    def find(self, connection: Connection, org_id: str, scope_keys: Sequence[str], query: "IndexQuery") -> Found:
        """The visible rows worth ranking for `query`, as of this connection's snapshot."""
        ...

    def at_hand(
        self, connection: Connection, org_id: str, scope_keys: Sequence[str], query: "IndexQuery", *, most_rows: int
    ) -> Found | None:
        """The same if that is all of them, at most `most_rows`, and they are in memory; None if they had to be read."""
        ...


@dataclass(frozen=True, slots=True)
class Bounds:
    """What rows must be like; None where anything will do. Rows outside any session pass what is asked of sessions.

    `since` and `before` are whole Unix seconds: from the one on, up to and without the other.
    """

    kinds: Sequence[str] | None = None
    types: Sequence[str] | None = None
    session_id: str | None = None
    exclude_session_id: str | None = None
    since: int | None = None
    before: int | None = None

    def condition(self) -> tuple[str, dict[str, Any]]:
        """The same about the columns of `index_rows`, as it is put to both databases, and what it binds."""
        parts: list[str] = []
        bound: dict[str, Any] = {}
        for column, names in (("kind", self.kinds), ("type", self.types)):
            if names is not None:
                given = {f"{column}_{at}": name for at, name in enumerate(names)}
                parts.append(
                    f"{column} IN ({', '.join(f'CAST(:{each} AS text)' for each in given)})" if given else "1 = 0"
                )
                bound |= given
        if self.session_id is not None:
            parts.append("(session_id IS NULL OR session_id = CAST(:only_session AS text))")
            bound["only_session"] = self.session_id
        if self.exclude_session_id is not None:
            parts.append("(session_id IS NULL OR session_id <> CAST(:not_session AS text))")
            bound["not_session"] = self.exclude_session_id
        for name, moment, sign in (("since", self.since, ">="), ("before", self.before, "<")):
            if moment is not None:
                parts.append(f"occurred_at {sign} CAST(:{name} AS bigint)")
                bound[name] = moment
        return " AND ".join(parts), bound


@dataclass(frozen=True, slots=True)
class IndexQuery:
    """What candidates are chosen by: the terms asked for, and the query vectors of `model`.

    `allowed` are the memories that a filter has left, `traits` is (bits to look at, what they must read); an index that
    takes candidates takes them among the rows that fulfil both and lie within `bounds`.
    """

    terms: Sequence[QueryTerm]
    vectors: Sequence[NDArray[np.float32]]
    model: str
    dimensions: int
    allowed: Set[str] | None = None
    traits: tuple[int, int] | None = None
    bounds: Bounds = Bounds()
