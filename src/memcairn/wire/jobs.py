"""Background work, made visible."""

from typing import Any, Literal

from memcairn.wire.base import Page, Response, Told

JobStatus = Literal["queued", "running", "dead"]


class Job(Response):
    """One piece of work that is due, under way, or given up (`dead`, with its reason). Finished jobs are removed."""

    job_id: str
    task: str
    status: str
    attempts: int
    max_attempts: int
    payload: dict[str, Any]
    run_at: Told
    error: str | None
    created_at: Told
    updated_at: Told


class JobPage(Page):
    items: list[Job]
