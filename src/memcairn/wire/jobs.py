"""Background work, made visible."""

from typing import Any, Literal

from memcairn.wire.base import Moment, Page, Response

JobStatus = Literal["queued", "running", "dead"]


class Job(Response):
    """One piece of work that is due, under way, or given up (`dead`, with its reason). Finished jobs are removed."""

    job_id: str
    task: str
    status: str
    attempts: int
    max_attempts: int
    payload: dict[str, Any]
    run_at: Moment
    error: str | None
    created_at: Moment
    updated_at: Moment


class JobPage(Page):
    items: list[Job]
