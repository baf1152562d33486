"""Answers kept for callers who did not hear them: one per key, for 24 hours."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from memcairn.store.schema import idempotency

KEEP_FOR = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Answer:
    request_hash: bytes
    status: int
    body: Any


def find(connection: Connection, org_id: str, key_id: str, idempotency_key: str, now: datetime) -> Answer | None:
    statement = select(idempotency.c.request_hash, idempotency.c.status, idempotency.c.body).where(
        idempotency.c.org_id == org_id,
        idempotency.c.key_id == key_id,
        idempotency.c.idempotency_key == idempotency_key,
        idempotency.c.created_at > now - KEEP_FOR,
    )
    row = connection.execute(statement).one_or_none()
    return None if row is None else Answer(*row)


def keep(
    connection: Connection, org_id: str, key_id: str, idempotency_key: str, *, answer: Answer, now: datetime
) -> None:
    """Store the answer with the effect it tells of; the org's expired answers give way."""
    expired = (idempotency.c.org_id == org_id, idempotency.c.created_at <= now - KEEP_FOR)
    connection.execute(delete(idempotency).where(*expired))
    row = {
        "org_id": org_id,
        "key_id": key_id,
        "idempotency_key": idempotency_key,
        "request_hash": answer.request_hash,
        "status": answer.status,
        "body": answer.body,
        "created_at": now,
    }
    connection.execute(insert(idempotency), row)
