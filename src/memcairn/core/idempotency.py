"""One effect per Idempotency-Key: the answer is stored in the transaction of the effect it tells of."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from memcairn.core.deps import Deps
from memcairn.domain.errors import Conflict, Invalid
from memcairn.domain.events import MAX_ID_CHARS
from memcairn.domain.keys import Principal
from memcairn.store import idempotency


@dataclass(frozen=True, slots=True)
class Repeatable:
    """A request that may be sent again: the caller's key, and a hash of what the key stands for."""

    key: str
    request_hash: bytes


class InFlight:
    """The requests with an Idempotency-Key that this process is carrying out."""

    def __init__(self) -> None:
        self._held: set[tuple[str, str, str]] = set()

    @contextmanager
    def hold(self, principal: Principal, repeatable: Repeatable | None) -> Iterator[None]:
        """Conflict while another request of the same key is under way."""
        if repeatable is None:
            yield
            return
        held = (principal.org_id, principal.key_id, repeatable.key)
        if held in self._held:
            raise Conflict(
                f"A request with the Idempotency-Key {repeatable.key!r} is still being carried out. Repeat it later.",
                code="idempotency_in_flight",
            )
        self._held.add(held)
        try:
            yield
        finally:
            self._held.discard(held)


def repeatable_request(key: str | None, route: str, body: Any) -> Repeatable | None:
    """What `key` stands for: this route with this body. None without a key; Invalid when the key breaks a rule."""
    if key is None:
        return None
    if not key.strip() or len(key) > MAX_ID_CHARS or not key.isprintable():
        raise Invalid(
            f"The Idempotency-Key must hold 1 to {MAX_ID_CHARS} printable characters; a UUID is a good one.",
            code="invalid_idempotency_key",
        )
    canonical = json.dumps([route, body], sort_keys=True, separators=(",", ":"), default=str)
    return Repeatable(key, hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).digest())


def once(
    connection: Connection, deps: Deps, principal: Principal, repeatable: Repeatable | None, effect: Callable[[], Any]
) -> Any:
    """The answer of `effect`, a JSON value: carried out now, or taken from the first time.

    Invalid when the key was used for another request.
    """
    if repeatable is None:
        return effect()
    now = deps.clock.now()
    known = idempotency.find(connection, principal.org_id, principal.key_id, repeatable.key, now)
    if known is not None:
        if known.request_hash != repeatable.request_hash:
            raise Invalid(
                f"The Idempotency-Key {repeatable.key!r} was used for another request within 24 h. Use a new key.",
                code="idempotency_mismatch",
            )
        return known.body
    body = effect()
    answer = idempotency.Answer(repeatable.request_hash, 200, body)
    idempotency.keep(connection, principal.org_id, principal.key_id, repeatable.key, answer=answer, now=now)
    return body
