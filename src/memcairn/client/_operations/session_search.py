"""The call that searches in one conversation."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from memcairn.client._operation import Operation, fields, segment
from memcairn.wire.session_search import SearchScope, SessionSearchResponse


def search(
    session_id: str,
    text: str | None,
    *,
    metadata: Mapping[str, Any] | None,
    scope: SearchScope,
    mmr: bool,
    mmr_lambda: float | None,
    limit: int,
    start: datetime | str | None,
    end: datetime | str | None,
) -> Operation[SessionSearchResponse]:
    body = fields(
        text=text,
        metadata=metadata,
        scope=scope,
        mmr=mmr,
        mmr_lambda=mmr_lambda,
        limit=limit,
        start=start,
        end=end,
    )
    return Operation(
        method="POST",
        path=f"/v1/sessions/{segment('session_id', session_id)}/search",
        body=body,
        parse=SessionSearchResponse.model_validate_json,
        repeatable=True,  # only reads
    )
