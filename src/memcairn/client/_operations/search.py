"""The calls that find memories, and say why one was not found."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from memcairn.client._operation import Operation, fields
from memcairn.wire.events import Trust
from memcairn.wire.memories import MemoryKind
from memcairn.wire.search import SearchResponse, WhyResponse


def search(
    query: str,
    *,
    actor_id: str | None,
    session_id: str | None,
    exclude_session_id: str | None,
    role_ids: Sequence[str] | None,
    team_ids: Sequence[str] | None,
    kinds: Sequence[MemoryKind] | None,
    types: Sequence[str] | None,
    occurred_after: datetime | str | None,
    occurred_before: datetime | str | None,
    asked_at: datetime | str | None,
    metadata: Mapping[str, Any] | None,
    min_trust: Trust | None,
    limit: int,
    threshold: float,
    diverse: bool,
    include_source_events: bool,
    explain: bool,
) -> Operation[SearchResponse]:
    body = fields(
        query=query,
        limit=limit,
        threshold=threshold,
        diverse=diverse,
        actor_id=actor_id,
        session_id=session_id,
        exclude_session_id=exclude_session_id,
        role_ids=role_ids,
        team_ids=team_ids,
        kinds=kinds,
        types=types,
        occurred_after=occurred_after,
        occurred_before=occurred_before,
        asked_at=asked_at,
        metadata=metadata,
        min_trust=min_trust,
        include_source_events=include_source_events,
        explain=explain,
    )
    return Operation(
        method="POST",
        path="/v1/search",
        body=body,
        parse=SearchResponse.model_validate_json,
        repeatable=True,  # it reads; at worst a memory counts as recalled once more
    )


def why(
    query: str,
    memory_id: str,
    *,
    actor_id: str | None,
    session_id: str | None,
    exclude_session_id: str | None,
    role_ids: Sequence[str] | None,
    team_ids: Sequence[str] | None,
    kinds: Sequence[MemoryKind] | None,
    types: Sequence[str] | None,
    occurred_after: datetime | str | None,
    occurred_before: datetime | str | None,
    asked_at: datetime | str | None,
    metadata: Mapping[str, Any] | None,
    min_trust: Trust | None,
    limit: int,
    threshold: float,
    diverse: bool,
) -> Operation[WhyResponse]:
    body = fields(
        query=query,
        memory_id=memory_id,
        limit=limit,
        threshold=threshold,
        diverse=diverse,
        actor_id=actor_id,
        session_id=session_id,
        exclude_session_id=exclude_session_id,
        role_ids=role_ids,
        team_ids=team_ids,
        kinds=kinds,
        types=types,
        occurred_after=occurred_after,
        occurred_before=occurred_before,
        asked_at=asked_at,
        metadata=metadata,
        min_trust=min_trust,
    )
    return Operation(
        method="POST",
        path="/v1/search/why",
        body=body,
        parse=WhyResponse.model_validate_json,
        repeatable=True,  # it reads, and recalls nothing
    )
