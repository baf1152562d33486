"""Calls about the org of the key."""

from memcairn.client._operation import Operation, fields, nothing, pairs
from memcairn.wire.orgs import Org

PATH = "/v1/org"


def every() -> Operation[list[Org]]:
    return Operation(method="GET", path=PATH, parse=_alone, repeatable=True)


def create(org_id: str | None, *, name: str | None, focus: str | None) -> Operation[Org]:
    return Operation(
        method="POST",
        path=PATH,
        query=pairs(org_id=org_id),
        body=fields(name=name, focus=focus),
        parse=Org.model_validate_json,
        repeatable=False,  # the second one is refused: the org is described already
    )


def get(org_id: str | None) -> Operation[Org]:
    return Operation(
        method="GET", path=PATH, query=pairs(org_id=org_id), parse=Org.model_validate_json, repeatable=True
    )


def update(org_id: str | None, *, name: str | None, focus: str | None, promotion_prompt: str | None) -> Operation[Org]:
    return Operation(
        method="PATCH",
        path=PATH,
        query=pairs(org_id=org_id),
        body=fields(name=name, focus=focus, promotion_prompt=promotion_prompt),
        parse=Org.model_validate_json,
        repeatable=True,  # every field is set to a value: twice leaves what once leaves
    )


def regenerate_prompt(org_id: str | None) -> Operation[Org]:
    return Operation(
        method="POST",
        path=f"{PATH}/regenerate-prompt",
        query=pairs(org_id=org_id),
        parse=Org.model_validate_json,
        repeatable=True,  # the template writes the same prompt again
    )


def delete(org_id: str | None) -> Operation[None]:
    return Operation(
        method="DELETE",
        path=PATH,
        query=pairs(org_id=org_id),
        parse=nothing,
        repeatable=True,  # what is gone stays gone
        settled_by=frozenset({404}),  # the attempt that got lost on its way back had deleted it
    )


def _alone(content: bytes) -> list[Org]:
    return [Org.model_validate_json(content)]
