"""The purge as it travels."""

from typing import Annotated

from pydantic import Field

from memcairn.wire.base import Request, Response


class PurgeRequest(Request):
    """Only what was deleted at least so long ago goes."""

    older_than_seconds: Annotated[int, Field(strict=True, ge=0, le=10**10)] = 0


class PurgeResponse(Response):
    """Rows removed for good, by table. `wiped`: every trace in the database file is overwritten by now.

    Where it is false, something kept reading an older state; the server tries again by itself.
    """

    counts: dict[str, int]
    wiped: bool
