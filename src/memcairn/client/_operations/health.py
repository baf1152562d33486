"""Calls that ask the server how it is."""

from memcairn.client._operation import Operation
from memcairn.wire.health import Health, Readiness


def health() -> Operation[Health]:
    return Operation(method="GET", path="/healthz", parse=Health.model_validate_json, repeatable=True)


def ready() -> Operation[Readiness]:
    return Operation(
        method="GET",
        path="/readyz",
        parse=Readiness.model_validate_json,
        repeatable=True,
        answers=frozenset({503}),  # "not yet, and this is why" is what was asked for
    )
