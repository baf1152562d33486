"""Asking who one is."""

from memcairn.client._operation import Operation
from memcairn.wire.me import Me


def me() -> Operation[Me]:
    return Operation(method="GET", path="/v1/me", parse=Me.model_validate_json, repeatable=True)
