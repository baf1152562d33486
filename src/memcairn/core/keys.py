"""Making, listing and ending API keys, and the orgs they open: by an operator, or by an admin key of the org."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from memcairn.core import cursors
from memcairn.core.deps import Deps
from memcairn.domain.errors import Forbidden, Invalid
from memcairn.domain.events import MAX_ID_CHARS
from memcairn.domain.keys import (
    ALL_SCOPES,
    DEFAULT_ORG,
    MAX_KEY_CHARS,
    ApiKey,
    KeyScope,
    Principal,
    hash_of,
    key_id_of,
    new_key,
    visible_prefix,
)
from memcairn.domain.trust import Trust, handed_down
from memcairn.store import keys, locks, orgs


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A new key with its clear text, which is not stored and cannot be shown again."""

    key: ApiKey
    raw_key: str


@dataclass(frozen=True, slots=True)
class KeyPage:
    """Some keys of an org, ended ones included, in the order they were made; of all of them, `active` are usable."""

    items: Sequence[ApiKey]
    next_cursor: str | None
    active: int
    limit: int


async def create_org(deps: Deps, org_id: str, *, name: str | None = None) -> MadeKey:
    """Create an org together with its first admin key; Conflict when the id is taken."""
    check_org_id(org_id)
    made = _make(org_id, "first admin key", ALL_SCOPES, now=deps.clock.now())

    def save(connection: Connection) -> None:
        orgs.add(connection, org_id, name or org_id, made.key.created_at)
        keys.add(connection, made.key)

    await deps.db.write(save)
    return made


async def create_key(
    deps: Deps,
    org_id: str,
    *,
    name: str,
    scopes: frozenset[KeyScope],
    expires_at: datetime | None = None,
    trust: Trust = Trust.NORMAL,
) -> MadeKey:
    """Add a key to an org; NotFound when there is no such org, Invalid when the key would be expired already."""
    made = _new_key(deps, org_id, name, scopes, expires_at=expires_at)
    made = replace(made, key=replace(made.key, trust=trust))

    def save(connection: Connection) -> None:
        orgs.require(connection, org_id)
        keys.add(connection, made.key)

    await deps.db.write(save)
    return made


async def issue_key(
    deps: Deps,
    principal: Principal,
    *,
    name: str,
    scopes: frozenset[KeyScope],
    expires_at: datetime | None = None,
    trust: Trust | None = None,
) -> MadeKey:
    """Add a key to the principal's own org; Forbidden (`key_limit_reached`) when it has as many as it may have.

    Expired and revoked keys do not count. Invalid when the key would be expired already. Without a `trust` it is
    NORMAL or the principal's, whichever is lower; Forbidden (`trust_too_high`) for more than the principal's own.
    """
    principal.require(KeyScope.ADMIN)
    given = handed_down(trust, principal.trust)
    made = _new_key(deps, principal.org_id, name, scopes, expires_at=expires_at)
    made = replace(made, key=replace(made.key, trust=given))

    def save(connection: Connection) -> None:
        locks.alone(connection, principal.org_id, "keys")
        active = keys.count_usable(connection, made.key.created_at, org_id=principal.org_id)
        if active >= deps.keys_per_org:
            raise Forbidden(
                f"The org has {active} usable keys, and {deps.keys_per_org} is as many as it may have. Revoke one "
                "that is not needed any more.",
                code="key_limit_reached",
            )
        keys.add(connection, made.key)

    await deps.db.write(save)
    return made


async def own_keys(deps: Deps, principal: Principal, *, limit: int, cursor: str | None = None) -> KeyPage:
    """The keys of the principal's org in the order they were made."""
    principal.require(KeyScope.ADMIN)
    of = {"list": "keys"}
    after = None
    if cursor is not None:
        made_at, key_id = cursors.decode(cursor, of, length=2)
        after = keys.KeyMark(cursors.moment(made_at), str(key_id))

    def load(connection: Connection) -> KeyPage:
        found = keys.page(connection, principal.org_id, limit=limit + 1, after=after)
        last = found[:limit][-1] if len(found) > limit else None
        following = None if last is None else cursors.encode([last.created_at.isoformat(), last.key_id], of)
        active = keys.count_usable(connection, deps.clock.now(), org_id=principal.org_id)
        return KeyPage(found[:limit], following, active, deps.keys_per_org)

    return await deps.db.read(load)


async def end_key(deps: Deps, principal: Principal, key_id: str) -> None:
    """End a key of the principal's org, be it the one that asks; every request after this is refused.

    NotFound when the org has no active key of that id.
    """
    principal.require(KeyScope.ADMIN)
    await revoke_key(deps, principal.org_id, key_id)


async def ensure_default_org(deps: Deps) -> None:
    """Make the org `default` if it is not there yet."""

    def save(connection: Connection) -> None:
        if orgs.get(connection, DEFAULT_ORG) is None:
            orgs.add(connection, DEFAULT_ORG, DEFAULT_ORG, deps.clock.now())

    await deps.db.write(save)


async def list_keys(deps: Deps, org_id: str) -> list[ApiKey]:
    def load(connection: Connection) -> list[ApiKey]:
        orgs.require(connection, org_id)
        return keys.list_of(connection, org_id)

    return await deps.db.read(load)


async def revoke_key(deps: Deps, org_id: str, key_id: str) -> None:
    """End a key; every request that starts after this returns is refused."""
    await deps.db.write(keys.revoke, org_id, key_id, deps.clock.now())


async def ensure_first_key(deps: Deps, raw_key: str | None) -> str | None:
    """Make sure somebody can get in.

    A given key becomes an admin key of the org `default`, whatever its shape. Without one, and while no usable key
    exists, a new one is made. Returns the clear text of a key that was made here, else None.
    """
    now = deps.clock.now()
    made = _make(DEFAULT_ORG, "first admin key", ALL_SCOPES, now=now) if raw_key is None else _given(raw_key, now)

    def save(connection: Connection) -> bool:
        locks.alone(connection, DEFAULT_ORG, "first key")
        if raw_key is None and keys.count_usable(connection, now):
            return False
        if keys.find(connection, made.key.key_id) is not None:
            return False
        if orgs.get(connection, DEFAULT_ORG) is None:
            orgs.add(connection, DEFAULT_ORG, DEFAULT_ORG, now)
        keys.add(connection, made.key)
        return True

    added = await deps.db.write(save)
    return made.raw_key if added and raw_key is None else None


def _given(raw_key: str, now: datetime) -> MadeKey:
    key_id = key_id_of(raw_key)
    if key_id is None or not raw_key.strip():
        raise Invalid(
            f"MEMCAIRN_API_KEY cannot be a key: it is empty, longer than {MAX_KEY_CHARS} characters, or a mistyped "
            "generated key whose checksum is wrong.",
            code="malformed_key",
        )
    key = ApiKey(
        key_id=key_id,
        org_id=DEFAULT_ORG,
        name="MEMCAIRN_API_KEY",
        prefix=visible_prefix(raw_key),
        secret_hash=hash_of(raw_key),
        scopes=ALL_SCOPES,
        created_at=now,
        expires_at=None,
        last_used_at=None,
        revoked_at=None,
    )
    return MadeKey(key, raw_key)


def _new_key(
    deps: Deps, org_id: str, name: str, scopes: frozenset[KeyScope], *, expires_at: datetime | None
) -> MadeKey:
    now = deps.clock.now()
    if not scopes:
        raise Invalid("A key needs at least one scope: read, write or admin.", code="no_scopes")
    if expires_at is not None and expires_at <= now:
        raise Invalid(f"The expiry {expires_at.isoformat()} lies in the past. Choose a later one.", code="expiry_past")
    return _make(org_id, name, scopes, now=now, expires_at=expires_at)


def _make(
    org_id: str, name: str, scopes: frozenset[KeyScope], *, now: datetime, expires_at: datetime | None = None
) -> MadeKey:
    raw_key = new_key()
    key_id = key_id_of(raw_key)
    assert key_id is not None, "a fresh key has a right checksum"  # noqa: S101 -- our own invariant
    key = ApiKey(
        key_id=key_id,
        org_id=org_id,
        name=name,
        prefix=visible_prefix(raw_key),
        secret_hash=hash_of(raw_key),
        scopes=scopes,
        created_at=now,
        expires_at=expires_at,
        last_used_at=None,
        revoked_at=None,
    )
    return MadeKey(key, raw_key)


def check_org_id(org_id: str) -> None:
    """Invalid for an id no org may have."""
    if not org_id.strip() or len(org_id) > MAX_ID_CHARS or "\x00" in org_id:
        raise Invalid(
            f"The org id {org_id[:40]!r} must hold 1 to {MAX_ID_CHARS} characters, more than white space.",
            code="invalid_org_id",
        )
