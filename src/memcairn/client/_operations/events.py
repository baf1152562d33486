"""Calls about events: say something, see how far it got, read the log."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from memcairn.client._operation import Operation, pairs
from memcairn.wire.events import EventPage, IngestResponse, Kind, NewEvent, Status, StatusResponse


def ingest(
    events: Sequence[NewEvent | Mapping[str, Any]], *, wait: bool, idempotency_key: str | None
) -> Operation[IngestResponse]:
    return Operation(
        method="POST",
        path="/v1/events",
        query=pairs(wait=wait),
        body={"events": events},
        parse=IngestResponse.model_validate_json,
        repeatable=True,  # by its key: the server keeps the first answer and gives it again
        idempotency_key=str(uuid4()) if idempotency_key is None else idempotency_key,
    )


def status(event_ids: Sequence[str]) -> Operation[StatusResponse]:
    return Operation(
        method="POST",
        path="/v1/events/status",
        body={"event_ids": event_ids},
        parse=StatusResponse.model_validate_json,
        repeatable=True,  # only reads
    )


def page(
    *,
    session_id: str | None,
    actor_id: str | None,
    kind: Kind | None,
    status: Status | None,
    limit: int,
    cursor: str | None,
) -> Operation[EventPage]:
    return Operation(
        method="GET",
        path="/v1/events",
        query=pairs(session_id=session_id, actor_id=actor_id, kind=kind, status=status, limit=limit, cursor=cursor),
        parse=EventPage.model_validate_json,
        repeatable=True,
    )
