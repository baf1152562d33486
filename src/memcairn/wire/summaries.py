"""Summaries as they travel."""

from memcairn.wire.base import Metadata, Page, Response, Told


class Summary(Response):
    """What a session was about up to and including the event `up_to_event_id`."""

    summary_id: str
    session_id: str
    content: str
    token_count: int
    metadata: Metadata
    up_to_position: int
    up_to_event_id: str
    created_at: Told


class LatestSummary(Response):
    """`summary` is null until enough has been said to make one."""

    summary: Summary | None


class SummaryPage(Page):
    """The summary that reaches furthest comes first."""

    items: list[Summary]
