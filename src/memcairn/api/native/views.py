"""Domain objects as the wire shows them."""

from datetime import datetime
from typing import Any

from memcairn.core.search import Hit, source_ids_of
from memcairn.core.why import Why
from memcairn.domain.conversations import Session, User
from memcairn.domain.events import Event
from memcairn.domain.explanation import Explanation
from memcairn.domain.jobs import Job
from memcairn.domain.memories import Memory
from memcairn.domain.summaries import Summary
from memcairn.wire.events import Event as EventView
from memcairn.wire.jobs import Job as JobView
from memcairn.wire.memories import Memory as MemoryView
from memcairn.wire.search import Arm, Loss, WhyResponse
from memcairn.wire.search import Explanation as ExplanationView
from memcairn.wire.search import Hit as HitView
from memcairn.wire.sessions import Session as SessionView
from memcairn.wire.summaries import Summary as SummaryView
from memcairn.wire.users import User as UserView


def event_view(event: Event) -> EventView:
    return EventView(
        event_id=event.event_id,
        session_id=event.session_id,
        position=event.position,
        actor_id=event.actor_id,
        kind=event.kind.value,
        content=event.content,
        name=event.name,
        role=event.role,
        token_count=event.token_count,
        metadata=dict(event.metadata),
        role_id=event.role_id,
        team_id=event.team_id,
        status=event.status.value,
        error=event.error,
        occurred_at=event.occurred_at,
        created_at=event.created_at,
        updated_at=event.updated_at,
        key_id=event.key_id,
        channel=event.channel and event.channel.value,
        trust=event.trust.label,
    )


def memory_view(memory: Memory, now: datetime) -> MemoryView:
    """A memory with its strength as of `now`."""
    return MemoryView(**_fields_of_memory(memory, now))


def _fields_of_memory(memory: Memory, now: datetime) -> dict[str, Any]:
    scope = memory.scope
    return {
        "memory_id": memory.memory_id,
        "scope": {
            "level": scope.level.value,
            "actor_id": scope.actor_id,
            "role_id": scope.role_id,
            "team_id": scope.team_id,
        },
        "session_id": memory.session_id,
        "kind": memory.kind.value,
        "type": memory.type,
        "status": memory.status.value,
        "text": memory.text,
        "title": memory.title,
        "speaker": memory.speaker,
        "tags": list(memory.tags),
        "entities": [{"name": entity.name, "type": entity.type} for entity in memory.entities],
        "confidence": memory.confidence,
        "strength": round(memory.strength_at(now), 4),
        "recall_count": memory.recall_count,
        "last_recalled_at": memory.last_recalled_at,
        "half_life_days": memory.half_life_days,
        "pinned": memory.pinned,
        "observed_at": memory.observed_at,
        "valid_from": memory.valid_from,
        "valid_to": memory.valid_to,
        "supersedes": memory.supersedes,
        "metadata": dict(memory.metadata),
        "created_at": memory.created_at,
        "updated_at": memory.updated_at,
        "source_event_ids": list(memory.source_event_ids),
        "trust": memory.trust.label,
        "origins": [{"key_id": each.key_id, "channel": each.channel.value} for each in memory.origins],
    }


def fields_of_hit(hit: Hit, now: datetime) -> dict[str, Any]:
    """What `wire.search.Hit` holds, as plain values: making a model of it first takes over twice as long."""
    shown = hit.memory or hit.event
    if shown is None:
        raise ValueError("a hit without memory and event shows nothing")
    return {
        "score": round(hit.score, 4),
        "similarity": round(hit.similarity, 4),
        "text": shown.text if isinstance(shown, Memory) else shown.content,
        "pending": isinstance(shown, Event),
        "source_event_ids": list(source_ids_of(hit)),
        "speaker": shown.speaker,
        "session_id": shown.session_id,
        "observed_at": shown.observed_at if isinstance(shown, Memory) else shown.occurred_at,
        "trust": shown.trust.label,
        "memory": _fields_of_memory(shown, now) if isinstance(shown, Memory) else None,
        "source_events": None if hit.source_events is None else [event_view(event) for event in hit.source_events],
        "explanation": None if hit.explanation is None else explanation_view(hit.explanation),
    }


def hit_view(hit: Hit, now: datetime) -> HitView:
    return HitView(**fields_of_hit(hit, now))


def explanation_view(explanation: Explanation) -> ExplanationView:
    arms = {
        name: Arm(rank=arm.rank, value=round(arm.value, 4), contribution=round(arm.contribution, 4))
        for name, arm in explanation.arms.items()
    }
    return ExplanationView(
        fused=round(explanation.fused, 4),
        arms=arms,
        factors={name: round(worth, 4) for name, worth in explanation.factors.items()},
        coverage=round(explanation.coverage, 4),
        reasons=list(explanation.reasons),
    )


def why_view(why: Why, *, took_ms: float) -> WhyResponse:
    place = why.place
    return WhyResponse(
        memory_id=why.memory_id,
        found=why.found,
        losses=[Loss(stage=loss.stage.value, detail=loss.detail, field=loss.field) for loss in why.losses],
        place=None if place is None else place.number,
        score=None if place is None else round(place.score, 4),
        similarity=None if place is None else round(place.similarity, 4),
        shown_by=why.shown_by,
        explanation=None if place is None else explanation_view(place.explanation),
        took_ms=took_ms,
    )


def summary_view(summary: Summary) -> SummaryView:
    return SummaryView(
        summary_id=summary.summary_id,
        session_id=summary.session_id,
        content=summary.content,
        token_count=summary.token_count,
        metadata=dict(summary.metadata),
        up_to_position=summary.up_to_position,
        up_to_event_id=summary.up_to_event_id,
        created_at=summary.created_at,
    )


def job_view(job: Job) -> JobView:
    return JobView(
        job_id=job.job_id,
        task=job.task.value,
        status=job.status.value,
        attempts=job.attempts,
        max_attempts=job.max_attempts,
        payload=dict(job.payload),
        run_at=job.run_at,
        error=job.error,
        created_at=job.created_at,
        updated_at=job.updated_at,
    )


def session_view(session: Session) -> SessionView:
    return SessionView(
        session_id=session.session_id,
        number=session.number,
        user_id=session.user_id,
        metadata=None if session.metadata is None else dict(session.metadata),
        created_at=session.created_at,
        updated_at=session.updated_at,
    )


def user_view(user: User) -> UserView:
    return UserView(
        user_id=user.user_id,
        number=user.number,
        email=user.email,
        first_name=user.first_name,
        last_name=user.last_name,
        metadata=dict(user.metadata),
        created_at=user.created_at,
        updated_at=user.updated_at,
    )
