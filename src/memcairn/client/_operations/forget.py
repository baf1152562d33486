"""The call that forgets a source."""

from datetime import datetime

from memcairn.client._operation import Operation, fields
from memcairn.wire.events import Trust
from memcairn.wire.forget import Channel, Forgotten


def forget(
    *,
    key_id: str | None,
    channel: Channel | None,
    session_id: str | None,
    actor_id: str | None,
    max_trust: Trust | None,
    received_after: datetime | str | None,
    received_before: datetime | str | None,
    dry_run: bool,
) -> Operation[Forgotten]:
    body = fields(
        key_id=key_id,
        channel=channel,
        session_id=session_id,
        actor_id=actor_id,
        max_trust=max_trust,
        received_after=received_after,
        received_before=received_before,
        dry_run=dry_run,
    )
    return Operation(
        method="POST",
        path="/v1/forget",
        body=body,
        parse=Forgotten.model_validate_json,
        repeatable=dry_run,  # the receipt of an attempt whose answer got lost could not be told any more
    )
