"""Calls about background work."""

from memcairn.client._operation import Operation, pairs, segment
from memcairn.wire.jobs import Job, JobPage, JobStatus


def page(*, status: JobStatus | None, limit: int, cursor: str | None) -> Operation[JobPage]:
    return Operation(
        method="GET",
        path="/v1/jobs",
        query=pairs(status=status, limit=limit, cursor=cursor),
        parse=JobPage.model_validate_json,
        repeatable=True,
    )


def get(job_id: str) -> Operation[Job]:
    return Operation(method="GET", path=_path(job_id), parse=Job.model_validate_json, repeatable=True)


def retry(job_id: str) -> Operation[Job]:
    return Operation(
        method="POST",
        path=f"{_path(job_id)}/retry",
        parse=Job.model_validate_json,
        repeatable=False,  # a second one could send a job that ran and failed again on another round
    )


def _path(job_id: str) -> str:
    return f"/v1/jobs/{segment('job_id', job_id)}"
