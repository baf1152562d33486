"""What an error looks like (RFC 9457, `application/problem+json`)."""

from pydantic import Field

from memcairn.wire.base import Response


class FieldProblem(Response):
    """One broken rule: `pointer` (RFC 6901) names the place in the body, or the parameter."""

    pointer: str
    detail: str


class Problem(Response):
    """`code` is stable and meant for programs; `detail` is a sentence for people; `request_id` finds it in the logs."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    request_id: str | None = None
    errors: list[FieldProblem] = Field(default_factory=list)
