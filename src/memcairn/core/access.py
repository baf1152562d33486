"""Who is asking: from the key in a request to a principal."""

import secrets
from datetime import datetime

from sqlalchemy import Connection

from memcairn.core.deps import Deps
from memcairn.domain.errors import Unauthenticated
from memcairn.domain.keys import ALL_SCOPES, DEFAULT_ORG, ApiKey, Principal, hash_of, key_id_of, matches
from memcairn.store import keys

_HOW = "Send it as `Authorization: Bearer <key>`; `memcairn keys create` makes one."


MAX_KNOWN = 10_000
"""Keys remembered at once; then all are forgotten, which costs each a look-up."""


class Keyring:
    """The keys this process has seen: what each opens, for as long as nothing was committed since it was read, and
    when each was last used, gathered here and written in batches by the upkeep of the server."""

    def __init__(self) -> None:
        self._last_used: dict[str, datetime] = {}
        self._known: dict[bytes, ApiKey] = {}
        self._version: int | None = None

    def known(self, raw_key: str, version: int | None) -> ApiKey | None:
        """The key, if it was read from the same version of the database."""
        if version is None or version != self._version:
            return None
        return self._known.get(hash_of(raw_key))

    def keep(self, raw_key: str, key: ApiKey, version: int | None) -> None:
        """Remember what was read after the database had this version; nothing where versions cannot be told."""
        if version is None:
            return
        if version != self._version or len(self._known) >= MAX_KNOWN:
            self._known, self._version = {}, version
        self._known[hash_of(raw_key)] = key

    def note(self, key_id: str, now: datetime) -> None:
        self._last_used[key_id] = now

    def take(self) -> dict[str, datetime]:
        taken, self._last_used = self._last_used, {}
        return taken


async def authenticate(deps: Deps, keyring: Keyring, raw_key: str | None, *, local_key: str | None = None) -> Principal:
    """The principal behind a key; Unauthenticated when it is missing, malformed, unknown, revoked or expired.

    A generated key whose checksum is wrong is refused without asking the database. A key is read anew whenever anything
    was committed since, so that a revocation holds from the moment it is committed, in every process.
    """
    if not raw_key:
        raise Unauthenticated(f"This request carries no API key. {_HOW}")
    if local_key is not None and secrets.compare_digest(raw_key.encode("utf-8", "surrogatepass"), local_key.encode()):
        return Principal(DEFAULT_ORG, "local", ALL_SCOPES)
    version = deps.db.version()
    key = keyring.known(raw_key, version)
    if key is None:
        key = await _read(deps, raw_key)
        keyring.keep(raw_key, key, version)
    now = deps.clock.now()
    if key.revoked_at is not None:
        raise Unauthenticated(f"This API key is revoked. {_HOW}", code="revoked_key")
    if not key.usable_at(now):
        raise Unauthenticated(f"This API key is expired. {_HOW}", code="expired_key")
    keyring.note(key.key_id, now)
    return Principal(key.org_id, key.key_id, key.scopes, key.trust)


async def _read(deps: Deps, raw_key: str) -> ApiKey:
    key_id = key_id_of(raw_key)
    if key_id is None:
        raise Unauthenticated(f"This is not a complete API key: its checksum is wrong. {_HOW}", code="malformed_key")
    key = await deps.db.peek(_find, key_id)
    if key is None or not matches(raw_key, key.secret_hash):
        raise Unauthenticated(f"This API key is unknown. {_HOW}", code="unknown_key")
    return key


def _find(connection: Connection, key_id: str) -> ApiKey | None:
    return keys.find(connection, key_id)
