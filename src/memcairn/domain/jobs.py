"""Work that must happen later: what a job is, and when a failed one is tried again."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

MAX_ATTEMPTS = 5
LEASE = timedelta(seconds=15)
HEARTBEAT_EVERY = timedelta(seconds=5)
FIRST_RETRY = timedelta(seconds=1)
LONGEST_RETRY = timedelta(minutes=5)
UNAVAILABLE_RETRY = timedelta(seconds=15)
"""Between tries of work that waits for an embedder or another service to come back, which costs it no attempt."""
MAX_ERROR_CHARS = 1_000


class Task(StrEnum):
    """What is to be done. A serial key belongs to one task: jobs of several tasks are not kept in order."""

    PROCESS_EVENTS = "process_events"
    EMBED_DOCUMENTS = "embed_documents"
    SUMMARISE = "summarise"
    PROMOTE = "promote"
    EMBED_MEMORIES = "embed_memories"
    REEMBED = "reembed"


class JobStatus(StrEnum):
    """A finished job is removed; `dead` ones stay, with their reason, until somebody retries them."""

    QUEUED = "queued"
    RUNNING = "running"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class NewJob:
    """Jobs with equal serial keys run one at a time. The payload holds ids, never texts."""

    org_id: str
    task: Task
    serial_key: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Job:
    """A queued job; a claim on it is valid while `fencing_token` is the stored one."""

    job_id: str
    org_id: str
    task: Task
    serial_key: str
    payload: Mapping[str, Any]
    status: JobStatus
    attempts: int
    max_attempts: int
    run_at: datetime
    lease_until: datetime | None
    fencing_token: int
    worker_id: str | None
    error: str | None
    created_at: datetime
    updated_at: datetime


def retry_delay(attempts: int, rng: random.Random) -> timedelta:
    """How long to wait after `attempts` failures: doubling from one second to five minutes, half of it at random."""
    ceiling = min(LONGEST_RETRY, FIRST_RETRY * 2.0 ** min(attempts - 1, 20))
    return ceiling * (0.5 + 0.5 * rng.random())
