"""Domain objects as Memsy's clients expect them: every field, every time."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from memcairn.api.memsy.values import RAW, Json, maybe_zulu, zulu
from memcairn.core.lineage import Lineage
from memcairn.core.search import Hit
from memcairn.domain.events import Event
from memcairn.domain.groups import Group, GroupKind, Org
from memcairn.domain.keys import ApiKey
from memcairn.domain.memories import Memory
from memcairn.domain.scopes import Scope
from memcairn.domain.statistics import Actor, MemoryStats
from memcairn.domain.usage import DimensionUse, Granularity, UsagePoint

MAX_SOURCE_METADATA = 5


def scope_view(scope: Scope) -> Json:
    return {
        "level": scope.level.value,
        "actor_id": scope.actor_id,
        "role_id": scope.role_id,
        "team_id": scope.team_id,
    }


def hit_view(hit: Hit, memory: Memory, now: datetime, *, with_events: bool) -> Json:
    """A hit on a memory; its source events stand in it only `with_events`."""
    sources = hit.source_events or ()
    metadata = {
        "title": memory.title,
        "summary": None,
        "tags": list(memory.tags),
        "entities": _entities(memory),
        "kind": memory.kind.value,
        "type": memory.type,
        "strength": round(memory.strength_at(now), 4),
        "confidence": memory.confidence,
        "observed_at": zulu(memory.observed_at),
        "actor_id": memory.scope.actor_id,
        "session_id": memory.session_id,
        "scope": scope_view(memory.scope),
        "similarity": round(hit.similarity, 4),
        "source_event_ids": list(memory.source_event_ids),
        "source_metadata": _source_metadata(sources),
    }
    if with_events:
        metadata["source_events"] = [_source_event(event) for event in sources]
    return {"id": memory.memory_id, "content": memory.text, "score": round(hit.score, 4), "metadata": metadata}


def memory_view(memory: Memory, now: datetime) -> Json:
    kind = memory.kind.value
    return {
        "memory_id": memory.memory_id,
        "org_id": memory.org_id,
        "scope": scope_view(memory.scope),
        "type": memory.type,
        "kind": kind,
        "memory_kind": kind,
        "status": memory.status.value,
        "text": memory.text,
        "title": memory.title,
        "session_id": memory.session_id,
        "confidence": memory.confidence,
        "strength": round(memory.strength_at(now), 4),
        "recall_count": memory.recall_count,
        "decay_half_life_days": memory.half_life_days,
        "pinned": memory.pinned,
        "tags": list(memory.tags),
        "entity_refs": _entities(memory),
        "source_event_ids": list(memory.source_event_ids),
        "source_urls": [],
        "summary": None,
        "payload": dict(memory.metadata) or None,
        "last_recalled_at": maybe_zulu(memory.last_recalled_at),
        "effective_from": maybe_zulu(memory.valid_from),
        "effective_to": maybe_zulu(memory.valid_to),
        "observed_at": zulu(memory.observed_at),
        "created_at": zulu(memory.created_at),
        "updated_at": zulu(memory.updated_at),
    }


def lineage_view(lineage: Lineage) -> Json:
    """Who counts, when and why; the memories behind it are named to admin keys alone."""
    return {
        "actors": lineage.actors,
        "memories": lineage.memories,
        "needed": lineage.needed,
        "since": zulu(lineage.since),
        "last_support_at": zulu(lineage.last_support_at),
        "why": lineage.why,
        "supporting_memory_ids": (
            None if lineage.supporting_memory_ids is None else list(lineage.supporting_memory_ids)
        ),
    }


def stats_view(stats: MemoryStats) -> Json:
    return {
        "total": stats.total,
        "total_memories": stats.total,
        "active_memories": stats.active,
        "by_type": dict(stats.by_type),
        "by_kind": dict(stats.by_kind),
        "by_status": dict(stats.by_status),
        "avg_confidence": round(stats.average_confidence, 4),
        "avg_strength": round(stats.average_strength, 4),
        "top_entities": [
            {"name": entity.name, "type": entity.type, "count": entity.count} for entity in stats.top_entities
        ],
        "confidence_buckets": [
            {"bucket": f"{bucket.low:.1f}-{bucket.high:.1f}", "count": bucket.count}
            for bucket in stats.confidence_buckets
        ],
        "date_range": {
            "earliest": maybe_zulu(stats.earliest_observed_at),
            "latest": maybe_zulu(stats.latest_observed_at),
        },
    }


def actor_view(actor: Actor) -> Json:
    return {
        "actor_id": actor.actor_id,
        "first_memory_at": zulu(actor.first_memory_at),
        "last_memory_at": zulu(actor.last_memory_at),
        "memory_count": actor.memory_count,
        "active_memory_count": actor.active_memory_count,
        "scope_levels": list(actor.scope_levels),
        "role_ids": list(actor.role_ids),
        "team_ids": list(actor.team_ids),
    }


def event_view(event: Event) -> Json:
    return {
        "event_id": event.event_id,
        "org_id": event.org_id,
        "actor_id": event.actor_id,
        "session_id": event.session_id,
        "kind": event.kind.value,
        "content": event.content,
        "ts": zulu(event.occurred_at),
        "metadata": dict(event.metadata),
        "role_id": event.role_id,
        "team_id": event.team_id,
        "ingested_at": zulu(event.created_at),
    }


def org_view(org: Org) -> Json:
    return {"org_id": org.org_id} | _description(org)


def group_view(group: Group) -> Json:
    key = "role_id" if group.kind is GroupKind.ROLE else "team_id"
    return {key: group.group_id, "org_id": group.org_id} | _description(group)


def key_view(key: ApiKey, now: datetime) -> Json:
    return {
        "key_id": key.key_id,
        "prefix": key.prefix,
        "name": key.name,
        "scopes": sorted(scope.value for scope in key.scopes),
        "is_active": key.usable_at(now),
        "created_at": zulu(key.created_at),
        "last_used_at": maybe_zulu(key.last_used_at),
        "expires_at": maybe_zulu(key.expires_at),
    }


def use_view(use: DimensionUse) -> Json:
    return {"dimension": use.dimension.value, "used": use.used, "limit": use.limit, "overage_rate": None}


def point_view(point: UsagePoint, granularity: Granularity) -> Json:
    """A point under its day, or under the moment its hour begins."""
    date = point.start.date().isoformat() if granularity is Granularity.DAY else zulu(point.start)
    return {"date": date, "dimension": point.dimension.value, "quantity": point.quantity}


def _description(record: Org | Group) -> Json:
    return {
        "name": record.name,
        "focus": record.focus,
        "promotion_prompt": record.promotion_prompt,
        "prompt_meta": dict(record.prompt_meta),
        "created_at": zulu(record.created_at),
        "updated_at": zulu(record.updated_at),
    }


def _entities(memory: Memory) -> list[Json]:
    return [{"name": entity.name, "type": entity.type} for entity in memory.entities]


def _source_event(event: Event) -> Json:
    return {
        "event_id": event.event_id,
        "kind": event.kind.value,
        "content": event.content,
        "ts": zulu(event.occurred_at),
    }


def _source_metadata(sources: Sequence[Event]) -> list[Json]:
    """What came with the first few source events that had any: objects as they are, other words under RAW."""
    shown: list[Json] = []
    for event in sources:
        if event.metadata and len(shown) < MAX_SOURCE_METADATA:
            shown.append({"event_id": event.event_id} | _as_it_came(dict(event.metadata)))
    return shown


def _as_it_came(metadata: dict[str, Any]) -> Json:
    raw = metadata.get(RAW)
    return {RAW: raw} if len(metadata) == 1 and isinstance(raw, str) else {"metadata": metadata}
