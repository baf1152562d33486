"""Opaque cursors: the place in a list where the next page starts, bound to the list it was made for."""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from memcairn.domain.errors import Invalid

_SURROGATE = re.compile("[\ud800-\udfff]")


def encode(place: Sequence[str | int | float], of: Mapping[str, Any]) -> str:
    """A cursor for the list described by `of` (its filters and order)."""
    body = json.dumps([_fingerprint(of), *place], separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(body.encode("utf-8", "surrogatepass")).decode().rstrip("=")


def decode(cursor: str, of: Mapping[str, Any], *, length: int) -> list[Any]:
    """The place a cursor holds, as values any database takes; Invalid if it was made for another list or by nobody."""
    try:
        body = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        place: list[Any]
        fingerprint, *place = json.loads(body)
    except (binascii.Error, ValueError, TypeError, RecursionError):
        fingerprint, place = None, []
    if fingerprint != _fingerprint(of) or len(place) != length or not all(map(_is_storable, place)):
        raise _refusal()
    return place


def moment(value: object) -> datetime:
    """A time kept in a cursor."""
    try:
        return datetime.fromisoformat(str(value)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _refusal() from None


def number(value: object) -> int | float:
    """A number kept in a cursor."""
    if isinstance(value, str):
        raise _refusal()
    return cast(int | float, value)


def _is_storable(value: object) -> bool:
    """Anybody can write a cursor: its values must not be ones that a database chokes on."""
    if isinstance(value, str):
        return "\x00" not in value and not _SURROGATE.search(value)
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**63


def _refusal() -> Invalid:
    return Invalid(
        "This cursor does not belong to this list. Use `next_cursor` of the previous page with the same filters, "
        "or leave the cursor out to start again.",
        code="invalid_cursor",
    )


def _fingerprint(of: Mapping[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(of, sort_keys=True, default=str).encode(), digest_size=6).hexdigest()
