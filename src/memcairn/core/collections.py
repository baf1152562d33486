"""Collections of documents: made, described, counted and removed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from memcairn.core import cursors
from memcairn.core.deps import Deps
from memcairn.core.idempotency import Repeatable, once
from memcairn.domain.collections import (
    MAX_DESCRIPTION_CHARS,
    MAX_DIMENSIONS,
    MIN_DIMENSIONS,
    Collection,
    collection_name,
)
from memcairn.domain.errors import Conflict, Invalid, NotFound
from memcairn.domain.ids import new_id
from memcairn.domain.keys import KeyScope, Principal
from memcairn.store import collections


@dataclass(frozen=True, slots=True)
class CollectionPage:
    """Some collections of a list, in its order; without a `next_cursor` they are the last."""

    items: Sequence[Collection]
    next_cursor: str | None


async def add_collection(
    deps: Deps,
    principal: Principal,
    name: str,
    *,
    description: str = "",
    metadata: Mapping[str, Any] | None = None,
    embedding_dimensions: int | None = None,
    is_auto_embedded: bool = True,
    repeatable: Repeatable | None = None,
) -> Collection:
    """A new, empty collection. Names are kept in small letters.

    Invalid for a name, a description or a width outside the rules; Conflict (`collection_exists`) if the name is taken.
    Where the server embeds, any declared width from 8 to 2000 is kept and its own embedder used whatever its width;
    undeclared, the embedder's is shown. Vectors of the caller's own need a declared width.
    """
    principal.require(KeyScope.WRITE)
    folded = collection_name(name)
    _check_description(description)
    width = _width(deps, embedding_dimensions, is_auto_embedded=is_auto_embedded)

    def effect(connection: Connection) -> str:
        if collections.identify(connection, principal.org_id, folded) is not None:
            raise Conflict(f"There is a collection {folded!r} already.", code="collection_exists")
        now = deps.clock.now()
        new = Collection(
            org_id=principal.org_id,
            collection_id=new_id(),
            name=folded,
            description=description,
            metadata=metadata or {},
            embedding_dimensions=width,
            is_auto_embedded=is_auto_embedded,
            created_at=now,
            updated_at=now,
        )
        collections.add(connection, new)
        return folded

    def save(connection: Connection) -> Collection:
        made: str = once(connection, deps, principal, repeatable, lambda: effect(connection))
        return require(connection, deps, principal.org_id, made)

    return await deps.db.write(save)


async def get_collection(deps: Deps, principal: Principal, name: str) -> Collection:
    """The collection with its counts; NotFound (`collection_not_found`) if there is none of that name."""
    principal.require(KeyScope.READ)
    return await deps.db.read(require, deps, principal.org_id, name)


async def list_collections(
    deps: Deps, principal: Principal, *, limit: int, cursor: str | None = None
) -> CollectionPage:
    """Collections by name; pages are exact under concurrent additions and removals."""
    principal.require(KeyScope.READ)
    of: dict[str, Any] = {"collections": None}
    after = None if cursor is None else str(cursors.decode(cursor, of, length=1)[0])
    found = await deps.db.read(
        collections.page, principal.org_id, model=deps.embedder.model, after=after, limit=limit + 1
    )
    items = found[:limit]
    return CollectionPage(items, cursors.encode([items[-1].name], of) if len(found) > limit else None)


async def all_collections(deps: Deps, principal: Principal) -> list[Collection]:
    """Every collection of the org, by name."""
    principal.require(KeyScope.READ)
    return await deps.db.read(collections.page, principal.org_id, model=deps.embedder.model)


async def update_collection(
    deps: Deps,
    principal: Principal,
    name: str,
    *,
    description: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Collection:
    """Change what is not None. Metadata is replaced, not merged, and only by an object that holds something."""
    principal.require(KeyScope.WRITE)
    values: dict[str, Any] = {}
    if description is not None:
        _check_description(description)
        values["description"] = description
    if metadata:
        values["metadata"] = dict(metadata)

    def save(connection: Connection) -> Collection:
        before = identify(connection, principal.org_id, name)
        if values:
            now = deps.clock.now()
            collections.change(connection, principal.org_id, before.collection_id, values | {"updated_at": now})
        return require(connection, deps, principal.org_id, name)

    return await deps.db.write(save)


async def delete_collection(deps: Deps, principal: Principal, name: str) -> int:
    """Remove a collection and its documents at once and for good; returns how many documents went."""
    principal.require(KeyScope.WRITE)

    def save(connection: Connection) -> int:
        gone = identify(connection, principal.org_id, name)
        return collections.erase(connection, principal.org_id, gone.collection_id)

    return await deps.db.write(save)


def identify(connection: Connection, org_id: str, name: str) -> Collection:
    """The collection of that name without its counts; NotFound if there is none."""
    found = collections.identify(connection, org_id, name.lower())
    if found is None:
        raise _not_found(name)
    return found


def require(connection: Connection, deps: Deps, org_id: str, name: str) -> Collection:
    """The same with its counts."""
    found = collections.by_name(connection, org_id, name.lower(), model=deps.embedder.model)
    if found is None:
        raise _not_found(name)
    return found


def _not_found(name: str) -> NotFound:
    return NotFound(f"There is no collection {name[:100]!r}.", code="collection_not_found")


def _check_description(description: str) -> None:
    if len(description) > MAX_DESCRIPTION_CHARS:
        raise Invalid(
            f"The description holds {len(description):,} characters; {MAX_DESCRIPTION_CHARS:,} are allowed.",
            code="invalid_collection",
            pointer="/description",
        )


def _width(deps: Deps, declared: int | None, *, is_auto_embedded: bool) -> int:
    if declared is None and is_auto_embedded:
        return deps.embedder.dimensions
    if declared is None:
        raise Invalid(
            "A collection with vectors of your own needs their width in `embedding_dimensions`.",
            code="invalid_collection",
            pointer="/embedding_dimensions",
        )
    if not MIN_DIMENSIONS <= declared <= MAX_DIMENSIONS:
        raise Invalid(
            f"`embedding_dimensions` is {declared}; it lies between {MIN_DIMENSIONS} and {MAX_DIMENSIONS:,}.",
            code="invalid_collection",
            pointer="/embedding_dimensions",
        )
    return declared
