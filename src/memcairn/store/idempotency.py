"""Answers kept for callers who did not hear them: one per key, for 24 hours."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select

from memcairn.store.prepared import Prepared
from memcairn.store.schema import idempotency

KEEP_FOR = timedelta(hours=24)

_FIND = Prepared(
    select(idempotency.c.request_hash, idempotency.c.status, idempotency.c.body).where(
        idempotency.c.org_id == bindparam("of_org"),
        idempotency.c.key_id == bindparam("of_key"),
        idempotency.c.idempotency_key == bindparam("wanted"),
        idempotency.c.created_at > bindparam("since"),
    )
)
_INSERT = Prepared(insert(idempotency))
_DELETE_EXPIRED = Prepared(
    delete(idempotency).where(
        idempotency.c.org_id == bindparam("of_org"), idempotency.c.created_at <= bindparam("until")
    )
)


@dataclass(frozen=True, slots=True)
class Answer:
    request_hash: bytes
    status: int
    body: Any


def find(connection: Connection, org_id: str, key_id: str, idempotency_key: str, now: datetime) -> Answer | None:
    bound = {"of_org": org_id, "of_key": key_id, "wanted": idempotency_key, "since": now - KEEP_FOR}
    row = _FIND.first(connection, bound)
    return None if row is None else Answer(*row)


def keep(
    connection: Connection, org_id: str, key_id: str, idempotency_key: str, *, answer: Answer, now: datetime
) -> None:
    """Store the answer with the effect it tells of; the org's expired answers give way."""
    _DELETE_EXPIRED.run(connection, [{"of_org": org_id, "until": now - KEEP_FOR}])
    row = {
        "org_id": org_id,
        "key_id": key_id,
        "idempotency_key": idempotency_key,
        "request_hash": answer.request_hash,
        "status": answer.status,
        "body": answer.body,
        "created_at": now,
    }
    _INSERT.run(connection, [row])
