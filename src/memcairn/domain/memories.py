"""What is known: statements concluded from events, kept and searchable."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from memcairn.domain.scopes import Scope
from memcairn.domain.trust import Origin, Trust

MAX_STRENGTH = 5.0
RECALL_STEP = 0.1
HALF_LIFE_DAYS = 30.0
DECAYED_BELOW = 0.05
"""A memory whose strength has fallen under this leaves search; from 1.0 that takes a good four half-lives of disuse."""

_SECONDS_PER_DAY = 86_400.0


class MemoryKind(StrEnum):
    SEMANTIC = "semantic"
    EPISODIC = "episodic"
    PROCEDURAL = "procedural"


class MemoryStatus(StrEnum):
    ACTIVE = "active"
    SUPERSEDED = "superseded"
    ARCHIVED = "archived"
    DECAYED = "decayed"


@dataclass(frozen=True, slots=True)
class Entity:
    """A name found in a text and what kind of thing it seems to be (PERSON, ORG, PLACE, DATE, CONCEPT)."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Memory:
    """A stored memory. `slot` names the attribute a typed memory fills (`home`): one value holds at a time.

    `trust` is the lowest among its sources, `origins` are the keys and doors those came through.
    """

    org_id: str
    memory_id: str
    scope: Scope
    session_id: str | None
    position: int | None
    kind: MemoryKind
    type: str
    status: MemoryStatus
    text: str
    title: str | None
    speaker: str | None
    slot: str | None
    tags: Sequence[str]
    entities: Sequence[Entity]
    confidence: float
    strength: float
    recall_count: int
    last_recalled_at: datetime | None
    half_life_days: float
    pinned: bool
    observed_at: datetime
    valid_from: datetime | None
    valid_to: datetime | None
    supersedes: str | None
    metadata: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime
    source_event_ids: Sequence[str] = field(default_factory=tuple)
    trust: Trust = Trust.NORMAL
    origins: Sequence[Origin] = field(default_factory=tuple)

    def strength_at(self, now: datetime) -> float:
        """Strength after disuse up to `now`; pinned memories keep theirs."""
        return strength_at(self, now)


class Used(Protocol):
    """What the strength of a memory depends on."""

    @property
    def strength(self) -> float: ...
    @property
    def pinned(self) -> bool: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def last_recalled_at(self) -> datetime | None: ...
    @property
    def half_life_days(self) -> float: ...


def strength_at(used: Used, now: datetime) -> float:
    """Strength after disuse up to `now`; what is pinned keeps its own."""
    if used.pinned:
        return used.strength
    return decayed_strength(used.strength, used.last_recalled_at or used.created_at, now, used.half_life_days)


def decayed_strength(strength: float, last_used: datetime, now: datetime, half_life_days: float) -> float:
    """Exponential decay: half of `strength` is left after each `half_life_days`; a clock set back decays nothing."""
    idle_days = max(0.0, (now - last_used).total_seconds() / _SECONDS_PER_DAY)
    return strength * math.pow(0.5, idle_days / half_life_days)


def reinforced_strength(strength_now: float) -> float:
    """Strength after one more recall or repetition; never above MAX_STRENGTH."""
    return min(MAX_STRENGTH, strength_now + RECALL_STEP)
