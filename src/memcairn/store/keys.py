"""API keys at rest."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, Row, func, insert, select, update

from memcairn.domain.errors import Conflict, NotFound
from memcairn.domain.keys import ApiKey, KeyScope, scopes_from
from memcairn.store.schema import api_keys


def add(connection: Connection, key: ApiKey) -> None:
    if find(connection, key.key_id) is not None:
        raise Conflict("This key is in use already. Choose another one.", code="key_exists")
    row = {name: getattr(key, name) for name in ApiKey.__slots__}
    connection.execute(insert(api_keys), row | {"scopes": sorted(key.scopes)})


def find(connection: Connection, key_id: str) -> ApiKey | None:
    """The key of that id in any org, revoked and expired ones included."""
    row = connection.execute(select(api_keys).where(api_keys.c.key_id == key_id)).one_or_none()
    return None if row is None else _key(row)


def list_of(connection: Connection, org_id: str) -> list[ApiKey]:
    statement = select(api_keys).where(api_keys.c.org_id == org_id).order_by(api_keys.c.created_at, api_keys.c.key_id)
    return [_key(row) for row in connection.execute(statement)]


def revoke(connection: Connection, org_id: str, key_id: str, now: datetime) -> None:
    """End a key at once; one that is unknown or revoked already raises NotFound."""
    statement = update(api_keys).where(
        api_keys.c.org_id == org_id, api_keys.c.key_id == key_id, api_keys.c.revoked_at.is_(None)
    )
    if connection.execute(statement.values(revoked_at=now)).rowcount == 0:
        raise NotFound(f"The org {org_id!r} has no active key {key_id!r}.", code="key_not_found")


def note_use(connection: Connection, last_used: Mapping[str, datetime]) -> None:
    for key_id, moment in last_used.items():
        connection.execute(update(api_keys).where(api_keys.c.key_id == key_id).values(last_used_at=moment))


def count_usable(connection: Connection, now: datetime) -> int:
    statement = (
        select(func.count())
        .select_from(api_keys)
        .where(api_keys.c.revoked_at.is_(None), (api_keys.c.expires_at.is_(None)) | (api_keys.c.expires_at > now))
    )
    return connection.execute(statement).scalar_one()


def _key(row: Row[*tuple[object, ...]]) -> ApiKey:
    values = dict(row._mapping)
    scopes: frozenset[KeyScope] = scopes_from(values.pop("scopes"))
    return ApiKey(scopes=scopes, **values)
