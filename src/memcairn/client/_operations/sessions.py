"""Calls about sessions."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from memcairn.client._operation import Operation, fields, nothing, pairs, segment
from memcairn.wire.sessions import Session, SessionPage


def add(
    session_id: str, *, user_id: str | None, metadata: Mapping[str, Any] | None, idempotency_key: str | None
) -> Operation[Session]:
    return Operation(
        method="POST",
        path="/v1/sessions",
        body=fields(session_id=session_id, user_id=user_id, metadata=metadata),
        parse=Session.model_validate_json,
        repeatable=True,  # by its key: the server keeps the first answer and gives it again
        idempotency_key=str(uuid4()) if idempotency_key is None else idempotency_key,
    )


def get(session_id: str) -> Operation[Session]:
    return Operation(method="GET", path=path(session_id), parse=Session.model_validate_json, repeatable=True)


def update(session_id: str, *, metadata: Mapping[str, Any] | None) -> Operation[Session]:
    return Operation(
        method="PATCH",
        path=path(session_id),
        body=fields(metadata=metadata),
        parse=Session.model_validate_json,
        repeatable=True,  # merging the same values twice leaves what once leaves
    )


def delete(session_id: str) -> Operation[None]:
    return Operation(
        method="DELETE",
        path=path(session_id),
        parse=nothing,
        repeatable=True,  # what is gone stays gone
        settled_by=frozenset({404}),  # the attempt that got lost on its way back had deleted it
    )


def page(
    *, user_id: str | None, metadata: Mapping[str, Any] | None, limit: int, cursor: str | None
) -> Operation[SessionPage]:
    condition = None if metadata is None else json.dumps(metadata, separators=(",", ":"))
    return Operation(
        method="GET",
        path="/v1/sessions",
        query=pairs(user_id=user_id, metadata=condition, limit=limit, cursor=cursor),
        parse=SessionPage.model_validate_json,
        repeatable=True,
    )


def path(session_id: str) -> str:
    return f"/v1/sessions/{segment('session_id', session_id)}"
