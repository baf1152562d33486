"""The call that removes for good what was deleted."""

from memcairn.client._operation import Operation
from memcairn.wire.purge import PurgeResponse


def purge(*, older_than_seconds: int) -> Operation[PurgeResponse]:
    return Operation(
        method="POST",
        path="/v1/purge",
        body={"older_than_seconds": older_than_seconds},
        parse=PurgeResponse.model_validate_json,
        repeatable=True,  # what is gone stays gone
    )
