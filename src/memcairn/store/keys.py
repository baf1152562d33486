"""API keys at rest."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from memcairn.domain.errors import Conflict, NotFound
from memcairn.domain.keys import ApiKey, KeyScope, scopes_from
from memcairn.domain.trust import Trust
from memcairn.store.paging import behind
from memcairn.store.prepared import Prepared
from memcairn.store.schema import api_keys

_NAMES = [column.name for column in api_keys.c]
_FIND = Prepared(select(api_keys).where(api_keys.c.key_id == bindparam("wanted")))


@dataclass(frozen=True, slots=True)
class KeyMark:
    """The last key of a page."""

    created_at: datetime
    key_id: str


def add(connection: Connection, key: ApiKey) -> None:
    if find(connection, key.key_id) is not None:
        raise Conflict("This key is in use already. Choose another one.", code="key_exists")
    row = {name: getattr(key, name) for name in ApiKey.__slots__}
    connection.execute(insert(api_keys), row | {"scopes": sorted(key.scopes), "trust": int(key.trust)})


def find(connection: Connection, key_id: str) -> ApiKey | None:
    """The key of that id in any org, revoked and expired ones included."""
    row = _FIND.first(connection, {"wanted": key_id})
    return None if row is None else _key(row)


def list_of(connection: Connection, org_id: str) -> list[ApiKey]:
    statement = select(api_keys).where(api_keys.c.org_id == org_id).order_by(api_keys.c.created_at, api_keys.c.key_id)
    return [_key(row) for row in connection.execute(statement)]


def page(connection: Connection, org_id: str, *, limit: int, after: KeyMark | None = None) -> list[ApiKey]:
    """At most `limit` keys of an org behind `after`, in the order they were made."""
    statement = select(api_keys).where(api_keys.c.org_id == org_id)
    order = (api_keys.c.created_at, api_keys.c.key_id)
    if after is not None:
        statement = statement.where(behind(order, (after.created_at, after.key_id)))
    return [_key(row) for row in connection.execute(statement.order_by(*order).limit(limit))]


def revoke(connection: Connection, org_id: str, key_id: str, now: datetime) -> None:
    """End a key at once; one that is unknown or revoked already raises NotFound."""
    statement = update(api_keys).where(
        api_keys.c.org_id == org_id, api_keys.c.key_id == key_id, api_keys.c.revoked_at.is_(None)
    )
    if connection.execute(statement.values(revoked_at=now)).rowcount == 0:
        raise NotFound(f"The org {org_id!r} has no active key {key_id!r}.", code="key_not_found")


def note_use(connection: Connection, last_used: Mapping[str, datetime]) -> None:
    # In one order everywhere, so that two servers never wait for each other.
    for key_id, moment in sorted(last_used.items()):
        connection.execute(update(api_keys).where(api_keys.c.key_id == key_id).values(last_used_at=moment))


def count_usable(connection: Connection, now: datetime, *, org_id: str | None = None) -> int:
    """How many keys open a door now: those of one org, or all."""
    statement = (
        select(func.count())
        .select_from(api_keys)
        .where(api_keys.c.revoked_at.is_(None), (api_keys.c.expires_at.is_(None)) | (api_keys.c.expires_at > now))
    )
    if org_id is not None:
        statement = statement.where(api_keys.c.org_id == org_id)
    return connection.execute(statement).scalar_one()


def _key(row: Row[*tuple[object, ...]] | tuple[object, ...]) -> ApiKey:
    values: dict[str, Any] = dict(zip(_NAMES, row, strict=True))
    scopes: frozenset[KeyScope] = scopes_from(values.pop("scopes"))
    trust = Trust(values.pop("trust"))
    return ApiKey(scopes=scopes, trust=trust, **values)
