"""The call that builds a block for a prompt."""

from collections.abc import Sequence

from memcairn.client._operation import Operation, fields
from memcairn.wire.context import ContextResponse
from memcairn.wire.events import Trust


def context(
    session_id: str,
    *,
    actor_id: str | None,
    query: str | None,
    token_budget: int,
    message_limit: int,
    memory_limit: int,
    threshold: float,
    include_summary: bool,
    role_ids: Sequence[str] | None,
    team_ids: Sequence[str] | None,
    min_trust: Trust | None,
) -> Operation[ContextResponse]:
    body = fields(
        session_id=session_id,
        actor_id=actor_id,
        query=query,
        token_budget=token_budget,
        message_limit=message_limit,
        memory_limit=memory_limit,
        threshold=threshold,
        include_summary=include_summary,
        role_ids=role_ids,
        team_ids=team_ids,
        min_trust=min_trust,
    )
    return Operation(
        method="POST",
        path="/v1/context",
        body=body,
        parse=ContextResponse.model_validate_json,
        repeatable=True,  # it reads; at worst a memory counts as recalled once more
    )
