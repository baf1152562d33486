"""Forgetting a source, as it travels."""

from typing import Annotated, Literal

from pydantic import Field

from memcairn.wire.base import Id, Moment, Request, Response
from memcairn.wire.events import Trust

Channel = Literal["native", "zep", "memsy", "mcp", "import"]


class ForgetRequest(Request):
    """What to forget: all events that fulfil everything named here, and what rests on them alone.

    At least one of `key_id`, `channel`, `session_id`, `actor_id` and `max_trust` is needed. `received_after` (included)
    and `received_before` are about when the server took an event. With `dry_run` nothing changes.
    """

    key_id: Id | None = None
    channel: Channel | None = None
    session_id: Id | None = None
    actor_id: Id | None = None
    max_trust: Trust | None = None
    received_after: Moment | None = None
    received_before: Moment | None = None
    dry_run: Annotated[bool, Field(strict=True)] = False


class Forgotten(Response):
    """The receipt. `memories` counts those of actors, `promoted` what had risen from them to roles, teams and the org.

    Of a dry run it holds what rests on the source at most, and no `receipt_id`: a memory stays if others say it too.
    """

    receipt_id: str | None
    events: int
    memories: int
    promoted: int
    summaries: int
