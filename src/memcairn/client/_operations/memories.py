"""Calls about single memories and lists of them."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from memcairn.client._operation import Operation, fields, nothing, pairs, segment
from memcairn.wire.lineage import Lineage
from memcairn.wire.memories import (
    Level,
    Memory,
    MemoryHistory,
    MemoryKind,
    MemoryPage,
    MemorySort,
    MemorySources,
    MemoryStatus,
)
from memcairn.wire.statistics import MemoryStats


def page(
    *,
    actor_id: str | None,
    session_id: str | None,
    kind: MemoryKind | None,
    type: str | None,
    status: MemoryStatus | None,
    level: Level | None,
    role_id: str | None,
    team_id: str | None,
    q: str | None,
    sort: MemorySort | None,
    limit: int,
    cursor: str | None,
) -> Operation[MemoryPage]:
    query = pairs(
        actor_id=actor_id,
        session_id=session_id,
        kind=kind,
        type=type,
        status=status,
        level=level,
        role_id=role_id,
        team_id=team_id,
        q=q,
        sort=sort,
        limit=limit,
        cursor=cursor,
    )
    return Operation(
        method="GET", path="/v1/memories", query=query, parse=MemoryPage.model_validate_json, repeatable=True
    )


def get(memory_id: str) -> Operation[Memory]:
    return Operation(method="GET", path=_path(memory_id), parse=Memory.model_validate_json, repeatable=True)


def update(
    memory_id: str,
    *,
    text: str | None,
    title: str | None,
    tags: Sequence[str] | None,
    pinned: bool | None,
    status: Literal["active", "archived"] | None,
    confidence: float | None,
    half_life_days: float | None,
    metadata: Mapping[str, Any] | None,
) -> Operation[Memory]:
    body = fields(
        text=text,
        title=title,
        tags=tags,
        pinned=pinned,
        status=status,
        confidence=confidence,
        half_life_days=half_life_days,
        metadata=metadata,
    )
    return Operation(
        method="PATCH",
        path=_path(memory_id),
        body=body,
        parse=Memory.model_validate_json,
        repeatable=True,  # every field is set to a value, none is counted up: twice leaves what once leaves
    )


def delete(memory_id: str) -> Operation[None]:
    return Operation(
        method="DELETE",
        path=_path(memory_id),
        parse=nothing,
        repeatable=True,  # what is gone stays gone
        settled_by=frozenset({404}),  # the attempt that got lost on its way back had deleted it
    )


def stats(*, actor_id: str | None) -> Operation[MemoryStats]:
    return Operation(
        method="GET",
        path="/v1/memories/stats",
        query=pairs(actor_id=actor_id),
        parse=MemoryStats.model_validate_json,
        repeatable=True,
    )


def history(memory_id: str) -> Operation[MemoryHistory]:
    return Operation(
        method="GET", path=f"{_path(memory_id)}/history", parse=MemoryHistory.model_validate_json, repeatable=True
    )


def sources(memory_id: str) -> Operation[MemorySources]:
    return Operation(
        method="GET", path=f"{_path(memory_id)}/sources", parse=MemorySources.model_validate_json, repeatable=True
    )


def lineage(memory_id: str) -> Operation[Lineage]:
    return Operation(
        method="GET", path=f"{_path(memory_id)}/lineage", parse=Lineage.model_validate_json, repeatable=True
    )


def _path(memory_id: str) -> str:
    return f"/v1/memories/{segment('memory_id', memory_id)}"
