"""Calls about what sessions were about."""

from memcairn.client._operation import Operation, pairs, segment
from memcairn.wire.summaries import LatestSummary, SummaryPage


def latest(session_id: str) -> Operation[LatestSummary]:
    return Operation(
        method="GET", path=f"{_session(session_id)}/summary", parse=LatestSummary.model_validate_json, repeatable=True
    )


def page(session_id: str, *, limit: int, cursor: str | None) -> Operation[SummaryPage]:
    return Operation(
        method="GET",
        path=f"{_session(session_id)}/summaries",
        query=pairs(limit=limit, cursor=cursor),
        parse=SummaryPage.model_validate_json,
        repeatable=True,
    )


def _session(session_id: str) -> str:
    return f"/v1/sessions/{segment('session_id', session_id)}"
