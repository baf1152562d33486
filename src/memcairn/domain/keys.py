"""API keys: how they look, what they allow, and how they are checked without a secret being stored.

A key made here reads `mc_<keyid>_<secret><checksum>`: the id finds the row, the secret is 256 random bits in base 62,
and the last six characters are the CRC-32 of everything before them, so that a mistyped key is refused before any
database is asked and leak scanners can tell a real key from a look-alike. A key an operator chose (`MEMCAIRN_API_KEY`)
may have any shape; its id is derived from its hash.
"""

import hashlib
import secrets
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from memcairn.domain.errors import Forbidden
from memcairn.domain.trust import Channel, Trust

PREFIX = "mc_"
MAX_KEY_CHARS = 512

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_CHARS = 12
_SECRET_CHARS = 43  # 62**43 > 2**256
_CHECKSUM_CHARS = 6


class KeyScope(StrEnum):
    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


DEFAULT_ORG = "default"
"""The org of a server nobody has set up further."""

ALL_SCOPES = frozenset({KeyScope.READ, KeyScope.WRITE, KeyScope.ADMIN})


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A stored key: everything but the secret."""

    key_id: str
    org_id: str
    name: str
    prefix: str
    secret_hash: bytes
    scopes: frozenset[KeyScope]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    trust: Trust = Trust.NORMAL

    def usable_at(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking: one key of one org, what it may do, how far it is trusted, and the door it came in by."""

    org_id: str
    key_id: str
    scopes: frozenset[KeyScope]
    trust: Trust = Trust.NORMAL
    channel: Channel = Channel.NATIVE

    def require(self, scope: KeyScope) -> None:
        """Raise Forbidden unless the key holds `scope`; `admin` includes the other two."""
        if scope in self.scopes or KeyScope.ADMIN in self.scopes:
            return
        raise Forbidden(f"This key lacks the scope {scope.value!r}. Use a key created with it.", code="missing_scope")


def new_key() -> str:
    """A fresh key in clear text; it can be shown once, since only its hash is kept."""
    key_id = "".join(secrets.choice(_ALPHABET) for _ in range(_ID_CHARS))
    secret = "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_CHARS))
    body = f"{PREFIX}{key_id}_{secret}"
    return body + _checksum(body)


def key_id_of(raw_key: str) -> str | None:
    """The id under which `raw_key` would be stored, or None when it cannot be a key (bad checksum, absurd length)."""
    if not raw_key or len(raw_key) > MAX_KEY_CHARS:
        return None
    if not _looks_generated(raw_key):
        return "x" + hash_of(raw_key).hex()[:24]
    body, checksum = raw_key[:-_CHECKSUM_CHARS], raw_key[-_CHECKSUM_CHARS:]
    return body.split("_")[1] if secrets.compare_digest(_checksum(body), checksum) else None


def hash_of(raw_key: str) -> bytes:
    """SHA-256 of the whole key. Keys are random, so a slow hash would only help an attacker exhaust the server."""
    return hashlib.sha256(raw_key.encode("utf-8", "surrogatepass")).digest()


def matches(raw_key: str, secret_hash: bytes) -> bool:
    """Whether `raw_key` is the key behind the hash, in constant time."""
    return secrets.compare_digest(hash_of(raw_key), secret_hash)


def visible_prefix(raw_key: str) -> str:
    """The part of a key that may be listed: enough to recognise it, too little to use it.

    Of a generated key its id; of another one at most four characters, and no more than a quarter.
    """
    if _looks_generated(raw_key):
        return raw_key[: len(PREFIX) + _ID_CHARS]
    return raw_key[: min(4, len(raw_key) // 4)] + "…"


def scopes_from(names: Collection[str]) -> frozenset[KeyScope]:
    return frozenset(KeyScope(name) for name in names)


def _looks_generated(raw_key: str) -> bool:
    parts = raw_key.split("_")
    if len(parts) != 3 or f"{parts[0]}_" != PREFIX or len(parts[1]) != _ID_CHARS:
        return False
    return len(parts[2]) == _SECRET_CHARS + _CHECKSUM_CHARS and raw_key.isascii()


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode("ascii", "replace"))
    digits = []
    for _ in range(_CHECKSUM_CHARS):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
