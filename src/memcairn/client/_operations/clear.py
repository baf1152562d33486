"""Clearing a conversation."""

from memcairn.client._operation import Operation, segment
from memcairn.wire.clear import Cleared


def clear(container_tag: str) -> Operation[int]:
    return Operation(
        method="DELETE",
        path=f"/v1/clear/{segment('container_tag', container_tag)}",
        parse=_count,
        repeatable=False,  # the count of an attempt whose answer got lost could not be told any more
    )


def _count(content: bytes) -> int:
    return Cleared.model_validate_json(content).deleted
